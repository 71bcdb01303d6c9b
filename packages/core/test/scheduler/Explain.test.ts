/**
 * One true sentence for whatever a task may be doing.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Explain from "@skein/core/scheduler/Explain"
import type { ClientId, CodeId, WorkerId } from "@skein/protocol/Ids"
import type { Failure } from "@skein/protocol/Failure"
import type { Config } from "@skein/core/scheduler/State"
import { Teller } from "../utils/StoryScheduler.ts"

const words = (failure: Failure): string => failure._tag === "Raised" ? "threw: boom" : failure._tag === "Killed" ? "ended its workers 4 times" : failure._tag
const begun = (config: Partial<Config> = {}) => new Teller("t", config).joins("ann")
/** What is said of a task `ms` after the last event. */
const said = (teller: Teller, task: string, ms = 0) => Explain.explain(teller.state, teller.task(task), { at: teller.at + ms, names: teller.names, words })
const chain = (length: number) => Array.from({ length }, (_, n) => ({ name: `t${n}`, ...(n === 0 ? {} : { needs: [`t${n - 1}`] }) }))

describe("a task is explained", () => {
  it("that nobody knows", () => {
    assert.strictEqual(said(begun(), "x"), "\"x\" is not known: nobody has submitted it, or all who had have released it.")
  })

  it("that is part of a graph which has not come whole", () => {
    assert.strictEqual(said(begun().wants("ann", [{ name: "x" }], false), "x"), "\"x\" waits for the rest of its graph, which \"ann\" has not submitted yet.")
  })

  it("that is kept as a recipe", () => {
    const teller = begun().worker("a").wants("ann", chain(2)).releases("ann", "t0").finished("a", "t0").finished("a", "t1")
    assert.strictEqual(said(teller, "t0"), "\"t0\" is not computed, because nobody wants it: it is known only for \"t1\", which would need it again.")
  })

  it("that waits for its inputs", () => {
    const inputs = ["a", "b", "c", "d", "e", "f"].map((name) => ({ name }))
    const teller = begun({ prefetchTasks: 1 }).worker("w").wants("ann", [...inputs, { name: "sum", needs: inputs.map(({ name }) => name) }]).finished("w", "a")
    assert.strictEqual(
      said(teller, "sum", 3_400),
      "\"sum\" waits for 5 of its 6 inputs: \"b\" (with w for 3.4 s), \"c\" (with w for 3.4 s), \"d\" (queued) and 2 others."
    )
    assert.strictEqual(said(begun().worker("w").wants("ann", chain(2)), "t1", 5), "\"t1\" waits for 1 of its 1 input: \"t0\" (with w for 5 ms).")
  })

  it("that may be tried again only later", () => {
    const teller = begun().worker("a").wants("ann", [{ name: "x", retries: 3, rules: { timeoutMs: Infinity, delayMs: 5_000, factor: 2, maxDelayMs: Infinity } }]).failed("a", "x")
    assert.strictEqual(said(teller, "x", 1_500), "\"x\" waits after a failed attempt: attempt 2 may begin in 3.5 s.")
  })

  it("that no worker may run", () => {
    const teller = begun().wants("ann", [{ name: "x" }])
    assert.strictEqual(said(teller, "x", 90_000), "\"x\" has waited 1 min for a worker that offers a thread; none is connected.")
    assert.strictEqual(said(teller.worker("a", 0), "x", 2_000), "\"x\" has waited 2.0 s for a worker that offers a thread; there is a { }.")
  })

  it("that demands what no worker offers, or what others occupy", () => {
    const wanting = (teller: Teller, ...names: ReadonlyArray<string>) =>
      teller.tell({
        _tag: "TasksSubmitted",
        at: teller.at,
        client: 0 as ClientId,
        last: true,
        tasks: names.map((name) => ({
          id: teller.task(name), code: 0 as CodeId, args: new Uint8Array(), dependencies: [], priority: 0, retries: 0, isolation: "thread" as const,
          terms: { resources: { GPU: 1 }, workers: [], allowOtherWorkers: false, span: "", annotations: new Uint8Array() }
        }))
      })
    assert.strictEqual(said(wanting(begun().worker("a"), "x"), "x", 400), "\"x\" has waited 400 ms for a worker that offers { GPU: 1 }; there is a { }.")
    const gpu = begun().tell({ _tag: "WorkerJoined", at: 0, worker: 0 as WorkerId, name: "gpu", nthreads: 4, nfibers: 1, resources: { GPU: 1 }, holds: [] })
    assert.strictEqual(
      said(wanting(gpu, "x", "y", "z"), "z", 2_000),
      "\"z\" is queued behind \"y\": all who may run it are busy, or others occupy { GPU: 1 } there; there is gpu { GPU: 0 of 1 free — held by x since 2 s }."
    )
  })

  it("that is queued", () => {
    const teller = begun({ prefetchTasks: 1 }).worker("a").worker("b").wants("ann", Array.from({ length: 10 }, (_, n) => ({ name: `x${n}` })))
    assert.strictEqual(said(teller, "x4"), "\"x4\" is the next to be given to a worker: all 2 threads of 2 workers have enough to do.")
    assert.strictEqual(said(teller, "x6"), "\"x6\" is queued behind \"x4\" and \"x5\": all 2 threads of 2 workers have enough to do.")
    assert.strictEqual(said(teller, "x9"), "\"x9\" is queued behind \"x4\", \"x5\", \"x6\" and 2 others: all 2 threads of 2 workers have enough to do.")
  })

  it("that is processing, certainly or soon", () => {
    const teller = begun({ prefetchTasks: 1 }).worker("a").wants("ann", [{ name: "x", retries: 1 }])
    assert.strictEqual(said(teller, "x", 1_234), "\"x\" has been running on a for 1.2 s.")
    teller.failed("a", "x")
    assert.strictEqual(said(teller, "x", 7_200_000), "\"x\" has been running on a for 2 h, attempt 2.")
    teller.wants("ann", [{ name: "y" }])
    assert.strictEqual(said(teller, "y", 10), "\"y\" was given to a 10 ms ago, where it shares 1 thread with 1 other, and runs or is soon to run.")
    teller.reports("TasksSeceded", "a", [teller.runOf("x")])
    assert.strictEqual(said(teller, "x", 10), "\"x\" has been running on a for 10 ms, attempt 2, and has given back its slot.")
  })

  it("that is processing beside a suspect, or is one", () => {
    const suspicious = begun({ prefetchTasks: 1 }).worker("a").wants("ann", [{ name: "x" }]).dies("a").worker("b", 2)
    assert.strictEqual(said(suspicious, "x", 10), "\"x\" has been running on b for 10 ms, attempt 2.")
    suspicious.wants("ann", [{ name: "y" }])
    assert.strictEqual(
      said(suspicious, "y", 10),
      "\"y\" was given to b 10 ms ago, where it may be waiting for \"x\" to end, beside which nothing starts, because it may have ended a worker."
    )
    assert.strictEqual(
      said(suspicious, "x", 10),
      "\"x\" was given to b 10 ms ago, attempt 2, where it is to run alone, because it may have ended a worker, and may be waiting for \"y\" to end."
    )
  })

  it("that is in memory", () => {
    const teller = begun().worker("a").worker("b").wants("ann", [{ name: "x" }]).finished("a", "x")
    assert.strictEqual(said(teller, "x"), "\"x\" is done: its result of 8 bytes is in memory on a.")
    teller.reports("ReplicasAdded", "b", [{ ...teller.runOf("x"), nbytes: 8 }])
    assert.strictEqual(said(teller, "x"), "\"x\" is done: its result of 8 bytes is in memory on a and b.")
  })

  it("that failed, itself or through a chain", () => {
    const teller = begun().worker("a").wants("ann", chain(3)).failed("a", "t0", false)
    assert.strictEqual(said(teller, "t0"), "\"t0\" threw: boom.")
    assert.strictEqual(said(teller, "t1"), "\"t1\" failed because \"t0\" threw: boom.")
    assert.strictEqual(said(teller, "t2"), "\"t2\" failed because \"t1\" did, because \"t0\" threw: boom.")
    const long = begun().worker("a").wants("ann", chain(9)).failed("a", "t0", false)
    assert.strictEqual(said(long, "t8"), "\"t8\" failed because … (6 between) … \"t1\" did, because \"t0\" threw: boom.")
  })

  it("that ended its workers", () => {
    const teller = begun().worker("a").wants("ann", [{ name: "x" }]).killed("a", "x").killed("a", "x").killed("a", "x").killed("a", "x")
    assert.strictEqual(said(teller, "x"), "\"x\" ended its workers 4 times.")
  })

  it("that was cancelled", () => {
    const teller = begun().worker("a").wants("ann", chain(2)).cancels("ann", ["t0"], false, "not needed any more")
    assert.strictEqual(said(teller, "t0"), "\"t0\" was cancelled by \"ann\", who said: not needed any more.")
    assert.strictEqual(said(teller, "t1"), "\"t1\" failed because \"t0\" was cancelled by \"ann\", who said: not needed any more.")
  })
})
