import { assert, describe, it } from "@effect/vitest"
import { type CurrentTask, current, runAs } from "@skein/protocol/CurrentTask"
import * as NodeCurrentTask from "@skein/runtime/worker/node/NodeCurrentTask"

const task = (key: string): CurrentTask => ({ key, attempt: 1, worker: "w0", signal: new AbortController().signal, progress: () => {} })
const key = () => current()?.key

describe("the current task, on Node", () => {
  NodeCurrentTask.install()

  it("is that of the call, and none after it", () => {
    assert.isUndefined(key())
    assert.strictEqual(runAs(task("a"), key), "a")
    assert.throws(() => runAs(task("b"), () => {
      throw new Error(key())
    }), "b")
    assert.isUndefined(key())
  })

  it("stays that of an async function over its awaits, whatever runs in between", async () => {
    const seen: Array<string | undefined> = []
    const body = async () => {
      for (let n = 0; n < 3; n++) {
        seen.push(key())
        await Promise.resolve()
        runAs(task("between"), key)
      }
      await new Promise((resolve) => setTimeout(resolve, 1))
      return key()
    }
    const both = ["a", "b"].map((name) => runAs(task(name), body))
    assert.isUndefined(key())
    assert.strictEqual(runAs(task("c"), key), "c")
    assert.deepStrictEqual(await Promise.all(both), ["a", "b"])
    assert.deepStrictEqual(seen, ["a", "b", "a", "b", "a", "b"])
    assert.isUndefined(key())
  })

  it("is the inner one's in a call within a call, then the outer one's", () => {
    assert.deepStrictEqual(runAs(task("outer"), () => [key(), runAs(task("inner"), key), key()]), ["outer", "inner", "outer"])
    const inner = runAs(task("outer"), () => {
      const promise = runAs(task("inner"), async () => key())
      assert.strictEqual(key(), "outer")
      return promise
    })
    return inner.then((name) => assert.strictEqual(name, "inner"))
  })
})
