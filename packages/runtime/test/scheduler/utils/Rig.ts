/**
 * A real scheduler in memory, and peers that a test plays by hand: they speak
 * the real RPCs over real sessions.
 */
import { Deferred, Effect, Exit, Layer, Queue, Redacted, Scope } from "effect"
import { Socket } from "effect/socket"
import { type ClientReport, ClientReportRpcs, ClientRpcs } from "@skein/protocol/ClientRpcs"
import { NannyCommandRpcs, NannyRpcs } from "@skein/protocol/NannyRpcs"
import { type Registration, type WorkerCommand, WorkerCommandRpcs, WorkerRpcs } from "@skein/protocol/WorkerRpcs"
import * as Duplex from "@skein/transport/Duplex"
import type { Role } from "@skein/transport/Handshake"
import * as Memory from "@skein/transport/Memory"
import * as NodeHashing from "@skein/transport/node/Hashing"
import { dial, type Session } from "@skein/transport/Session"
import { Journal } from "@skein/runtime/scheduler/Journal"
import { decode } from "@skein/runtime/scheduler/SchedulerConfig"
import * as Tree from "@skein/runtime/scheduler/Tree"
import { registration } from "./make.ts"

/** How to reach a scheduler. */
export interface Reach {
  /** A socket for one session. */
  readonly connect: Effect.Effect<Socket.Socket>
  readonly token?: string
}

export interface Rig extends Reach {
  readonly tree: Effect.Success<ReturnType<typeof Tree.start>>
}

/** A scheduler that listens in memory. Its journal remembers everything. */
export const start = Effect.fnUntraced(function*(config: object = {}) {
  const network = Memory.makeNetwork()
  const server = yield* network.listen("scheduler")
  const tree = yield* Tree.start(yield* Effect.orDie(decode(config)), server)
  const rig: Rig = { connect: Effect.sync(() => network.connect("scheduler")), tree }
  return rig
})

/** What `start` needs, without a memory. */
export const layerNoJournal = Layer.mergeAll(NodeHashing.layer, Journal.layerNoop)

/** What `start` needs. */
export const layer = Layer.mergeAll(NodeHashing.layer, Journal.layerMemory)

/** The token's part of a greeting. */
export const tokenOf = (token: string | undefined) => token === undefined ? {} : { token: Redacted.make(token) }

/** A session, without any RPC on it. */
export const dialAs = Effect.fnUntraced(function*({ connect, token }: Reach, role: Role, name: string) {
  const greeting = { role, name, ...tokenOf(token) }
  return yield* Effect.orDie(dial({ socket: yield* connect, greeting, beatMs: Infinity, window: 256 * 1024 }))
})

/** A connection that a test can break, and that cannot be made again until it is mended. */
export const breakable = Effect.fnUntraced(function*(reach: Reach) {
  const inner = yield* reach.connect
  const gone = new Socket.SocketError({ reason: new Socket.SocketCloseError({ code: 1006 }) })
  let broken = Deferred.makeUnsafe<never, Socket.SocketError>()
  let whole = true
  const orBroken = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.suspend(() => whole ? Effect.raceFirst(effect, Deferred.await(broken)) : Effect.fail(gone))
  const socket = Socket.make({
    reader: Effect.suspend(() => whole ? inner.reader : Effect.fail(gone)).pipe(
      Effect.map((reader) => ({ ...reader, pull: orBroken(reader.pull) }))
    ),
    writer: Effect.map(inner.writer, (writer) => ({
      write: (chunk) => orBroken(writer.write(chunk)),
      writeAll: (chunks) => orBroken(writer.writeAll(chunks))
    }))
  })
  return {
    reach: { ...reach, connect: Effect.succeed(socket) },
    breakNow: Effect.sync(() => {
      whole = false
      Deferred.doneUnsafe(broken, Exit.fail(gone))
    }),
    mend: Effect.sync(() => {
      whole = true
      broken = Deferred.makeUnsafe()
    })
  }
})

export interface FakeClient {
  readonly rpc: Duplex.ClientOf<typeof ClientRpcs>
  readonly session: Session
  /** News, segment by segment. */
  readonly reports: Queue.Queue<ClientReport>
  /** Waits for the next segment of this kind; others before it are skipped. */
  readonly next: <Tag extends ClientReport["_tag"]>(tag: Tag) => Effect.Effect<Extract<ClientReport, { readonly _tag: Tag }>>
  /** Goes, in good order. */
  readonly leave: Effect.Effect<void>
}

