import { assert, describe, it } from "@effect/vitest"
import * as Hashing from "@skein/transport/node/Hashing"
import { Effect } from "effect"
import { networks } from "./utils/networks.ts"
import { collecting, frame, pair } from "./utils/sessions.ts"

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

