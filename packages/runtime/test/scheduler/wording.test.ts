/**
 * What a scheduler says of failures: it must not fail of them itself.
 */
import { assert, describe, it } from "@effect/vitest"
import { encodeRaised, type Raised } from "@skein/protocol/Raised"
import { words } from "@skein/runtime/scheduler/wording"

const by = { worker: "worker-1", attempt: 1, startedAtMs: 0, endedAtMs: 1 }
const told = (raised: Raised) => words({ _tag: "Raised", body: encodeRaised(raised, by) }, { key: "f-1", task: "f" })

describe("a failure in words", () => {
  it("is one line, whatever a body threw or failed with", () => {
    assert.strictEqual(told({ _tag: "Defect", defect: new RangeError("far\nand wide") }), "threw on worker-1: RangeError: far")
    assert.strictEqual(told({ _tag: "Defect", defect: { toString: 1 } }), "threw on worker-1: {\"toString\":1}")
    assert.strictEqual(told({ _tag: "Error", error: { _tag: "NoMoney", amount: 10n } }), "failed with NoMoney")
    assert.strictEqual(told({ _tag: "Error", error: { amount: 10n } }), "failed with {\"amount\":\"10n\"}")
    assert.strictEqual(told({ _tag: "Error", error: "x".repeat(1_000) }), `failed with ${"x".repeat(488)}…`)
  })
})
