import { assert, describe, it } from "@effect/vitest"
import * as Hashing from "@skein/transport/node/Hashing"
import * as Memory from "@skein/transport/Memory"
import * as Tcp from "@skein/transport/node/Tcp"
import * as Unix from "@skein/transport/node/Unix"
import { Effect } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { collecting, frame, pair } from "./utils/sessions.ts"

const directory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(`${tmpdir()}/skein-`)),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** Every kind of connection there is. */
const networks = {
  memory: Effect.gen(function*() {
    const network = Memory.makeNetwork()
    return { server: yield* network.listen("scheduler"), socket: network.connect("scheduler") }
  }),
  unix: Effect.gen(function*() {
    const path = `${yield* directory}/s`
    return { server: yield* Unix.listen(path), socket: yield* Unix.connect(path) }
  }),
  tcp: Effect.gen(function*() {
    const server = yield* Tcp.listen()
    const address = Tcp.addressOf(server)
    return { server, socket: yield* Tcp.connect(address as { host: string; port: number }) }
  })
}

describe.each(Object.entries(networks))("over %s", (_, network) => {
  it.live("frames of all sizes arrive once and in order, both ways at once", () =>
    Effect.gen(function*() {
      const { here, there } = yield* pair(yield* network)
      const sizes = [4, 5, 100, 16_383, 16_384, 70_000, 4, 2_000_000, 4, 4]
      const up = yield* collecting(there, sizes.length)
      const down = yield* collecting(here, sizes.length)
      yield* Effect.forEach(sizes, (size, n) => Effect.all([here.send(frame(n, size)), there.send(frame(n, size))]), { discard: true })
      assert.deepStrictEqual(yield* up.all, sizes.map((_, n) => n))
      assert.deepStrictEqual(yield* down.all, sizes.map((_, n) => n))
    }).pipe(Effect.scoped, Effect.provide(Hashing.layer)))

  it.live("closing one end hands over what it had accepted, and then ends the other", () =>
    Effect.gen(function*() {
      const { here, there } = yield* pair(yield* network)
      const up = yield* collecting(there, 1000)
      for (let n = 0; n < 1000; n++) yield* here.send(frame(n, 500))
      yield* here.close
      const why = yield* Effect.flip(there.ended)
      assert.strictEqual(up.arrived.length, 1000)
      assert.strictEqual(why.kind, "closed")
      assert.strictEqual((yield* Effect.flip(here.send(frame(0)))).kind, "closed")
    }).pipe(Effect.scoped, Effect.provide(Hashing.layer)))

  it.live("each side learns who the other is", () =>
    Effect.gen(function*() {
      const { here, there } = yield* pair(yield* network)
      assert.deepInclude(there.peer, { role: "worker", name: "worker-1" })
      assert.strictEqual(there.peer.token, undefined)
      assert.strictEqual(here.peer.role, "scheduler")
    }).pipe(Effect.scoped, Effect.provide(Hashing.layer)))
})

