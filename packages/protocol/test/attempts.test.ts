/** What a task may say about its attempts, and how it travels. */
import { assert, describe, it } from "@effect/vitest"
import { type Attempt, KilledWorker, TaskError, TaskTimeout } from "@skein/protocol/Failure"
import { checkSubmit, type SubmitOptions } from "@skein/protocol/TaskOptions"
import { Duration, Option, Result } from "effect"

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

describe("what became of the attempts is told as a table", () => {
  const attempt = (worker: string, ms: number, more: Partial<Attempt>): Attempt => ({
    worker, startedAtMs: 1_000, endedAtMs: 1_000 + ms, ended: "exit", detail: "exit code 3", peakMemoryBytes: Option.none(), logTail: [], ...more
  })
  const overLimit = (worker: string, ms: number): Attempt =>
    attempt(worker, ms, {
      ended: "memory-limit",
      detail: "exceeded 95 % of its memory limit, nanny stop",
      peakMemoryBytes: Option.some(3.8 * 2 ** 30),
      memoryLimitBytes: 4 * 2 ** 30,
      logTail: ["parse: begins", "parse: row 1 000 000", "parse: row 1 100 000", "parse: row 1 204 118"]
    })
  const message = (reason: KilledWorker | TaskTimeout) => TaskError.because(reason, { key: "parse-1d9e", task: "parse" }).message

  it("of a task that ends its workers", () => {
    assert.strictEqual(
      message(new KilledWorker({
        attempts: [
          attempt("worker-0", 8_200, { ended: "signal", detail: "signal SIGKILL", peakMemoryBytes: Option.some(3.9 * 2 ** 30), memoryLimitBytes: 4 * 2 ** 30 }),
          overLimit("worker-2", 7_900),
          attempt("worker-12", 42, { ended: "heartbeat", detail: "silent for 5000 ms" }),
          overLimit("worker-0", 8_100)
        ]
      })),
      "SKEIN3002 parse-1d9e was stopped after 4 attempts, each ended its worker (allowedFailures: 3)\n" +
        "  #  worker     ran    ended                                          peak memory\n" +
        "  1  worker-0   8.2 s  signal SIGKILL                                 3.9 GiB of 4.0 GiB\n" +
        "  2  worker-2   7.9 s  exceeded 95 % of its memory limit, nanny stop  3.8 GiB of 4.0 GiB\n" +
        "  3  worker-12  42 ms  silent for 5000 ms\n" +
        "  4  worker-0   8.1 s  exceeded 95 % of its memory limit, nanny stop  3.8 GiB of 4.0 GiB\n" +
        "  last lines of worker-0:\n" +
        "    parse: row 1 000 000\n" +
        "    parse: row 1 100 000\n" +
        "    parse: row 1 204 118\n" +
        "  fix 1  smaller pieces of work, or more memory for each worker: `memoryLimit`\n" +
        "  fix 2  a body that does not end its process"
    )
  })

  it("of a task that takes too long", () => {
    assert.strictEqual(
      message(new TaskTimeout({
        limit: Duration.seconds(30),
        attempts: [attempt("worker-0", 30_004, { ended: "timeout", detail: "ran longer than its limit of 30000 ms" }), attempt("worker-1", 600_000, { ended: "failed", detail: "" })]
      })),
      "SKEIN3005 parse-1d9e ran longer than its limit of 30s\n" +
        "  #  worker    ran     ended\n" +
        "  1  worker-0  30.0 s  ran longer than its limit of 30000 ms\n" +
        "  2  worker-1  10 min  failed\n" +
        "  fix  a longer `timeout`, or smaller pieces of work"
    )
  })
})
