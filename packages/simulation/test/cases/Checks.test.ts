/**
 * Each check fails when what it looks at is broken: the outcome is broken here, not the product.
 */
import { assert, describe, it } from "@effect/vitest"
import { reduce as reduceScheduler } from "@skein/core/scheduler/Reducer"
import { empty as emptyScheduler, type State as SchedulerState } from "@skein/core/scheduler/State"
import type { Event } from "@skein/core/scheduler/Event"
import { reduce as reduceWorker } from "@skein/core/worker/Reducer"
import { empty as emptyWorker, type State as WorkerState } from "@skein/core/worker/State"
import { AskId, ClientId, CodeId, RunId, TaskId, WorkerId } from "@skein/protocol/Ids"
import type { Case, CaseTask } from "@skein/simulation/Case"
import {
  checkAlone, checkAnswer, checkCancelled, checkChildren, checkExecutions, checkForgotten, checkLeftovers, checkOneGraph, checkReplicas, checkResolved, checkScheduler, checkWorker,
  type WorkerTruth
} from "@skein/simulation/cases/Checks"
import { settled } from "@skein/simulation/cases/Draw"
import type { Answer, Ending, FailureKind } from "@skein/simulation/cases/History"
import { endlessOf, interpret } from "@skein/simulation/cases/Oracle"
import type { Execution } from "@skein/simulation/cases/Work"

const task = (id: number, more: Partial<CaseTask> = {}): CaseTask => ({
  id, dependencies: [], client: 0, durationMs: 1, bytes: 0, retries: 0, priority: 0, body: { _tag: "Succeeds" }, isolation: "fiber", ...more
})

const caseOf = (more: Partial<Case>): Case =>
  settled({
    version: 1, seed: 1, cluster: { workers: 2, slots: 1 }, clients: 1,
    schedule: { strategy: "fifo", preemption: 0, opsBeforeYield: 2_048 }, network: { latency: [1, 1], fragment: 0 },
    tasks: [], operations: [], faults: [], healAt: 0, endBy: 0, ...more
  })

const answer = (task: number, ending: Ending): Answer => ({ at: 0, client: 0, task, handle: 0, asked: "result", ending })
const failed = (origin: number, how: FailureKind): Ending => ({ _tag: "Failed", how, origin })
const crash = { _tag: "WorkerCrash", at: 1, worker: "worker-0" } as const

