import { assert, describe, it } from "@effect/vitest"
import * as Address from "@skein/transport/Address"
import * as Bulk from "@skein/transport/Bulk"
import * as BulkClient from "@skein/transport/BulkClient"
import * as BulkServer from "@skein/transport/BulkServer"
import { Kind } from "@skein/transport/Framing"
import type { Greeting } from "@skein/transport/Handshake"
import * as Memory from "@skein/transport/Memory"
import * as Hashing from "@skein/transport/node/Hashing"
import * as BulkSocket from "@skein/transport/node/BulkSocket"
import * as Unix from "@skein/transport/node/Unix"
import { Deferred, Effect, Fiber, Redacted, References } from "effect"
import { Socket, type SocketServer } from "effect/socket"
import { directory } from "./utils/networks.ts"
import { authorize, worker } from "./utils/sessions.ts"

const bytes = (size: number, seed: number): Uint8Array => {
  const value = new Uint8Array(size)
  for (let i = 0; i < size; i += 97) value[i] = (i * 31 + seed) & 255
  return value
}

/** A server in memory that has these values (by id), and a client of it. `tap` sees and may change what the server writes. */
const bulk = Effect.fnUntraced(function*(options: {
  readonly values?: ReadonlyMap<number, Uint8Array>
  readonly read?: BulkServer.ServeOptions<never, never>["read"]
  readonly client?: Partial<BulkClient.ClientOptions>
  readonly server?: Partial<BulkServer.ServeOptions<never, never>>
  readonly greeting?: Greeting
  readonly tap?: (chunk: Uint8Array) => Effect.Effect<Uint8Array, Socket.SocketError>
} = {}) {
  const network = Memory.makeNetwork()
  const server = yield* network.listen("w")
  let dialled = 0
  yield* BulkServer.serve(tapped(server, options.tap), {
    authorize,
    read: options.read ?? ((wanted) =>
      Effect.succeed(wanted.map(({ id }) => {
        const value = options.values?.get(id)
        return value === undefined ? Bulk.missing : Bulk.found(value)
      }))),
    ...options.server
  }).pipe(Effect.forkScoped)
  const client = yield* BulkClient.make({
    connect: (address) =>
      Effect.sync(() => {
        dialled++
        return network.connect(address)
      }),
    greeting: options.greeting ?? worker,
    ...options.client
  })
  return { client, network, dialled: () => dialled }
})

/** A server of which each accepted connection writes what `tap` makes of it. */
const tapped = (
  server: SocketServer.SocketServer["Service"],
  tap: ((chunk: Uint8Array) => Effect.Effect<Uint8Array, Socket.SocketError>) | undefined
): SocketServer.SocketServer["Service"] =>
  tap === undefined ? server : {
    address: server.address,
    run: (handler) =>
      server.run((socket) =>
        handler(Socket.make({
          reader: socket.reader,
          writer: Effect.map(socket.writer, (writer) => ({
            write: writer.write,
            writeAll: (chunks) => Effect.forEach(chunks, (chunk) => Effect.flatMap(tap(chunk as Uint8Array), writer.write), { discard: true })
          }))
        }))
      )
  }

const live = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  effect.pipe(Effect.scoped, Effect.provide(Hashing.layer), Effect.provideService(References.MinimumLogLevel, "None"))

