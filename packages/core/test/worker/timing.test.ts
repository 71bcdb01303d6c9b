/** Bodies that have run for as long as they may. */
import { assert, describe, it } from "@effect/vitest"
import type { Event } from "@skein/core/worker/Event"
import { assignment, begun, cancel, compute, failed, type Named, rejoined, Script, seceded, started, stopped, succeeded, ticked } from "./script.ts"

const x: Named = [1, 0]
const limited = assignment(x, { timeoutMs: 50 })
const at = (at: number, event: Event): Event => ({ ...event, at })

/** A worker that has been given x, with a limit of 50 ms. */
const given = (): Script => {
  const script = new Script()
  script.tell(started())
  assert.deepStrictEqual(script.commands(compute(limited)).map((command) => command._tag === "Execute" && command.timed), [true])
  return script
}

describe("a task with a limit of time", () => {
  it("is timed from when its body is called, and reported before it is stopped", () => {
    const script = given()
    assert.deepStrictEqual(script.tell(ticked(1_000)), [])
    assert.deepStrictEqual(script.tell(at(1_000, begun(x))), ["wake at 1050 ms"])
    assert.deepStrictEqual(script.tell(ticked(1_049)), ["wake at 1050 ms"])
    assert.deepStrictEqual(script.tell(ticked(1_053)), ["report t1/0 timed out after 53 ms", "interrupt t1/0", "wake at 2153 ms"])
    assert.deepStrictEqual(script.tell(at(1_060, stopped(x))), ["report t1/0 stopped"])
  })

  it("keeps its slot until it has stopped, and its process goes if nothing less stops it", () => {
    const script = given()
    script.tell(at(0, begun(x)))
    script.tell(ticked(50))
    assert.deepStrictEqual(script.tell(at(51, compute(assignment([2, 1])))), [])
    assert.deepStrictEqual(script.tell(ticked(1_150)), ["end this process: run 0 was interrupted 1100 ms ago and still runs"])
    assert.deepStrictEqual(script.tell(at(1_151, stopped(x))), ["report t1/0 stopped", "execute t2/1 in a fiber"])
  })

  it("is asked to stop by the scheduler too, which is answered once", () => {
    const script = given()
    script.tell(at(0, begun(x)))
    script.tell(ticked(50))
    assert.deepStrictEqual(script.tell(at(51, cancel(x))), [])
    assert.deepStrictEqual(script.tell(at(52, stopped(x))), ["report t1/0 stopped"])
  })

  it("runs on without a slot at the cost of its time", () => {
    const script = given()
    script.tell(at(0, begun(x)))
    script.tell(at(10, seceded(x)))
    script.tell(at(20, rejoined(x)))
    assert.include(script.tell(ticked(50)), "report t1/0 timed out after 50 ms")
  })

  it("that ends in time is watched no more", () => {
    for (const end of [succeeded(x), failed(x)]) {
      const script = given()
      script.tell(at(0, begun(x)))
      script.tell(at(49, end))
      assert.deepStrictEqual(script.tell(ticked(50)), [])
    }
  })

  it("does not have its time run from the beginning of what was cancelled before it", () => {
    const script = given()
    script.tell(at(0, begun(x)))
    script.tell(at(10, cancel(x)))
    script.tell(at(20, compute(assignment([1, 1], { timeoutMs: 50 }))))
    script.tell(at(30, stopped(x)))
    assert.isFalse(script.tell(ticked(70)).some((line) => line.includes("timed out")))
    script.tell(at(70, begun([1, 1])))
    assert.include(script.tell(ticked(120)), "report t1/1 timed out after 50 ms")
  })
})

describe("a task without", () => {
  it("is not timed, though somebody says that it has begun", () => {
    const script = new Script()
    script.tell(started())
    assert.deepStrictEqual(script.commands(compute(assignment(x))).map((command) => "timed" in command), [false])
    assert.deepStrictEqual(script.tell(at(0, begun(x))), [])
  })
})