describe("what a future may end with", () => {
  const diamond = [task(0), task(1, { dependencies: [0] }), task(2, { dependencies: [0] }), task(3, { dependencies: [1, 2] })]

  it("C2: its own value, and neither that of other inputs nor one of another size", () => {
    const oracle = interpret(caseOf({ tasks: diamond }))
    const right = oracle.allowed.get(3)!.value!
    assert.isUndefined(checkAnswer(oracle, answer(3, { _tag: "Value", ...right })))
    const fewer = interpret(caseOf({ tasks: diamond.map((each) => each.id === 3 ? { ...each, dependencies: [1] } : each) })).allowed.get(3)!.value!
    assert.strictEqual(checkAnswer(oracle, answer(3, { _tag: "Value", ...fewer }))?.id, "C2")
    assert.strictEqual(checkAnswer(oracle, answer(3, { _tag: "Value", ...right, bytes: 1 }))?.id, "C2")
    assert.strictEqual(checkAnswer(oracle, answer(3, { _tag: "Value", ...oracle.allowed.get(2)!.value! }))?.id, "C2")
  })

  it("C3: the failure of an ancestor, and neither that of a task it does not need nor one of another kind", () => {
    const oracle = interpret(caseOf({ tasks: [task(0, { body: { _tag: "Fails", times: 1 } }), task(1, { dependencies: [0] }), task(2, { body: { _tag: "Dies" } })] }))
    assert.isUndefined(checkAnswer(oracle, answer(1, failed(0, "Error"))))
    assert.strictEqual(checkAnswer(oracle, answer(1, failed(0, "Defect")))?.id, "C3")
    assert.strictEqual(checkAnswer(oracle, answer(1, failed(2, "Defect")))?.id, "C3")
    assert.strictEqual(checkAnswer(oracle, answer(1, failed(NaN, "Error")))?.id, "C3")
    assert.strictEqual(checkAnswer(oracle, answer(1, { _tag: "Unexpected", detail: "?" }))?.id, "C3")
  })

  it("C3: no failure of a task that fails less often than it is tried", () => {
    const oracle = interpret(caseOf({ tasks: [task(0, { body: { _tag: "Fails", times: 2 }, retries: 2 })] }))
    assert.strictEqual(checkAnswer(oracle, answer(0, failed(0, "Error")))?.id, "C3")
    assert.isUndefined(checkAnswer(oracle, answer(0, { _tag: "Value", ...oracle.allowed.get(0)!.value! })))
  })

  it("C3: cancelled only if somebody cancelled it, or what it needs", () => {
    const tasks = [task(0), task(1, { dependencies: [0] }), task(2)]
    const oracle = interpret(caseOf({ tasks, operations: [{ _tag: "Cancel", at: 1, task: 0, force: false }] }))
    assert.isUndefined(checkAnswer(oracle, answer(1, failed(0, "Cancelled"))))
    assert.strictEqual(checkAnswer(oracle, answer(2, failed(2, "Cancelled")))?.id, "C3")
    assert.strictEqual(checkAnswer(interpret(caseOf({ tasks })), answer(1, failed(0, "Cancelled")))?.id, "C3")
  })

  it("C3: not known only if somebody asked for it by its key", () => {
    const tasks = [task(0), task(1)]
    const oracle = interpret(caseOf({ tasks, operations: [{ _tag: "Adopt", at: 1, task: 0, client: 0 }] }))
    assert.isUndefined(checkAnswer(oracle, answer(0, { _tag: "NotKnown" })))
    assert.strictEqual(checkAnswer(oracle, answer(1, { _tag: "NotKnown" }))?.id, "C3")
  })

  it("C3: killed only after four deaths, and the scheduler lost only if it may be", () => {
    const with_ = (faults: Case["faults"]) => interpret(caseOf({ tasks: [task(0)], faults }))
    assert.strictEqual(checkAnswer(with_([crash, crash, crash]), answer(0, failed(0, "Killed")))?.id, "C3")
    assert.isUndefined(checkAnswer(with_([crash, crash, crash, crash]), answer(0, failed(0, "Killed"))))
    assert.strictEqual(checkAnswer(with_([crash]), answer(0, { _tag: "SchedulerLost" }))?.id, "C3")
    assert.isUndefined(checkAnswer(with_([{ _tag: "SchedulerCrash", at: 1 }]), answer(0, { _tag: "SchedulerLost" })))
  })

  it("C3: lost only what was scattered, and only if a worker may have ended; what builds on it is lost with it", () => {
    const tasks = [task(0, { body: { _tag: "Scattered" } }), task(1, { dependencies: [0] })]
    assert.isUndefined(checkAnswer(interpret(caseOf({ tasks, faults: [crash] })), answer(1, failed(0, "Lost"))))
    assert.strictEqual(checkAnswer(interpret(caseOf({ tasks })), answer(1, failed(0, "Lost")))?.id, "C3")
    assert.strictEqual(checkAnswer(interpret(caseOf({ tasks: [task(0)], faults: [crash] })), answer(0, failed(0, "Lost")))?.id, "C3")
  })

  it("may run for ever what has the body, or is asked for by the key, of what never ends", () => {
    const tasks = [task(0, { body: { _tag: "NeverEnds" } }), task(1, { under: 0 }), task(2)]
    const adopt = (task: number) => ({ _tag: "Adopt", at: 1, task, client: 0 } as const)
    assert.deepStrictEqual([...endlessOf(caseOf({ tasks }))], [0])
    assert.deepStrictEqual([...endlessOf(caseOf({ tasks, operations: [adopt(1), adopt(2)] }))], [0, 1])
  })

  it("C3: lost also what its client has let go, where something is tried again that builds on it", () => {
    const tasks = [task(0, { body: { _tag: "Scattered" } }), task(1, { body: { _tag: "Fails", times: 1 } }), task(2, { dependencies: [0, 1] })]
    const release = { _tag: "Release", at: 1, task: 0 } as const
    const retry = { _tag: "Retry", at: 2, task: 1 } as const
    const lost = (operations: Case["operations"]) => checkAnswer(interpret(caseOf({ tasks, operations })), answer(2, failed(0, "Lost")))?.id
    assert.isUndefined(lost([release, retry]))
    for (const operations of [[], [release], [retry]]) assert.strictEqual(lost(operations), "C3")
  })

  it("C3: over its limit of time only if it has one that its body may reach", () => {
    const limited = (timeoutMs: number) => interpret(caseOf({ tasks: [task(0, { durationMs: 1_000, timeoutMs })] }))
    assert.isUndefined(checkAnswer(limited(500), answer(0, failed(0, "TimedOut"))))
    assert.strictEqual(checkAnswer(limited(5_000), answer(0, failed(0, "TimedOut")))?.id, "C3")
    assert.strictEqual(checkAnswer(interpret(caseOf({ tasks: [task(0)] })), answer(0, failed(0, "TimedOut")))?.id, "C3")
  })

  it("C3, C8: a conflict only where two graphs have one key, and then never both of them", () => {
    const rivals = caseOf({ tasks: [task(0), task(1, { under: 0 })], clients: 2 })
    assert.isUndefined(checkAnswer(interpret(rivals), answer(1, failed(0, "Conflict"))))
    assert.strictEqual(checkAnswer(interpret(caseOf({ tasks: [task(0), task(1)] })), answer(1, failed(0, "Conflict")))?.id, "C3")
    const held = { client: 0, task: 0, since: 5 }
    assert.strictEqual(checkOneGraph(rivals, { client: 1, task: 1, since: 6 }, [held])?.id, "C8")
    assert.isUndefined(checkOneGraph(rivals, { client: 1, task: 1, since: 4 }, [held]))
    assert.isUndefined(checkOneGraph(rivals, { client: 1, task: 0, since: 6 }, [held]))
  })

  it("C1: something", () => {
    assert.strictEqual(checkResolved([{ client: 0, task: 3, handle: 0 }])?.id, "C1")
    assert.isUndefined(checkResolved([]))
  })
})