/** A client. `reads: false`: one that takes nothing off its connection. */
export const client = Effect.fnUntraced(function*(rig: Reach, name = "client", reads = true) {
  const scope = yield* Scope.fork(yield* Effect.scope)
  const dialled = yield* Scope.provide(dialAs(rig, "client", name), scope)
  const session = reads ? dialled : { ...dialled, run: () => dialled.ended }
  const reports = yield* Queue.unbounded<ClientReport>()
  const handlers = yield* ClientReportRpcs.toHandlers(ClientReportRpcs.of({
    Report: ({ segments }) => Effect.asVoid(Queue.offerAll(reports, segments))
  }))
  const rpc = yield* Duplex.make(session, { serve: ClientReportRpcs, call: ClientRpcs }).pipe(
    Effect.provideContext(handlers),
    Scope.provide(scope)
  )
  const fake: FakeClient = { rpc, session, reports, next: nextOf(reports), leave: session.close }
  return fake
})

export interface FakeWorker {
  readonly rpc: Duplex.ClientOf<typeof WorkerRpcs>
  readonly session: Session
  readonly commands: Queue.Queue<WorkerCommand>
  readonly next: <Tag extends WorkerCommand["_tag"]>(tag: Tag) => Effect.Effect<Extract<WorkerCommand, { readonly _tag: Tag }>>
  /** Reasons of `Close`. */
  readonly closes: Queue.Queue<string>
}

/** A worker's session, which has not registered. */
export const worker = Effect.fnUntraced(function*(rig: Reach, name = "worker") {
  const session = yield* dialAs(rig, "worker", name)
  const commands = yield* Queue.unbounded<WorkerCommand>()
  const closes = yield* Queue.unbounded<string>()
  const handlers = yield* WorkerCommandRpcs.toHandlers(WorkerCommandRpcs.of({
    Command: ({ segments }) => Effect.asVoid(Queue.offerAll(commands, segments)),
    Close: ({ reason }) => Effect.asVoid(Queue.offer(closes, reason)),
    Story: ({ id }) => Effect.succeed([{ at: 1, line: `${name} was told of task ${id}` }])
  }))
  const rpc = yield* Effect.provideContext(Duplex.make(session, { serve: WorkerCommandRpcs, call: WorkerRpcs }), handlers)
  const fake: FakeWorker = { rpc, session, commands, next: nextOf(commands), closes }
  return fake
})

/** A worker that has registered. */
export const registered = Effect.fnUntraced(function*(rig: Reach, name = "worker", more: Partial<Registration> = {}) {
  const fake = yield* worker(rig, name)
  const { ids, worker: number } = yield* fake.rpc.Register({ registration: registration(name, more) })
  return { ...fake, worker: number, ids }
})

/** A nanny. */
export const nanny = Effect.fnUntraced(function*(rig: Reach, name = "nanny") {
  const session = yield* dialAs(rig, "nanny", name)
  const wanted = yield* Queue.unbounded<{ readonly process: string; readonly reason: string }>()
  const handlers = yield* NannyCommandRpcs.toHandlers(NannyCommandRpcs.of({
    EndProcess: (row) => Effect.asVoid(Queue.offer(wanted, row)),
    Logs: () => Effect.succeed([{ name: `a worker of ${name}`, lines: ["one", "two"] }])
  }))
  const rpc = yield* Effect.provideContext(Duplex.make(session, { serve: NannyCommandRpcs, call: NannyRpcs }), handlers)
  return { rpc, session, wanted }
})

/** The end of a session, as its peer sees it. */
export const endOf = (session: Session) => Effect.flip(session.ended)

const nextOf = <Row extends { readonly _tag: string }>(queue: Queue.Queue<Row>) => <Tag extends Row["_tag"]>(tag: Tag) =>
  Effect.gen(function*() {
    while (true) {
      const row = yield* Queue.take(queue)
      if (row._tag === tag) return row as Extract<Row, { readonly _tag: Tag }>
    }
  })
