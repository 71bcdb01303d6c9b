import { assert, describe, it } from "@effect/vitest"
import * as NetSocket from "@skein/transport/node/NetSocket"
import * as Prompt from "@skein/transport/Prompt"
import * as PromptSocket from "@skein/transport/PromptSocket"
import { Deferred, Effect, Exit, Fiber, Scope } from "effect"
import { Socket } from "effect/socket"
import { directory } from "../utils/networks.ts"

/** Both ends of one connection over a unix socket; `accepted` closes its end when its scope is closed. */
const ends = Effect.gen(function*() {
  const path = `${yield* directory}/s`
  const server = yield* NetSocket.listen({ path })
  const accepted = yield* Deferred.make<Socket.Socket>()
  yield* Effect.forkScoped(server.run((socket) => Effect.andThen(Deferred.succeed(accepted, socket), Effect.never)))
  const socket = NetSocket.connect({ path })
  const reader = yield* socket.reader
  const writer = yield* socket.writer
  const there = yield* Deferred.await(accepted)
  return { path, reader, writer, there }
})
/** Reads until so many bytes have come. */
const bytes = Effect.fnUntraced(function*({ pull }: Socket.Reader, count: number) {
  const chunks: Array<Uint8Array> = []
  for (let length = 0; length < count;) {
    for (const chunk of yield* pull) {
      chunks.push(chunk as Uint8Array) // of Node's, all are
      length += chunk.length
    }
  }
  return Buffer.concat(chunks)
})
const reasonOf = (error: Socket.SocketError) => error.reason._tag === "SocketCloseError" ? error.reason.code : error.reason._tag

