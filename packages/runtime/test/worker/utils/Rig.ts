/**
 * Whole workers, as fibers of the test, before a fake scheduler.
 */
import type { CodeDef } from "@skein/protocol/Code"
import { digestOf, moduleIdOf } from "@skein/protocol/Code"
import { type Isolation, ProcessId } from "@skein/protocol/Ids"
import { fnEntry } from "@skein/protocol/Task"
import * as Value from "@skein/protocol/Value"
import * as BulkClient from "@skein/transport/BulkClient"
import { Network } from "@skein/transport/Memory"
import * as NodeHashing from "@skein/transport/node/Hashing"
import { type Notice, Notices } from "@skein/runtime/nanny/Notices"
import * as NodeThreads from "@skein/runtime/node/NodeThreads"
import { Host } from "@skein/runtime/worker/Host"
import * as NodeModules from "@skein/runtime/worker/node/NodeModules"
import * as NodeSockets from "@skein/runtime/worker/node/NodeSockets"
import { urlFor } from "@skein/runtime/worker/ThreadCode"
import * as Tree from "@skein/runtime/worker/Tree"
import * as WorkerConfig from "@skein/runtime/worker/WorkerConfig"
import { Sockets } from "@skein/runtime/worker/Sockets"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Socket from "effect/socket/Socket"
import * as FakeScheduler from "./FakeScheduler.ts"

export const tasksUrl = new URL("../fixtures/tasks.ts", import.meta.url).href

export interface Options extends FakeScheduler.Options {
  /** @default 1000 */
  readonly memoryBytes?: Effect.Effect<number>
}

/** A network, a fake scheduler on it, and a way to start workers. */
export const make = Effect.fnUntraced(function*(options: Options = {}) {
  const context = yield* Layer.build(Network.layer)
  const network = Context.get(context, Network)
  const scheduler = yield* FakeScheduler.make(yield* network.listen("scheduler"), options)
  const notices: Array<Notice> = []
  let broken = Deferred.makeUnsafe<never, Socket.SocketError>()
  const breakable = (sockets: Sockets["Service"]): Sockets["Service"] => ({
    ...sockets,
    connect: (address) =>
      Effect.map(sockets.connect(address), (socket) =>
        Socket.make({
          reader: Effect.map(socket.reader, (reader) => {
            const mine = broken
            return { ...reader, pull: Effect.raceFirst(reader.pull, Deferred.await(mine)) }
          }),
          writer: socket.writer
        }))
  })
  /** Breaks all connections that workers have dialled; new ones hold. */
  const breakConnections = Effect.sync(() => {
    const old = broken
    broken = Deferred.makeUnsafe()
    Deferred.doneUnsafe(old, Exit.fail(new Socket.SocketError({ reason: new Socket.SocketCloseError({ code: 1006 }) })))
  })
  const services = Layer.mergeAll(
    NodeHashing.layer,
    NodeModules.layer,
    NodeThreads.layer({ codeModule: urlFor([tasksUrl]), worker: "w" }),
    Layer.succeed(Notices, { write: (notice) => Effect.sync(() => void notices.push(notice)) }),
    Layer.succeed(Host, { pid: 4242, memoryBytes: options.memoryBytes ?? Effect.succeed(1_000), cpuMs: undefined }),
    Layer.effect(Sockets, Effect.map(Sockets, breakable)).pipe(Layer.provide(NodeSockets.layer), Layer.provide(Layer.succeedContext(context)))
  )
  const start = (name: string, more: Partial<WorkerConfig.WorkerConfigEncoded> = {}) =>
    Effect.provide(
      Tree.start(WorkerConfig.make({
        name,
        process: ProcessId.make(`${name}-life-1`),
        nanny: "nanny",
        scheduler: "inproc://scheduler",
        token: null,
        listen: `inproc://${name}`,
        host: "here",
        nthreads: 1,
        nfibers: 4,
        localDirectory: "/tmp",
        tasks: [tasksUrl],
        ...more
      })),
      services
    )
  /** A worker, and the scheduler's side of it. */
  const join = Effect.fnUntraced(function*(name: string, more: Partial<WorkerConfig.WorkerConfigEncoded> = {}) {
    const tree = yield* start(name, more)
    return { ...(yield* scheduler.join), tree }
  })
  const bulk = yield* BulkClient.make({
    connect: (address) => Effect.succeed(network.connect(address.slice("inproc://".length))),
    greeting: { role: "client", name: "test" }
  }).pipe(Effect.provide(NodeHashing.layer))
  return { scheduler, network, start, join, notices, bulk, breakConnections }
})

/** What a client would say of a function or task. */
export const code = (f: unknown, isolation: typeof Isolation.Type = "fiber"): CodeDef => {
  const entry = fnEntry(f)
  const name = entry?.name ?? "anonymous"
  const text = entry?.text ?? String(f)
  const url = entry?.module ?? null
  const module = url === null ? null : { id: moduleIdOf(url, NodeModules.packageAt), url }
  const digest = digestOf({ name, module: module?.id ?? null, text, version: 1 }, NodeHashing.node.sha256)
  return { digest, name, kind: "function", text: entry === undefined ? text : null, module, moduleFirst: false, body: "unknown", isolation, version: 1 }
}

export const decoded = (bytes: Uint8Array): unknown => Result.getOrThrow(Value.decode(bytes))
