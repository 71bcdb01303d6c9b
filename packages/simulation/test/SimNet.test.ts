/** What the simulated network does beyond what the sessions' own laws see of it. */
import { assert, describe, it } from "@effect/vitest"
import { SimNet } from "@skein/simulation/SimNet"
import type { SimProcess } from "@skein/simulation/SimProcess"
import * as World from "@skein/simulation/World"
import { Cause, Effect, Exit, Queue, type Scope } from "effect"
import { Socket } from "effect/socket"

interface End {
  /** Bytes, or the end of the connection. */
  readonly received: Queue.Queue<{ readonly at: number; readonly bytes: number } | string>
  readonly write: (bytes: number) => Effect.Effect<void, Socket.SocketError>
}

const use = Effect.fnUntraced(function*(socket: Socket.Socket): Effect.fn.Return<End, Socket.SocketError, Scope.Scope> {
  const received = yield* Queue.unbounded<{ readonly at: number; readonly bytes: number } | string>()
  const pull = yield* Socket.readerBytes(socket)
  const writer = yield* socket.writer
  yield* Effect.forever(Effect.flatMap(pull, (chunks) =>
    Queue.offerAll(received, chunks.map(({ length }) => ({ at: World.current().now, bytes: length }))))).pipe(
      Effect.catch((error) => Queue.offer(received, error.reason._tag)),
      Effect.forkScoped
    )
  return { received, write: (bytes) => writer.write(new Uint8Array(bytes)) }
})

/** Two processes, a connection between them, and what they do with it. */
const connected = <A>(seed: number, set: (net: SimNet) => void, program: (here: End, there: End, parts: { readonly net: SimNet; readonly server: SimProcess; readonly client: SimProcess }) => Effect.Effect<A, Socket.SocketError>) => {
  const { exit } = World.run({ seed, maxMs: 600_000 }, Effect.gen(function*() {
    const world = World.current()
    const net = new SimNet()
    net.latency = [1, 1]
    set(net)
    world.onEnded((process) => net.ended(process))
    const [server, client] = [world.begin("server"), world.begin("client")]
    const accepted = yield* Queue.unbounded<End>()
    server.run(Effect.scoped(Effect.flatMap(net.listen("here", "server"), ({ run }) =>
      run((socket) => Effect.scoped(Effect.flatMap(use(socket), (end) => Effect.andThen(Queue.offer(accepted, end), Effect.never)))))))
    yield* Effect.sleep(1)
    const ends = yield* Queue.unbounded<End>()
    client.run(Effect.scoped(Effect.flatMap(use(net.socket("client", "here")), (end) => Effect.andThen(Queue.offer(ends, end), Effect.never))))
    return yield* program(yield* Queue.take(ends), yield* Queue.take(accepted), { net, server, client })
  }))
  if (Exit.isFailure(exit)) throw new Error(`seed ${seed}: ${Cause.pretty(exit.cause)}`)
  return exit.value
}

describe("a connection", () => {
  it("lets its writer wait while the reader is too far behind", () => {
    connected(1, (net) => void (net.window = 1000), (here, _there, { server }) =>
      Effect.gen(function*() {
        const world = World.current()
        server.pause(500)
        const from = world.now
        yield* here.write(900)
        assert.strictEqual(world.now, from)
        yield* here.write(900)
        assert.isAtLeast(world.now, from + 500)
      }))
  })

  it("is read as slowly as its reader reads, and at once when that is over", () => {
    connected(1, () => {}, (here, there, { net }) =>
      Effect.gen(function*() {
        const world = World.current()
        net.slow.set("server", 100)
        const from = world.now
        yield* here.write(1000)
        yield* Effect.sleep(5000)
        const early = yield* Queue.clear(there.received)
        const bytes = early.reduce((sum, one) => sum + (typeof one === "string" ? 0 : one.bytes), 0)
        assert.isTrue(bytes > 350 && bytes < 550, `${bytes} bytes in ${world.now - from} ms`)
        net.slow.clear()
        net.changed()
        yield* Effect.sleep(100)
        const late = yield* Queue.clear(there.received)
        assert.strictEqual(bytes + late.reduce((sum, one) => sum + (typeof one === "string" ? 0 : one.bytes), 0), 1000)
      }))
  })

  it("across a hole is silent for ever, or goes on when the hole is gone, but never skips a byte", () => {
    const outcomes = Array.from({ length: 20 }, (_, seed) =>
      connected(seed, (net) => void (net.retransmit = 0.5), (here, there, { net }) =>
        Effect.gen(function*() {
          yield* here.write(1)
          yield* Effect.sleep(10)
          net.blocked.add("client->server")
          yield* here.write(2)
          yield* Effect.sleep(100)
          net.blocked.clear()
          net.changed()
          yield* here.write(3)
          yield* Effect.sleep(1000)
          return (yield* Queue.clear(there.received)).map((one) => typeof one === "string" ? one : one.bytes).join()
        })))
    assert.deepStrictEqual(new Set(outcomes), new Set(["1", "1,2,3"]))
  })

  it("of a process that exits ends after all that was written; of one that was killed it may be reset", () => {
    const ends = (kill: boolean) =>
      new Set(Array.from({ length: 20 }, (_, seed) =>
        connected(seed, () => {}, (here, there, { client }) =>
          Effect.gen(function*() {
            yield* here.write(5)
            if (kill) client.crash()
            else client.end({ code: 0, signal: null })
            yield* Effect.sleep(100)
            return (yield* Queue.clear(there.received)).map((one) => typeof one === "string" ? one : one.bytes).join()
          }))))
    assert.deepStrictEqual(ends(false), new Set(["5,SocketCloseError"]))
    assert.deepStrictEqual(ends(true), new Set(["5,SocketCloseError", "SocketReadError"]))
  })

  it("of which one end is killed behind a hole stays half open", () => {
    connected(1, () => {}, (_here, there, { client, net }) =>
      Effect.gen(function*() {
        net.blocked.add("client->server")
        client.crash()
        yield* Effect.sleep(60_000)
        assert.deepStrictEqual(yield* Queue.clear(there.received), [])
      }))
  })
})

it("nobody listens twice at one address, and the address of a killed process is free at once", () => {
  const { exit } = World.run({ seed: 1 }, Effect.gen(function*() {
    const world = World.current()
    const net = new SimNet()
    const [one, other] = [world.begin("one"), world.begin("other")]
    const listening = Effect.scoped(Effect.andThen(net.listen("here"), Effect.never))
    one.run(listening)
    yield* Effect.sleep(1)
    const refused = yield* other.run(listening).exit
    assert.include(Exit.isFailure(refused) ? String((Cause.squash(refused.cause) as { readonly reason: { readonly cause: unknown } }).reason.cause) : "", "EADDRINUSE")
    one.crash()
    const next = other.run(listening)
    yield* Effect.sleep(10)
    assert.isUndefined(next.poll())
    assert.deepStrictEqual(net.openEnds(other), ["listening at here"])
  }))
  assert.deepStrictEqual(exit, Exit.void)
})