describe("values", () => {
  it.live("arrive whole, in the order of the question, whatever their sizes", () =>
    live(Effect.gen(function*() {
      const sizes = [0, 1, 17, 1000, Bulk.chunkBytes - 1, Bulk.chunkBytes, Bulk.chunkBytes + 1, 20 * Bulk.chunkBytes + 5, 3, 0]
      const values = new Map(sizes.map((size, id) => [id, bytes(size, id)]))
      const { client } = yield* bulk({ values })
      const wanted = [...values.keys(), 99].map((id) => ({ id, run: 1 })).reverse()
      const answers = yield* client.fetch("w", wanted)
      assert.deepStrictEqual(answers.map(({ _tag }) => _tag), ["Missing", ...sizes.map(() => "Found" as const)])
      wanted.forEach(({ id }, index) => {
        const answer = answers[index]!
        if (answer._tag === "Found") assert.isTrue(Buffer.compare(answer.bytes, values.get(id)!) === 0)
      })
    })))

  it.live("that are many and small take one question", () =>
    live(Effect.gen(function*() {
      const values = new Map(Array.from({ length: Bulk.wantedLimit }, (_, id) => [id, bytes(id % 50, id)]))
      const { client } = yield* bulk({ values })
      const answers = yield* client.fetch("w", [...values.keys()].map((id) => ({ id, run: 1 })))
      answers.forEach((answer, id) => assert.deepStrictEqual(answer, Bulk.found(values.get(id)!)))
    })))

  it.live("that are more than one question may name take several", () =>
    live(Effect.gen(function*() {
      const asked: Array<number> = []
      const { client } = yield* bulk({ read: (wanted) => Effect.sync(() => (asked.push(wanted.length), wanted.map(({ id }) => Bulk.found(bytes(1, id))))) })
      const ids = Array.from({ length: Bulk.wantedLimit + 2 }, (_, id) => id)
      const answers = yield* client.fetch("w", ids.map((id) => ({ id, run: 1 })))
      assert.deepStrictEqual(asked, [Bulk.wantedLimit, 2])
      assert.deepStrictEqual(answers, ids.map((id) => Bulk.found(bytes(1, id))))
    })))

  it.live("of 100 MiB go through a unix socket", () =>
    live(Effect.gen(function*() {
      const path = `${yield* directory}/w`
      const value = bytes(100 * 1024 * 1024, 7)
      yield* BulkServer.serve(yield* Unix.listen(path), { authorize, read: () => Effect.succeed([Bulk.found(value)]) }).pipe(Effect.forkScoped)
      const client = yield* BulkClient.make({ connect: (at, room) => BulkSocket.connect(Address.unix(at), room).pipe(Effect.provide(Memory.Network.layer)), greeting: worker })
      const [answer] = yield* client.fetch(path, [{ id: 1, run: 1 }])
      assert.isTrue(answer!._tag === "Found" && Buffer.compare(answer!.bytes, value) === 0)
    })))

  it.live("are asked for with the numbers of id and run", () =>
    live(Effect.gen(function*() {
      const asked: Array<Bulk.Wanted> = []
      const { client } = yield* bulk({ read: (wanted) => Effect.sync(() => (asked.push(...wanted), [])) })
      const wanted = [{ id: 0, run: 0 }, { id: 2 ** 40, run: Number.MAX_SAFE_INTEGER }]
      assert.deepStrictEqual(yield* client.fetch("w", wanted), [Bulk.missing, Bulk.missing])
      assert.deepStrictEqual(asked, wanted)
    })))
})

describe("values that are brought", () => {
  const taking = () => {
    const taken = new Map<number, Uint8Array>()
    const store: BulkServer.ServeOptions<never, never>["store"] = ({ id }, value) => Effect.sync(() => void taken.set(id, value))
    return { taken, store }
  }

  it.live("arrive whole, under their numbers, whatever their sizes, and over one connection one after the other", () =>
    live(Effect.gen(function*() {
      const { store, taken } = taking()
      const sizes = [0, 1, Bulk.chunkBytes, Bulk.chunkBytes + 1, 10 * Bulk.chunkBytes + 5]
      const { client, dialled } = yield* bulk({ values: new Map([[9, bytes(17, 9)]]), server: { store } })
      for (const [id, size] of sizes.entries()) yield* client.put("w", { id, run: 1 }, bytes(size, id))
      for (const [id, size] of sizes.entries()) assert.strictEqual(Buffer.compare(taken.get(id)!, bytes(size, id)), 0)
      assert.deepStrictEqual(yield* client.fetch("w", [{ id: 9, run: 1 }]), [Bulk.found(bytes(17, 9))])
      assert.strictEqual(dialled(), 1)
    })))

  it.live("are refused by a server that takes none, and by one that has no room for more", () =>
    live(Effect.gen(function*() {
      const none = yield* bulk()
      assert.strictEqual((yield* Effect.flip(none.client.put("w", { id: 1, run: 1 }, bytes(10, 1)))).reason, "Lost")
      const { store, taken } = taking()
      const small = yield* bulk({ server: { store, valueLimit: 100 } })
      assert.strictEqual((yield* Effect.flip(small.client.put("w", { id: 1, run: 1 }, bytes(101, 1)))).reason, "Lost")
      // What was begun and refused counts no more.
      yield* small.client.put("w", { id: 2, run: 1 }, bytes(100, 1))
      yield* small.client.put("w", { id: 3, run: 1 }, bytes(100, 1))
      assert.deepStrictEqual([...taken.keys()], [2, 3])
    })))

  it.live("are taken from nobody without the token", () =>
    live(Effect.gen(function*() {
      const { store, taken } = taking()
      const { client } = yield* bulk({ server: { store }, greeting: { ...worker, token: Redacted.make("wrong") } })
      assert.strictEqual((yield* Effect.flip(client.put("w", { id: 1, run: 1 }, bytes(10, 1)))).reason, "Unauthorized")
      assert.strictEqual(taken.size, 0)
    })))
})

