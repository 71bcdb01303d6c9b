import { assert, describe, it } from "@effect/vitest"
import { deepFreeze } from "./deepFreeze.ts"

describe("deepFreeze", () => {
  it("freezes objects, arrays and instances at any depth", () => {
    class Point {
      readonly at = { x: 1 }
    }
    const hidden = Symbol("hidden")
    const state = deepFreeze({ list: [{ point: new Point() }], [hidden]: { x: 1 } })
    assert.isTrue(Object.isFrozen(state[hidden]))
    assert.throws(() => Object.assign(state.list[0]!.point.at, { x: 2 }), TypeError)
    assert.throws(() => (state.list as Array<unknown>).push(1), TypeError)
  })

  it("freezes what is new below a new top and goes through what others froze", () => {
    const old = deepFreeze({ inner: { n: 1 } })
    const shallow = Object.freeze({ inner: { n: 1 } })
    const state = deepFreeze({ old, shallow, fresh: { n: 1 } })
    assert.isTrue(Object.isFrozen(state.fresh))
    assert.isTrue(Object.isFrozen(state.shallow.inner))
  })

  it("survives cycles, long chains and typed arrays", () => {
    interface Link {
      next: Link | undefined
      readonly bytes: Uint8Array
    }
    let chain: Link | undefined
    const ring: { self?: unknown } = {}
    ring.self = ring
    for (let at = 0; at < 100_000; at++) {
      chain = { next: chain, bytes: new Uint8Array(1) }
    }
    deepFreeze([chain, ring])
    assert.isTrue(Object.isFrozen(chain?.next?.next))
    assert.isTrue(Object.isFrozen(ring))
  })

  it("refuses native collections, which stay changeable when frozen", () => {
    assert.throws(() => deepFreeze({ tasks: new Map() }), /Map cannot be frozen/)
    assert.throws(() => deepFreeze({ workers: new Set() }), /Set cannot be frozen/)
  })
})
