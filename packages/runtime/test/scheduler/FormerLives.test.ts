import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Command } from "@skein/core/scheduler/Command"
import { ClientId, RunId } from "@skein/protocol/Ids"
import * as FormerLives from "@skein/runtime/scheduler/FormerLives"
import { makeRefs } from "@skein/runtime/scheduler/KeyTable"
import * as Rig from "./utils/Rig.ts"
import { code, declared, id, ref, task } from "./utils/make.ts"

const me = ClientId.make(0)

/** A scheduler that has computed one task, and the run that did it. */
const computed = Effect.gen(function*() {
  const rig = yield* Rig.start()
  const worker = yield* Rig.registered(rig)
  const client = yield* Rig.client(rig)
  yield* client.rpc.Submit({ graph: { codes: [declared(code("inc"))], tasks: [task(1, "a")], last: true } })
  const { rows: [asked] } = yield* worker.next("Compute")
  yield* worker.rpc.Report({ segments: [{ _tag: "Finished", rows: [{ id: asked!.id, run: asked!.run, nbytes: 8, ms: 1, value: new Uint8Array([1]) }] }] })
  yield* client.next("InMemory")
  return { state: rig.tree.state(), run: asked!.run, worker: worker.worker }
})

describe("news of a key that was let go of and taken again within one batch", () => {
  it.effect("are the last word of the batch, if that is still true", () =>
    Effect.gen(function*() {
      const { run, state, worker } = yield* computed
      const anew = FormerLives.make(state, () => true)
      const failed: Command = { _tag: "ReportErred", client: me, id: id(0), failure: { _tag: "Raised", body: new Uint8Array([1]) }, origin: id(0) }
      const there: Command = { _tag: "ReportInMemory", client: me, id: id(0), run, nbytes: 8, worker }
      for (const command of [failed, there, there]) assert.isTrue(anew.keeps(command))
      assert.deepStrictEqual(anew.stillTrue(), [there])
    }).pipe(Effect.provide(Rig.layer)))

  it.effect("are none if what was said of it is true no more", () =>
    Effect.gen(function*() {
      const { run, state, worker } = yield* computed
      const failed: Command = { _tag: "ReportErred", client: me, id: id(0), failure: { _tag: "Raised", body: new Uint8Array([1]) }, origin: id(0) }
      const former: Command = { _tag: "ReportInMemory", client: me, id: id(0), run: RunId.make(run + 1), nbytes: 8, worker }
      for (const command of [failed, former]) {
        const anew = FormerLives.make(state, () => true)
        assert.isTrue(anew.keeps(command))
        assert.deepStrictEqual(anew.stillTrue(), [])
      }
    }).pipe(Effect.provide(Rig.layer)))

  it.effect("leave alone what others are told", () =>
    Effect.gen(function*() {
      const { run, state, worker } = yield* computed
      const anew = FormerLives.make(state, () => false)
      assert.isFalse(anew.keeps({ _tag: "ReportInMemory", client: me, id: id(0), run, nbytes: 8, worker }))
      assert.isFalse(FormerLives.make(state, () => true).keeps({ _tag: "FreeKey", worker, id: id(0), run }))
    }).pipe(Effect.provide(Rig.layer)))

  it("know a key as held anew from its second taking until the batch has been addressed", () => {
    const refs = makeRefs()
    refs.hold(ref(1), id(0))
    assert.isFalse(refs.isHeldAnew(id(0)))
    refs.release(ref(1))
    refs.hold(ref(2), id(0))
    assert.isTrue(refs.isHeldAnew(id(0)))
    refs.addressed()
    assert.isFalse(refs.isHeldAnew(id(0)))
  })
})