describe("a server", () => {
  it.live("that answers as many questions as it may says it is busy, and answers again afterwards", () =>
    live(Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      let reading = 0
      const enough = yield* Deferred.make<void>()
      const { client } = yield* bulk({
        read: (wanted) =>
          Effect.suspend(() => ++reading === 10 ? Deferred.succeed(enough, undefined) : Effect.void).pipe(
            Effect.andThen(Deferred.await(gate)),
            Effect.as(wanted.map(() => Bulk.found(bytes(10, 1))))
          )
      })
      const fetching = yield* Effect.forEach(Array.from({ length: 10 }), () => Effect.forkChild(client.fetch("w", [{ id: 1, run: 1 }])))
      yield* Deferred.await(enough)
      assert.deepStrictEqual(yield* client.fetch("w", [{ id: 1, run: 1 }, { id: 2, run: 1 }]), [Bulk.busy, Bulk.busy])
      yield* Deferred.succeed(gate, undefined)
      for (const fiber of fetching) assert.strictEqual((yield* Fiber.join(fiber))[0]!._tag, "Found")
      assert.strictEqual((yield* client.fetch("w", [{ id: 1, run: 1 }]))[0]!._tag, "Found")
    })))

  it.live("refuses a wrong token by name", () =>
    live(Effect.gen(function*() {
      const { client } = yield* bulk({ greeting: { ...worker, token: Redacted.make("wrong") } })
      const error = yield* Effect.flip(client.fetch("w", [{ id: 1, run: 1 }]))
      assert.strictEqual(error.reason, "Unauthorized")
      assert.strictEqual(error.address, "w")
    })))

  it.live("that does not exist fails the question", () =>
    live(Effect.gen(function*() {
      const { client } = yield* bulk()
      assert.strictEqual((yield* Effect.flip(client.fetch("nowhere", [{ id: 1, run: 1 }]))).reason, "Connect")
    })))
})

describe("a question fails, and the next one is answered,", () => {
  /** Damages or cuts what the server writes, once, when `when` says so. */
  const once = (harm: (chunk: Uint8Array) => Effect.Effect<Uint8Array, Socket.SocketError>) => {
    let done = false
    return (chunk: Uint8Array) => {
      if (done || chunk.length < 1000) return Effect.succeed(chunk)
      done = true
      return harm(chunk)
    }
  }
  const value = bytes(3 * Bulk.chunkBytes, 3)

  it.live("when a chunk is damaged", () =>
    live(Effect.gen(function*() {
      const { client } = yield* bulk({
        values: new Map([[1, value]]),
        tap: once((chunk) => Effect.sync(() => {
          const damaged = new Uint8Array(chunk)
          damaged[500]! ^= 1
          return damaged
        }))
      })
      assert.strictEqual((yield* Effect.flip(client.fetch("w", [{ id: 1, run: 1 }]))).reason, "Damaged")
      assert.strictEqual(client.idle(), 0)
      assert.deepStrictEqual(yield* client.fetch("w", [{ id: 1, run: 1 }]), [Bulk.found(value)])
    })))

  it.live("when the connection is lost in the middle of a value", () =>
    live(Effect.gen(function*() {
      const { client } = yield* bulk({
        values: new Map([[1, value]]),
        tap: once(() => Effect.fail(new Socket.SocketError({ reason: new Socket.SocketCloseError({ code: 1006 }) })))
      })
      assert.strictEqual((yield* Effect.flip(client.fetch("w", [{ id: 1, run: 1 }]))).reason, "Lost")
      assert.deepStrictEqual(yield* client.fetch("w", [{ id: 1, run: 1 }]), [Bulk.found(value)])
    })))

  it.live("when a value is larger than this side takes", () =>
    live(Effect.gen(function*() {
      const { client } = yield* bulk({ values: new Map([[1, value], [2, bytes(10, 2)]]), client: { valueLimit: 1000 } })
      assert.strictEqual((yield* Effect.flip(client.fetch("w", [{ id: 1, run: 1 }]))).reason, "TooLarge")
      assert.strictEqual((yield* client.fetch("w", [{ id: 2, run: 1 }]))[0]!._tag, "Found")
    })))

  it.live("when nothing comes for too long", () =>
    live(Effect.gen(function*() {
      let first = true
      const { client } = yield* bulk({
        read: (wanted) => Effect.suspend(() => {
          if (!first) return Effect.succeed(wanted.map(() => Bulk.found(value)))
          first = false
          return Effect.never
        }),
        client: { stallMs: 20 }
      })
      assert.strictEqual((yield* Effect.flip(client.fetch("w", [{ id: 1, run: 1 }]))).reason, "Stalled")
      assert.deepStrictEqual(yield* client.fetch("w", [{ id: 1, run: 1 }]), [Bulk.found(value)])
    })))
})