describe("a socket of Node", () => {
  it.live("keeps what comes before anybody reads, and hands it over in order", () =>
    Effect.gen(function*() {
      const { there, writer } = yield* ends
      for (let n = 0; n < 100; n++) yield* writer.write(Uint8Array.of(n))
      assert.deepStrictEqual([...yield* bytes(yield* there.reader, 100)], Array.from({ length: 100 }, (_, n) => n))
    }).pipe(Effect.scoped))

  it.live("brings plain bytes: the `slice` of a `Buffer` would be no copy", () =>
    Effect.gen(function*() {
      const { reader, there } = yield* ends
      yield* there.reader
      yield* Effect.flatMap(there.writer, ({ write }) => write(Uint8Array.of(1, 2, 3)))
      const [chunk] = yield* reader.pull
      assert.strictEqual(Object.getPrototypeOf(chunk), Uint8Array.prototype)
    }).pipe(Effect.scoped))

  it.live("hands over by calls, all that comes and in order, and while something is left to wait for it hands over nothing", () =>
    Effect.gen(function*() {
      const { there, writer } = yield* ends
      const reader = yield* there.reader
      assert.isTrue("whileDone" in reader)
      const got: Array<number> = []
      const gate = yield* Deferred.make<void>()
      const seen = yield* Deferred.make<void>()
      const whole = yield* Deferred.make<void>()
      const reading = yield* Effect.forkScoped(PromptSocket.each(reader, Effect.never, (chunks) => {
        const isFirst = got.length === 0
        for (const chunk of chunks) got.push(...chunk)
        if (got.length === 200) Deferred.doneUnsafe(whole, Exit.void)
        return isFirst ? Effect.andThen(Deferred.succeed(seen, undefined), Deferred.await(gate)) : Prompt.done
      }))
      yield* writer.write(Uint8Array.of(0))
      yield* Deferred.await(seen)
      for (let n = 1; n < 200; n++) yield* writer.write(Uint8Array.of(n))
      assert.deepStrictEqual(got, [0])
      yield* Deferred.succeed(gate, undefined)
      yield* Deferred.await(whole)
      assert.deepStrictEqual(got, Array.from({ length: 200 }, (_, n) => n))
      yield* Effect.flatMap(there.writer, ({ write }) => write(new Socket.CloseEvent(1000)))
      const end = yield* Effect.flip(Fiber.join(reading))
      assert.isTrue(Socket.isSocketError(end))
    }).pipe(Effect.scoped))

  it.live("takes what is written within the call, until its buffer is full", () =>
    Effect.gen(function*() {
      const { there, writer } = yield* ends
      const reader = yield* there.reader
      assert.isTrue(Prompt.isDone(PromptSocket.writeNow(writer, [Uint8Array.of(1)])))
      const left = PromptSocket.writeNow(writer, [new Uint8Array(1024 * 1024)])
      assert.isFalse(Prompt.isDone(left))
      const waiting = yield* Effect.forkScoped(left, { startImmediately: true })
      assert.isUndefined(waiting.pollUnsafe())
      yield* bytes(reader, 1024 * 1024 + 1)
      yield* Fiber.join(waiting)
    }).pipe(Effect.scoped))

  it.live("makes a writer wait while nobody reads, and loses nothing", () =>
    Effect.gen(function*() {
      const { there, writer } = yield* ends
      const size = 4 * 1024 * 1024
      const writing = yield* Effect.forkChild(writer.writeAll([new Uint8Array(size).fill(1), new Uint8Array(size).fill(2)]))
      const reader = yield* there.reader
      const first = yield* reader.pull
      assert.isUndefined(writing.pollUnsafe())
      const rest = yield* bytes(reader, 2 * size - first.reduce((sum, chunk) => sum + chunk.length, 0))
      assert.strictEqual(rest.at(-1), 2)
      yield* Fiber.join(writing)
    }).pipe(Effect.scoped))

  it.live("that one end closes delivers what was written before, and then fails", () =>
    Effect.gen(function*() {
      const { reader, there } = yield* ends
      const own = yield* Scope.make()
      yield* Scope.provide(there.reader, own)
      yield* Effect.flatMap(Scope.provide(there.writer, own), ({ write }) => write(Uint8Array.of(1, 2, 3)))
      yield* Scope.close(own, Exit.void)
      assert.strictEqual((yield* bytes(reader, 3)).length, 3)
      assert.strictEqual(reasonOf(yield* Effect.flip(reader.pull)), 1000)
    }).pipe(Effect.scoped))

  it.live("that is cut fails whoever reads and whoever writes", () =>
    Effect.gen(function*() {
      const { reader, there, writer } = yield* ends
      const own = yield* Scope.make()
      const other = yield* Scope.provide(there.reader, own)
      const reading = yield* Effect.forkChild(other.pull)
      const writing = yield* Effect.forkChild(writer.write(new Uint8Array(8 * 1024 * 1024)))
      yield* Effect.flatMap(there.writer, ({ write }) => write(new Socket.CloseEvent(1000)))
      assert.isTrue(Exit.isFailure(yield* Effect.exit(Effect.forever(reader.pull))))
      assert.isTrue(Exit.isFailure(yield* Fiber.await(writing)))
      // It may have read something of what was written.
      const exit = yield* Fiber.await(reading)
      if (Exit.isSuccess(exit)) assert.isTrue(Exit.isFailure(yield* Effect.exit(Effect.forever(other.pull))))
    }).pipe(Effect.scoped))

  it.live("that nobody listens for says so, and the next attempt is a new one", () =>
    Effect.gen(function*() {
      const path = `${yield* directory}/s`
      const socket = NetSocket.connect({ path })
      assert.strictEqual(reasonOf(yield* Effect.flip(Effect.scoped(socket.reader))), "SocketOpenError")
      const server = yield* NetSocket.listen({ path })
      yield* Effect.forkScoped(server.run((accepted) => Effect.scoped(Effect.flatMap(accepted.writer, ({ write }) =>
        Effect.andThen(accepted.reader, Effect.andThen(write(Uint8Array.of(9)), Effect.never))))))
      assert.deepStrictEqual([...yield* bytes(yield* socket.reader, 1)], [9])
    }).pipe(Effect.scoped))
})

it.live("a server that stops closes the connections it handles, and those that wait", () =>
  Effect.gen(function*() {
    const path = `${yield* directory}/s`
    const own = yield* Scope.make()
    const server = yield* Scope.provide(NetSocket.listen({ path }), own)
    const waiting = yield* NetSocket.connect({ path }).reader
    const handled = yield* Deferred.make<void>()
    const running = yield* Effect.forkChild(server.run((socket) =>
      Effect.scoped(Effect.andThen(socket.reader, Effect.andThen(Deferred.succeed(handled, undefined), Effect.never)))))
    yield* Deferred.await(handled)
    yield* Fiber.interrupt(running)
    assert.isTrue(Exit.isFailure(yield* Effect.exit(waiting.pull)))
    const late = yield* NetSocket.connect({ path }).reader // nobody handles it any more
    yield* Scope.close(own, Exit.void)
    assert.isTrue(Exit.isFailure(yield* Effect.exit(late.pull)))
  }).pipe(Effect.scoped))