describe("how often bodies run", () => {
  const ran = (task: number, more: Partial<Execution> = {}): Execution => ({
    task, process: undefined, beganAt: 0, endedAt: 1, how: "succeeded", slot: "held", children: "not asked", ...more
  })

  it("X2: exactly as often as the case says when nothing goes wrong: neither twice nor not at all", () => {
    const tasks = [task(0), task(1, { body: { _tag: "Fails", times: 9 }, retries: 2 }), task(2, { dependencies: [1] })]
    const oracle = interpret(caseOf({ tasks }))
    const right = [ran(0), ran(1), ran(1), ran(1)]
    assert.isUndefined(checkExecutions(oracle, right))
    for (const wrong of [[...right, ran(0)], right.slice(1), right.slice(0, 3), [...right, ran(2)]]) assert.strictEqual(checkExecutions(oracle, wrong)?.id, "X2")
    assert.isUndefined(checkExecutions(interpret(caseOf({ tasks, faults: [crash] })), []))
  })

  it("C2 and C3: what tasks submit themselves has its value, and fails only where something goes wrong", () => {
    const tasks = [task(0, { secedes: "toWait" })]
    const judged = (of: Partial<Case>, children: Execution["children"], how: Execution["how"] = "succeeded") => checkChildren(caseOf({ tasks, ...of }), [ran(0, { children, how })])?.id
    assert.isUndefined(judged({}, "right"))
    assert.strictEqual(judged({ faults: [crash] }, "wrong"), "C2")
    assert.strictEqual(judged({}, "failed"), "C3")
    assert.isUndefined(judged({ faults: [crash] }, "failed"))
    assert.isUndefined(judged({}, "failed", "interrupted"))
  })

  it("X3: not beside another body of the same task, unless one is being stopped", () => {
    assert.strictEqual(checkAlone(caseOf({}), ran(0), [ran(0)], false)?.id, "X3")
    assert.isUndefined(checkAlone(caseOf({}), ran(0), [ran(0)], true))
    assert.isUndefined(checkAlone(caseOf({}), ran(0), [], false))
  })

  it("C4: not at all once a cancellation has been acknowledged", () => {
    const of = caseOf({ operations: [{ _tag: "Cancel", at: 1, task: 0, force: false }] })
    assert.strictEqual(checkCancelled(of, { at: 1, client: 0, task: 0, outcome: "cancelled" }, [ran(0)])?.id, "C4")
    assert.isUndefined(checkCancelled(of, { at: 1, client: 0, task: 0, outcome: "shared" }, [ran(0)]))
    assert.isUndefined(checkCancelled(of, { at: 1, client: 0, task: 0, outcome: "cancelled" }, []))
  })
})

