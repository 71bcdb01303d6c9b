/** What a task may say about its attempts, and how it travels. */
import { assert, describe, it } from "@effect/vitest"
import { checkSubmit, type SubmitOptions } from "@skein/protocol/TaskOptions"
import { Duration, Result } from "effect"

const checked = (options: SubmitOptions) => Result.getOrThrow(checkSubmit(options))
/** The message of a refusal. */
const refusal = (options: object): string => {
  const outcome = checkSubmit(options)
  return Result.isFailure(outcome) ? outcome.failure.message : "it was accepted"
}

describe("retries", () => {
  it("are a number, or have a delay that doubles if nothing else is said", () => {
    assert.deepStrictEqual(checked({ retries: 3 }), { retries: 3 })
    assert.deepStrictEqual(checked({ retries: { times: 3 } }), { retries: 3 })
    assert.deepStrictEqual(checked({ retries: { times: 3, delay: 0 } }), { retries: 3 })
    assert.deepStrictEqual(checked({ retries: { times: 3, delay: "1 second" } }), { retries: { times: 3, delayMs: 1_000, factor: 2, maxDelayMs: Infinity } })
    assert.deepStrictEqual(
      checked({ retries: { times: 3, delay: 50, factor: 1.5, maxDelay: Duration.seconds(2) } }),
      { retries: { times: 3, delayMs: 50, factor: 1.5, maxDelayMs: 2_000 } }
    )
  })

  it("that make no sense are refused, with what they may be", () => {
    const said = (expected: string) => `the option \`retries\` is not valid: expected ${expected}\n  fix  change or remove it`
    assert.strictEqual(refusal({ retries: -1 }), said("a whole number from 0 to 1000000, or { times, delay, factor, maxDelay }"))
    assert.strictEqual(refusal({ retries: { delay: 5 } }), said("a whole number from 0 to 1000000, or { times, delay, factor, maxDelay }"))
    assert.strictEqual(refusal({ retries: { times: 1.5 } }), said("`times` to be a whole number from 0 to 1000000"))
    assert.strictEqual(refusal({ retries: { times: 1, dealy: 5 } }), said("{ times, delay, factor, maxDelay }, without dealy"))
    assert.strictEqual(refusal({ retries: { times: 1, factor: 2 } }), said("a `delay` where there is a `factor` or a `maxDelay`"))
    for (const delay of ["soon", -1, Infinity]) {
      assert.strictEqual(refusal({ retries: { times: 1, delay } }), said("`delay` to be a length of time, such as \"5 seconds\""), String(delay))
    }
    for (const factor of [0.5, NaN, Infinity, "2"]) assert.strictEqual(refusal({ retries: { times: 1, delay: 5, factor } }), said("`factor` to be a number from 1"))
    assert.strictEqual(refusal({ retries: { times: 1, delay: 5, maxDelay: "late" } }), said("`maxDelay` to be a length of time, such as \"1 minute\""))
  })
})

describe("a timeout", () => {
  it("is a length of time, and nothing of an endless one", () => {
    assert.deepStrictEqual(checked({ timeout: "2 minutes" }), { timeoutMs: 120_000 })
    assert.deepStrictEqual(checked({ timeout: Duration.infinity }), { timeoutMs: Infinity })
  })

  it("of no time, or of none that can be read, is refused", () => {
    for (const timeout of [0, -5, "soon", null, {}]) {
      assert.strictEqual(refusal({ timeout }), "the option `timeout` is not valid: expected a length of time above zero, such as \"30 seconds\"\n  fix  change or remove it")
    }
  })
})
