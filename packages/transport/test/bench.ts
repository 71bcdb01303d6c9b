/**
 * What the transport does in a second, between two processes over a unix socket:
 *
 *   node packages/transport/test/bench.ts
 *
 * The child serves, the parent asks. Figures are for orientation; nothing depends on them.
 */
import * as Bulk from "@skein/transport/Bulk"
import * as BulkClient from "@skein/transport/BulkClient"
import * as BulkServer from "@skein/transport/BulkServer"
import * as Duplex from "@skein/transport/Duplex"
import * as Handshake from "@skein/transport/Handshake"
import * as Memory from "@skein/transport/Memory"
import * as BulkSocket from "@skein/transport/node/BulkSocket"
import * as Hashing from "@skein/transport/node/Hashing"
import * as Tcp from "@skein/transport/node/Tcp"
import * as Unix from "@skein/transport/node/Unix"
import * as Session from "@skein/transport/Session"
import { Effect, Redacted, Schema } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"

const token = Redacted.make("bench")
const greeting: Handshake.Greeting = { role: "worker", name: "bench", token }
const authorize = Handshake.byToken(token)

const Row = Schema.Struct({ id: Schema.Number, run: Schema.Number, nbytes: Schema.Number })
class Rpcs extends RpcGroup.make(
  Rpc.make("Ping", { payload: { n: Schema.Number }, success: Schema.Number }),
  Duplex.tell("Rows", { rows: Schema.Array(Row) }),
  Rpc.make("Seen", { success: Schema.Number })
) {}
class None extends RpcGroup.make() {}

const MiB = 1024 * 1024
const sizes = [1024, 64 * 1024, MiB, 100 * MiB]

const serve = (directory: string) =>
  Effect.gen(function*() {
    let seen = 0
    const values = sizes.map((size) => new Uint8Array(size).fill(7))
    const tcp = yield* Tcp.listen()
    const address = Tcp.addressOf(tcp)
    const read = (wanted: ReadonlyArray<Bulk.Wanted>) => Effect.succeed(wanted.map(({ id }) => Bulk.found(values[id]!)))
    const unix = yield* Unix.listen(`${directory}/bulk`)
    yield* Effect.forkScoped(BulkServer.serve(unix, { authorize, read }))
    yield* Effect.forkScoped(BulkServer.serve(tcp, { authorize, read }))
    const server = yield* Unix.listen(`${directory}/session`)
    process.stdout.write(`${address._tag === "Tcp" ? address.port : 0}\n`)
    return yield* Session.serve(server, {
      authorize,
      onSession: (session) =>
        Effect.andThen(
          Duplex.make(session, { serve: Rpcs, call: None }).pipe(Effect.provide(Rpcs.toLayer({
            Ping: ({ n }) => Effect.succeed(n),
            Rows: ({ rows }) =>
              Effect.sync(() => {
                seen += rows.length
              }),
            Seen: () => Effect.sync(() => seen)
          }))),
          Effect.ignore(session.ended)
        )
    })
  }).pipe(Effect.scoped, Effect.provide(Hashing.layer))

const dial = (address: string, room: Bulk.Room) => BulkSocket.connectTo(address, room).pipe(Effect.provide(Memory.Network.layer))

const rate = Effect.fnUntraced(function*<E, R>(name: string, count: number, unit: string, run: Effect.Effect<unknown, E, R>) {
  const start = performance.now()
  const cpu = process.cpuUsage()
  yield* run
  const ms = performance.now() - start
  const { system, user } = process.cpuUsage(cpu)
  console.log(`${name.padEnd(46)} ${(count / ms * 1000).toFixed(0).padStart(9)} ${unit.padEnd(9)} this side busy ${((user + system) / 10 / ms).toFixed(0)} %`)
})

const calls = (client: Effect.Success<ReturnType<typeof connect>>, count: number, concurrency: number) =>
  Effect.forEach(Array.from({ length: count }), (_, n) => client.Ping({ n }), { concurrency, discard: true })

const connect = (directory: string) =>
  Effect.gen(function*() {
    const session = yield* Session.dial({ socket: yield* Unix.connect(`${directory}/session`), greeting })
    return yield* Duplex.make(session, { serve: None, call: Rpcs }).pipe(Effect.provide(None.toLayer({})))
  })

const ask = (directory: string, port: number) =>
  Effect.gen(function*() {
    const client = yield* connect(directory)
    yield* calls(client, 5000, 64)
    yield* rate("calls, one after the other", 10_000, "/s", calls(client, 10_000, 1))
    yield* rate("calls, 64 at a time", 40_000, "/s", calls(client, 40_000, 64))
    yield* rate("calls, 512 at a time", 40_000, "/s", calls(client, 40_000, 512))
    const rows = Array.from({ length: 100 }, (_, id) => ({ id, run: id * 3, nbytes: 28 }))
    const tells = (count: number) =>
      Effect.andThen(Effect.forEach(Array.from({ length: count }), () => client.Rows({ rows }), { discard: true }), client.Seen())
    yield* tells(2000)
    yield* rate("rows told, 100 in a message", 1_000_000, "rows/s", tells(10_000))

    const fetching = (name: string, at: string, dial: BulkClient.ClientOptions["connect"]) =>
      Effect.gen(function*() {
        const bulk = yield* BulkClient.make({ connect: dial, greeting })
        const fetch = (id: number, values: number) => bulk.fetch(at, Array.from({ length: values }, () => ({ id, run: 1 })))
        const times = (count: number, one: Effect.Effect<unknown, Bulk.BulkFailed>) => Effect.forEach(Array.from({ length: count }), () => one, { discard: true })
        yield* times(2, fetch(3, 1))
        yield* rate(`bulk over ${name}, 100 MiB values`, 1000, "MiB/s", times(10, fetch(3, 1)))
        yield* rate(`bulk over ${name}, 1 MiB values, 10 a question`, 1000, "MiB/s", times(100, fetch(2, 10)))
        yield* rate(`bulk over ${name}, 64 KiB values, one a question`, 2000, "values/s", times(2000, fetch(1, 1)))
        yield* rate(`bulk over ${name}, 1 KiB values, 100 a question`, 100_000, "values/s", times(1000, fetch(0, 100)))
      })
    yield* fetching("unix", `unix:${directory}/bulk`, dial)
    yield* fetching("TCP", `127.0.0.1:${port}`, dial)
  }).pipe(Effect.scoped, Effect.provide(Hashing.layer))

const firstLine = (child: ChildProcess) =>
  Effect.callback<string>((resume) => {
    child.stdout!.once("data", (data) => resume(Effect.succeed(String(data))))
  })

const parent = Effect.gen(function*() {
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(`${tmpdir()}/skein-bench-`)),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => spawn(process.execPath, [import.meta.filename, directory], { stdio: ["ignore", "pipe", "inherit"] })),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )
  yield* ask(directory, Number(yield* firstLine(child)))
}).pipe(Effect.scoped)

const directory = process.argv[2]
await (directory === undefined ? Effect.runPromise(parent) : Effect.runPromise(serve(directory)))
