import { assert, describe, it } from "@effect/vitest"
import type { Hashing } from "@skein/transport/Hashing"
import * as Memory from "@skein/transport/Memory"
import { layer as hashing } from "@skein/transport/node/Hashing"
import * as Session from "@skein/transport/Session"
import { Cause, Deferred, Effect, Exit, Fiber, Queue, References, type Scope } from "effect"
import { networks } from "./utils/networks.ts"
import { accepting, authorize, collecting, frame, pair, worker } from "./utils/sessions.ts"

const live = <A, E>(effect: Effect.Effect<A, E, Hashing | Scope.Scope>) =>
  effect.pipe(Effect.scoped, Effect.provide(hashing), Effect.provideService(References.MinimumLogLevel, "None"))

describe.each(Object.entries(networks))("over %s", (_, network) => {
  it.live("frames of all sizes arrive once and in order, both ways at once", () =>
    live(Effect.gen(function*() {
      const { here, there } = yield* pair(yield* network)
      const sizes = [4, 5, 100, 16_383, 16_384, 70_000, 4, 2_000_000, 4, 4]
      const up = yield* collecting(there, sizes.length)
      const down = yield* collecting(here, sizes.length)
      yield* Effect.forEach(sizes, (size, n) => Effect.all([here.send(frame(n, size)), there.send(frame(n, size))]), { discard: true })
      assert.deepStrictEqual(yield* up.all, sizes.map((_, n) => n))
      assert.deepStrictEqual(yield* down.all, sizes.map((_, n) => n))
    })))

  it.live("closing one end hands over what it had accepted, and then ends the other", () =>
    live(Effect.gen(function*() {
      const { here, there } = yield* pair(yield* network)
      const up = yield* collecting(there, 1000)
      for (let n = 0; n < 1000; n++) yield* here.send(frame(n, 500))
      yield* here.close
      const why = yield* Effect.flip(there.ended)
      assert.strictEqual(up.arrived.length, 1000)
      assert.strictEqual(why.kind, "closed")
      assert.strictEqual((yield* Effect.flip(here.send(frame(0)))).kind, "closed")
    })))

  it.live("each side learns who the other is, but not its token", () =>
    live(Effect.gen(function*() {
      const { here, there } = yield* pair(yield* network)
      assert.deepInclude(there.peer, { role: "worker", name: "worker-1" })
      assert.strictEqual(there.peer.token, undefined)
      assert.strictEqual(here.peer.role, "scheduler")
    })))

  it.live("a server that is stopped hands over what its sessions had accepted", () =>
    live(Effect.gen(function*() {
      const { server, socket } = yield* network
      const { serving, sessions } = yield* accepting(server)
      const here = yield* Session.dial({ socket, greeting: worker })
      const down = yield* collecting(here, 500)
      const there = yield* Queue.take(sessions)
      for (let n = 0; n < 500; n++) yield* there.send(frame(n, 300))
      yield* Fiber.interrupt(serving)
      assert.strictEqual(down.arrived.length, 500)
      assert.strictEqual((yield* Effect.flip(here.ended)).kind, "closed")
    })))
})

describe("a session ends", () => {
  const memory = Effect.gen(function*() {
    const network = Memory.makeNetwork()
    return { server: yield* network.listen("s"), socket: network.connect("s") }
  })

  it.live("on both sides when a handler of frames has a defect; the text stays where it happened", () =>
    live(Effect.gen(function*() {
      const { here, there } = yield* pair(yield* memory)
      yield* Effect.forkScoped(there.run(() => Effect.die(new Error("secret"))))
      yield* here.send(frame(0))
      const local = yield* Effect.flip(there.ended)
      assert.strictEqual(local.kind, "defect")
      assert.isTrue(Cause.hasDies(local.cause))
      const remote = yield* Effect.flip(here.ended)
      assert.strictEqual(remote.kind, "defect")
      assert.notInclude(remote.message, "secret")
    })))

  it.live("by its first cause, whatever comes later", () =>
    live(Effect.gen(function*() {
      const { here } = yield* pair(yield* memory)
      yield* here.end(Cause.fail("first"))
      yield* here.end(Cause.die("second"))
      yield* here.close
      const why = yield* Effect.flip(here.ended)
      assert.strictEqual(why.kind, "failed")
      assert.include(why.reason, "first")
    })))

  it.live("when what the server does for it fails, and others go on", () =>
    live(Effect.gen(function*() {
      const { server, socket } = yield* memory
      const second = yield* Deferred.make<Session.Session>()
      let sessions = 0
      yield* Effect.forkScoped(Session.serve(server, {
        authorize,
        onSession: (session) =>
          Effect.suspend((): Effect.Effect<unknown, string> =>
            sessions++ === 0 ? Effect.fail("out of luck") : Effect.andThen(Deferred.succeed(second, session), Effect.never))
      }))
      const first = yield* Session.dial({ socket, greeting: worker })
      assert.strictEqual((yield* Effect.flip(first.ended)).kind, "failed")
      const here = yield* Session.dial({ socket, greeting: worker })
      const up = yield* collecting(yield* Deferred.await(second), 1)
      yield* here.send(frame(3))
      assert.deepStrictEqual(yield* up.all, [3])
    })))

  it.live("with the scope it was dialled in", () =>
    live(Effect.gen(function*() {
      const { server, socket } = yield* memory
      const { sessions } = yield* accepting(server)
      yield* Effect.scoped(Session.dial({ socket, greeting: worker }))
      assert.strictEqual((yield* Effect.flip((yield* Queue.take(sessions)).ended)).kind, "closed")
    })))

  it.live("without those who wait to send: they fail", () =>
    live(Effect.gen(function*() {
      const { here } = yield* pair(yield* memory, { window: 100 })
      yield* here.send(frame(0, 90))
      const waiting = yield* Effect.forkChild(here.send(frame(1, 90)))
      yield* Effect.yieldNow
      yield* here.end(Cause.interrupt())
      assert.isTrue(Exit.isFailure(yield* Fiber.await(waiting)))
    })))
})

it.live("a connection in memory makes a writer wait while the reader is 64 KiB behind", () =>
  live(Effect.gen(function*() {
    const network = Memory.makeNetwork()
    const server = yield* network.listen("s")
    const read = yield* Deferred.make<void>()
    const received = yield* Deferred.make<number>()
    yield* Effect.forkScoped(server.run((socket) =>
      Effect.scoped(Effect.gen(function*() {
        const { pull } = yield* socket.reader
        yield* Deferred.await(read)
        let bytes = 0
        while (bytes < 100_000) for (const chunk of yield* pull) bytes += chunk.length
        yield* Deferred.succeed(received, bytes)
      }))
    ))
    const socket = network.connect("s")
    yield* socket.reader
    const { write } = yield* socket.writer
    yield* write(new Uint8Array(60_000))
    const waiting = yield* Effect.forkChild(write(new Uint8Array(40_000)))
    yield* Effect.yieldNow
    assert.isUndefined(waiting.pollUnsafe())
    yield* Deferred.succeed(read, undefined)
    yield* Fiber.join(waiting)
    assert.strictEqual(yield* Deferred.await(received), 100_000)
  })))