describe("the books", () => {
  const at = 0
  const client = ClientId.make(0)
  const worker = WorkerId.make(0)
  const id = TaskId.make(0)
  const events: ReadonlyArray<Event> = [
    { _tag: "ClientJoined", at, client, name: "ann" },
    { _tag: "WorkerJoined", at, worker, name: "worker-0", nthreads: 1, nfibers: 1, holds: [] },
    {
      _tag: "TasksSubmitted", at, client, last: true,
      tasks: [{ id, code: CodeId.make(0), args: new Uint8Array(), dependencies: [], priority: 0, retries: 0, isolation: "fiber" }]
    }
  ]
  const processing = reduceScheduler(emptyScheduler(), events).state
  const run = RunId.make(0)
  const done = reduceScheduler(processing, [{ _tag: "TasksFinished", at, worker, rows: [{ id, run, nbytes: 3, ms: 1 }] }]).state
  const holding = reduceWorker(emptyWorker(), [{ _tag: "Started", at, worker, nthreads: 1, nfibers: 1, holds: [{ id, run, nbytes: 3 }] }]).state
  const truth = (state: WorkerState, bytes: Uint8Array | undefined, stored = bytes === undefined ? 0 : 1): WorkerTruth => ({
    name: "worker-0", state, find: (of, ran) => of === id && ran === run ? bytes : undefined, stored
  })
  const bytes = new Uint8Array([1, 2, 3])

  it("S and W: a broken invariant of a machine is told by its name", () => {
    assert.isUndefined(checkScheduler(done))
    const wrong: SchedulerState = { ...done, counts: { ...done.counts, memory: 7 } }
    assert.strictEqual(checkScheduler(wrong)?.id, "S: tasks are counted right, all together and by kind")
    assert.isUndefined(checkWorker("worker-0", holding))
    assert.match(checkWorker("worker-0", { ...holding, running: 3 })!.id, /^W: everything of which something runs is counted$/)
  })

  it("X1: the scheduler knows who has what, as the stores have it", () => {
    assert.isUndefined(checkReplicas(done, [truth(holding, bytes)]))
    const nothing = reduceWorker(emptyWorker(), [{ _tag: "Started", at, worker, nthreads: 1, nfibers: 1, holds: [] }]).state
    assert.strictEqual(checkReplicas(done, [truth(nothing, undefined)])?.id, "X1")
    assert.strictEqual(checkReplicas(processing, [truth(holding, bytes)])?.id, "X1")
    assert.strictEqual(checkReplicas(done, [truth(holding, undefined)])?.id, "X1")
    assert.strictEqual(checkReplicas(done, [truth(holding, bytes, 2)])?.id, "X1")
    assert.strictEqual(checkReplicas(done, [])?.id, "X1")
  })

  it("X4: all copies are the same bytes", () => {
    const second = WorkerId.make(1)
    const both = reduceScheduler(done, [
      { _tag: "WorkerJoined", at, worker: second, name: "worker-1", nthreads: 1, nfibers: 1, holds: [{ id, run, nbytes: 3 }] }
    ]).state
    const other = reduceWorker(emptyWorker(), [{ _tag: "Started", at, worker: second, nthreads: 1, nfibers: 1, holds: [{ id, run, nbytes: 3 }] }]).state
    const copy = (of: Uint8Array): WorkerTruth => ({ ...truth(other, of), name: "worker-1" })
    assert.isUndefined(checkReplicas(both, [truth(holding, bytes), copy(bytes.slice())]))
    assert.strictEqual(checkReplicas(both, [truth(holding, bytes), copy(new Uint8Array([1, 2, 4]))])?.id, "X4")
  })

  it("C5 and L5: nothing is left once all is released", () => {
    const released = reduceScheduler(done, [{ _tag: "KeysReleased", at, client, ids: [id] }]).state
    const freed = reduceWorker(holding, [{ _tag: "FreeAsked", at, rows: [{ id, run }] }]).state
    assert.isUndefined(checkForgotten(released, 0, [truth(freed, undefined)]))
    assert.strictEqual(checkForgotten(done, 0, [])?.id, "C5")
    assert.strictEqual(checkForgotten(released, 1, [])?.id, "L5")
    assert.strictEqual(checkForgotten(released, 0, [truth(freed, bytes)])?.id, "L5")
    assert.strictEqual(checkForgotten(released, 0, [truth(holding, undefined)])?.id, "L5")
    const asked = reduceScheduler(released, [{ _tag: "WorkersAwaited", at, client, ask: AskId.make(0), count: 9 }]).state
    assert.strictEqual(checkForgotten(asked, 0, [])?.id, "L5")
    assert.strictEqual(checkLeftovers(["a socket"])?.id, "L5")
    assert.isUndefined(checkLeftovers([]))
  })
})