describe("connections", () => {
  it.live("are used again by the next question, and one for each question at once", () =>
    live(Effect.gen(function*() {
      const { client, dialled } = yield* bulk({ values: new Map([[1, bytes(10, 1)]]) })
      for (let i = 0; i < 5; i++) yield* client.fetch("w", [{ id: 1, run: 1 }])
      assert.strictEqual(dialled(), 1)
      yield* Effect.all(Array.from({ length: 4 }, () => client.fetch("w", [{ id: 1, run: 1 }])), { concurrency: "unbounded" })
      assert.strictEqual(dialled(), 4)
      assert.strictEqual(client.idle(), 4)
    })))

  it.live("are never more than the limit: questions wait, and idle ones make room", () =>
    live(Effect.gen(function*() {
      const { client, dialled, network } = yield* bulk({ values: new Map([[1, bytes(10, 1)]]), client: { limit: 2 } })
      const other = yield* network.listen("other")
      yield* BulkServer.serve(other, { authorize, read: () => Effect.succeed([]) }).pipe(Effect.forkScoped)
      const answers = yield* Effect.all(Array.from({ length: 20 }, () => client.fetch("w", [{ id: 1, run: 1 }])), { concurrency: "unbounded" })
      assert.isTrue(answers.every(([one]) => one!._tag === "Found"))
      yield* client.fetch("other", [{ id: 1, run: 1 }])
      yield* client.fetch("w", [{ id: 1, run: 1 }])
      assert.isAtMost(client.idle(), 2)
      assert.isAtMost(dialled(), 22)
    })))

  it.live("that the server has closed meanwhile are replaced", () =>
    live(Effect.gen(function*() {
      let greeted = 0
      // The second write on each connection is the first answer; after it this server hangs up.
      const { client, dialled } = yield* bulk({
        read: () => Effect.succeed([]),
        tap: (chunk) => Effect.suspend(() => {
          const kind = chunk[6]
          if (kind === Kind.Missing && ++greeted === 2) return Effect.fail(new Socket.SocketError({ reason: new Socket.SocketCloseError({ code: 1006 }) }))
          return Effect.succeed(chunk)
        })
      })
      for (let i = 0; i < 4; i++) assert.deepStrictEqual(yield* client.fetch("w", [{ id: 1, run: 1 }]), [Bulk.missing])
      assert.strictEqual(dialled(), 2)
    })))

  it.live("unused for long are closed", () =>
    live(Effect.gen(function*() {
      const { client, dialled } = yield* bulk({ values: new Map([[1, bytes(10, 1)]]), client: { idleMs: 1 } })
      yield* client.fetch("w", [{ id: 1, run: 1 }])
      while (client.idle() > 0) yield* Effect.sleep(1)
      yield* client.fetch("w", [{ id: 1, run: 1 }])
      assert.strictEqual(dialled(), 2)
    })))
})
