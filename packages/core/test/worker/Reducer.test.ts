/** What the worker machine does, case by case; those that cite a test of Dask's mirror it. */
import { assert, describe, it } from "@effect/vitest"
import type { Command } from "@skein/core/worker/Command"
import * as Recent from "@skein/core/persistent/Recent"
import type { Config } from "@skein/core/worker/State"
import * as Story from "@skein/core/worker/Story"
import * as View from "@skein/core/worker/View"
import { TaskId } from "@skein/protocol/Ids"
import {
  assignment,
  busy,
  cancel,
  compute,
  exited,
  failed,
  free,
  gathered,
  held,
  holders,
  input,
  type Named,
  rejoined,
  rescheduled,
  retracted,
  Script,
  seceded,
  type Slots,
  started,
  stopped,
  succeeded,
  takeBack,
  task,
  ticked,
  unreachable,
  worker
} from "./script.ts"

const x: Named = [10, 1]
const y: Named = [11, 2]
const z: Named = [12, 3]

/** A worker with these slots that has just started. */
const run = (config: Partial<Config> = {}, slots: Slots = {}): Script => {
  const script = new Script(config)
  script.tell(started(slots))
  return script
}

/** What of each peer is asked for, in the words `peer: ids`. */
const gathers = (commands: ReadonlyArray<Command>): ReadonlyArray<string> =>
  commands.flatMap((command) =>
    command._tag === "Gather" ? [`${command.peer}: ${command.rows.map(({ id }) => id).join(" ")}`] : []
  )

describe("computing", () => {
  it("starts the higher priority first, then the lower rank (test_worker.py::test_priorities)", () => {
    const script = run()
    script.tell(compute(assignment([1, 1])))
    script.tell(compute(
      assignment([2, 2], { rank: 9 }),
      assignment([3, 3], { rank: 5 }),
      assignment([4, 4], { rank: 20, priority: 1 })
    ))
    const order = [[1, 1], [4, 4], [3, 3]].flatMap(([id, at]) =>
      script.tell(succeeded([id!, at!])).filter((line) => line.startsWith("execute")))
    assert.deepStrictEqual(order, ["execute t4/4 in a fiber", "execute t3/3 in a fiber", "execute t2/2 in a fiber"])
  })

  it("keeps two tasks of the same rank apart", () => {
    const script = run({}, { nfibers: 1 })
    script.tell(compute(assignment([1, 1]), assignment([2, 2], { rank: 7 }), assignment([3, 3], { rank: 7 })))
    assert.strictEqual(View.counts(script.state).Ready, 2)
    script.tell(takeBack([2, 2]))
    script.tell(succeeded([1, 1]))
    assert.strictEqual(script.status(3), "Executing")
  })

  it("gives threads and fibers slots of their own (test_worker.py::test_multiple_executors)", () => {
    const script = run({}, { nthreads: 1, nfibers: 2 })
    script.tell(compute(
      ...[1, 2, 3].map((id) => assignment([id, id], { isolation: "thread" })),
      ...[4, 5, 6].map((id) => assignment([id, id]))
    ))
    assert.deepStrictEqual(View.slotsOf(script.state), { thread: { taken: 1, all: 1 }, fiber: { taken: 2, all: 2 } })
    assert.strictEqual(View.counts(script.state).Ready, 3)
  })

  const inThreads = (...ids: ReadonlyArray<number>) => compute(...ids.map((id) => assignment([id, id], { isolation: "thread" })))

  it("gives a thread one job until it is known how long they take, and then as many as are little work, and as its queue may hold", () => {
    const script = run({ threadQueue: 3, threadQueueMs: 2 }, { nthreads: 1 })
    script.tell(inThreads(1, 2, 3, 4, 5, 6, 7, 8, 9))
    const executing = () => View.counts(script.state).Executing
    assert.strictEqual(executing(), 1)
    script.tell(succeeded([1, 1], 8, 1))
    assert.strictEqual(executing(), 3)
    script.tell(succeeded([2, 2], 8, 0))
    assert.strictEqual(executing(), 3)
    for (const id of [3, 4]) script.tell(succeeded([id, id], 8, 0))
    assert.strictEqual(executing(), 3)
    for (const id of [5, 6]) script.tell(succeeded([id, id], 8, 0))
    assert.strictEqual(View.slotsOf(script.state).thread.all, 4)
  })

  it("starts nothing more in threads once a long job has ended, until few enough are left", () => {
    const script = run({ threadQueue: 3 }, { nthreads: 1 })
    script.tell(inThreads(1))
    script.tell(succeeded([1, 1], 8, 0.1))
    script.tell(inThreads(2, 3, 4, 5, 6))
    assert.strictEqual(View.counts(script.state).Executing, 4)
    assert.deepStrictEqual(script.tell(succeeded([2, 2], 8, 1_000)), ["report t2/2 finished, 8 bytes"])
    assert.deepStrictEqual(View.slotsOf(script.state).thread, { taken: 3, all: 1 })
    for (const id of [3, 4]) script.tell(succeeded([id, id], 8, 1_000))
    assert.deepStrictEqual(script.tell(succeeded([5, 5], 8, 1_000)), ["report t5/5 finished, 8 bytes", "execute t6/6 in a thread"])
  })

  it("gives back what waits in a thread if that has not begun it, and says so if it has", () => {
    const script = run({ threadQueue: 3 }, { nthreads: 1 })
    script.tell(inThreads(1))
    script.tell(succeeded([1, 1], 8, 0.1))
    script.tell(inThreads(2, 3))
    assert.deepStrictEqual(script.tell(takeBack([2, 2], [3, 3])), ["take t2/2 out of its thread's queue", "take t3/3 out of its thread's queue"])
    assert.deepStrictEqual(script.tell(retracted([2, 2], false)), ["do not give back t2/2"])
    assert.deepStrictEqual(script.tell(retracted([3, 3])), ["give back t3/3"])
    assert.deepStrictEqual([script.status(2), script.status(3)], ["Executing", "forgotten"])
  })

  it("answers both when what waits in a thread is asked back and then cancelled", () => {
    const script = run({}, { nthreads: 1 })
    script.tell(inThreads(1))
    script.tell(takeBack([1, 1]))
    script.tell(cancel([1, 1]))
    assert.deepStrictEqual(script.tell(retracted([1, 1])), ["do not give back t1/1", "report t1/1 stopped"])
    assert.strictEqual(script.status(1), "forgotten")
  })

  it("reports a finished task again when it is asked for again under the same run", () => {
    const script = run()
    script.tell(compute(assignment(x)))
    script.tell(succeeded(x, 40))
    assert.deepStrictEqual(script.tell(compute(assignment(x))), ["report t10/1 finished, 40 bytes"])
  })

  it("ignores what is asked for under an older run than it knows", () => {
    const script = run()
    script.tell(compute(assignment([10, 5])))
    assert.deepStrictEqual(script.tell(compute(assignment([10, 4]))), [])
  })

  it("drops the result of an older run and computes anew", () => {
    const script = run()
    script.tell(compute(assignment(x)))
    script.tell(succeeded(x))
    assert.deepStrictEqual(script.tell(compute(assignment([10, 7]))), [
      "drop t10/1",
      "report t10/1 gone",
      "execute t10/7 in a fiber"
    ])
  })

  it("keeps no failures: a failed task, a killed one and a rescheduled one are forgotten", () => {
    const script = run({}, { nfibers: 3 })
    script.tell(compute(assignment(x), assignment(y), assignment(z)))
    assert.deepStrictEqual(script.tell(failed(x)), ["report t10/1 failed"])
    assert.deepStrictEqual(script.tell(exited(y)), ["report t11/2 killed"])
    assert.deepStrictEqual(script.tell(rescheduled(z)), ["report t12/3 to be placed again"])
    assert.isTrue(View.isEmpty(script.state))
  })

  it("computes a task again that has failed here (test_worker_state_machine.py::test_recompute_erred_task)", () => {
    const script = run()
    script.tell(compute(assignment(x)))
    script.tell(failed(x))
    assert.deepStrictEqual(script.tell(compute(assignment([10, 2]))), ["execute t10/2 in a fiber"])
  })

  it("counts the bytes of results as they come and go (test_worker_state_machine.py::test_worker_nbytes)", () => {
    const script = run({}, { holds: [held([1, 1], 12)] })
    assert.strictEqual(View.managedBytes(script.state), 12)
    script.tell(compute(assignment([7, 3], { dependencies: [input([5, 2], [2], 13)] })))
    script.tell(gathered(2, [held([5, 2], 13)]))
    script.tell(succeeded([7, 3], 5))
    assert.strictEqual(View.managedBytes(script.state), 30)
    script.tell(free([5, 2], [1, 1]))
    assert.strictEqual(View.managedBytes(script.state), 5)
    assert.deepStrictEqual(View.holds(script.state), [held([7, 3], 5)])
  })

  it("knows what runs: executing, long-running and stopping, until it has ended (test_worker_state_machine.py::test_running_task_in_all_running_tasks, ::test_done_task_not_in_all_running_tasks)", () => {
    const script = run({}, { nfibers: 3 })
    script.tell(compute(assignment(x), assignment(y), assignment(z)))
    script.tell(seceded(y))
    script.tell(cancel(z))
    assert.deepStrictEqual(View.running(script.state).map(({ id }) => Number(id)), [10, 11, 12])
    for (const event of [succeeded(x), succeeded(y), stopped(z)]) script.tell(event)
    assert.deepStrictEqual(View.running(script.state), [])
  })
})

describe("suspects", () => {
  const suspect = (named: Named) => assignment(named, { alone: true })

  it("wait until nothing runs, what is being stopped included", () => {
    const script = run({}, { nfibers: 2 })
    script.tell(compute(assignment(x), assignment(y)))
    script.tell(cancel(y))
    script.tell(compute(suspect(z)))
    script.tell(succeeded(x))
    assert.strictEqual(script.status(12), "Ready")
    assert.include(script.tell(stopped(y)), "execute t12/3 in a fiber")
  })

  it("do not wait for bodies without a slot, which may wait for them", () => {
    const script = run({}, { nfibers: 2 })
    script.tell(compute(assignment(x)))
    script.tell(seceded(x))
    assert.include(script.tell(compute(suspect(z))), "execute t12/3 in a fiber")
    assert.deepStrictEqual(script.tell(rejoined(x)), [])
    assert.include(script.tell(succeeded(z)), "let t10/1 go on")
  })

  it("hold up what comes after them and not what comes before them", () => {
    const script = run({}, { nthreads: 2, nfibers: 2 })
    script.tell(compute(assignment(x)))
    script.tell(compute(
      assignment([1, 4], { priority: 1, isolation: "thread" }),
      suspect([2, 5]),
      assignment([3, 6]),
      assignment([4, 7], { isolation: "thread" })
    ))
    assert.deepStrictEqual([1, 2, 3, 4].map((id) => script.status(id)), ["Executing", "Ready", "Ready", "Ready"])
    script.tell(succeeded(x))
    script.tell(succeeded([1, 4]))
    assert.deepStrictEqual([2, 3, 4].map((id) => script.status(id)), ["Executing", "Ready", "Ready"])
    script.tell(failed([2, 5]))
    assert.deepStrictEqual([3, 4].map((id) => script.status(id)), ["Executing", "Executing"])
  })

  it("that never can run here hold up nothing", () => {
    const script = run({}, { nthreads: 0 })
    script.tell(compute(assignment([1, 1], { alone: true, isolation: "thread" }), assignment([2, 2])))
    assert.strictEqual(script.status(2), "Executing")
  })

  it("are noted with all that runs on beside them, which is noted no more once they have ended", () => {
    const script = run({}, { nfibers: 2 })
    script.tell(compute(assignment(x), assignment(y)))
    for (const event of [seceded(x, false), seceded(y)]) script.tell(event)
    assert.deepStrictEqual(script.tell(compute(suspect(z))).filter((line) => line.startsWith("note")), ["note that run 1 starts", "note that run 3 starts"])
    // Who has waited runs on when the suspect has ended; who is to stop does at once.
    assert.deepStrictEqual(script.tell(seceded(y, false)), [])
    assert.deepStrictEqual(script.tell(seceded(x)), ["note that run 1 has ended"])
    assert.deepStrictEqual(script.tell(cancel(x)).slice(0, 1), ["note that run 1 starts"])
    assert.deepStrictEqual(script.tell(succeeded(z)).filter((line) => line.startsWith("note")), ["note that run 3 has ended", "note that run 1 has ended"])
    assert.deepStrictEqual(script.tell(stopped(x)).filter((line) => line.startsWith("note")), [])
    assert.strictEqual(script.status(11), "Executing")
  })

  it("that run on without a slot have all noted that starts beside them", () => {
    const script = run({}, { nfibers: 2 })
    script.tell(compute(suspect(x)))
    assert.notInclude(script.tell(seceded(x, false)), "note that run 1 has ended")
    assert.deepStrictEqual(script.tell(compute(assignment(y))), ["note that run 2 starts", "execute t11/2 in a fiber"])
    assert.include(script.tell(succeeded(y)), "note that run 2 has ended")
  })

  it("to be judged next start beside nothing that runs, are passed meanwhile, and have nothing start beside them that run on", () => {
    const script = run({}, { nfibers: 2 })
    const decisive = (named: Named) => assignment(named, { alone: true, decisive: true })
    script.tell(compute(assignment(x)))
    script.tell(seceded(x, false))
    script.tell(compute(decisive(y), assignment(z)))
    assert.deepStrictEqual([script.status(11), script.status(12)], ["Ready", "Executing"])
    script.tell(succeeded(x))
    assert.include(script.tell(succeeded(z)), "execute t11/2 in a fiber")
    script.tell(seceded(y, false))
    script.tell(compute(assignment([5, 5])))
    assert.strictEqual(script.status(5), "Ready")
    script.tell(seceded(y))
    assert.strictEqual(script.status(5), "Executing")
    // It goes on alone.
    assert.deepStrictEqual(script.tell(seceded(y, false)), [])
    assert.include(script.tell(succeeded([5, 5])), "let t11/2 go on")
  })

  it("are noted to have ended whichever way they end", () => {
    for (const end of [succeeded(x), failed(x), exited(x), stopped(x), rescheduled(x)]) {
      const script = run()
      script.tell(compute(suspect(x)))
      assert.include(script.tell(end), "note that run 1 has ended", Story.event(end))
      const cancelled = run()
      cancelled.tell(compute(suspect(x)))
      cancelled.tell(cancel(x))
      assert.include(cancelled.tell(end), "note that run 1 has ended", `${Story.event(end)}, cancelled`)
    }
  })
})

describe("stopping", () => {
  it("answers at once for what has not started, is in memory, or is not known", () => {
    const script = run()
    script.tell(compute(assignment([1, 1])))
    script.tell(succeeded([1, 1]))
    script.tell(compute(
      assignment([2, 2]),
      assignment(x, { rank: 3 }),
      assignment([4, 9], { dependencies: [input([8, 8], [2])] })
    ))
    assert.deepStrictEqual(script.tell(cancel([1, 1], x, [4, 9], [99, 5])), [
      "drop t1/1",
      "report t1/1 stopped",
      "report t10/1 stopped",
      "report t4/9 stopped",
      "report t99/5 stopped"
    ])
  })

  it("holds the slot until nothing runs any more", () => {
    const script = run()
    script.tell(compute(assignment(x), assignment(y)))
    script.tell(cancel(x))
    assert.strictEqual(script.status(11), "Ready")
    assert.deepStrictEqual(script.tell(stopped(x)), ["report t10/1 stopped", "execute t11/2 in a fiber"])
  })

  it("ends the process once, for a fiber too, however many do not end", () => {
    const script = run({}, { nfibers: 2 })
    script.tell(compute(assignment(x), assignment(y)))
    script.tell(cancel(x, y))
    assert.deepStrictEqual(script.tell(ticked(500)), ["wake at 1100 ms"])
    assert.deepStrictEqual(script.tell(ticked(1_100)), ["end this process: run 1 was interrupted 1100 ms ago and still runs"])
    assert.deepStrictEqual(script.tell(ticked(9_000)), [])
  })

  it("ignores what a body that is being stopped says of its slot", () => {
    const script = run()
    script.tell(compute(assignment(x)))
    script.tell(cancel(x))
    assert.deepStrictEqual([...script.tell(seceded(x)), ...script.tell(rejoined(x))], [])
    assert.strictEqual(View.slotsOf(script.state).fiber.taken, 1)
  })

  it("stops a run that a newer one replaces, and then starts that (test_cancelled_state.py::test_workerstate_executing_to_executing)", () => {
    const script = run()
    script.tell(compute(assignment(x)))
    assert.deepStrictEqual(script.tell(compute(assignment([10, 4]))), ["interrupt t10/1", "wake at 1100 ms"])
    assert.deepStrictEqual(script.tell(stopped(x)), ["report t10/1 stopped", "execute t10/4 in a fiber"])
  })

  it("answers for a run that never began because the one before had not ended", () => {
    const script = run()
    script.tell(compute(assignment(x)))
    script.tell(compute(assignment([10, 4])))
    assert.deepStrictEqual(script.tell(cancel([10, 4])), ["report t10/4 stopped"])
    assert.deepStrictEqual(script.tell(stopped(x)), ["report t10/1 stopped"])
    assert.isTrue(View.isEmpty(script.state))
  })
})

describe("fetching", () => {
  const needs = (named: Named, ...dependencies: ReadonlyArray<ReturnType<typeof input>>) => assignment(named, { dependencies })

  it("asks first who has the most urgent, then who has more, then the next in the circle (test_worker_state_machine.py::test_gather_priority)", () => {
    const script = run({ gatherRequests: 3 })
    const commands = script.commands(compute(
      needs([90, 90], input([1, 1], [2]), input([2, 2], [3]), input([3, 3], [3]), input([4, 4], [4])),
      assignment([91, 91], { priority: 1, dependencies: [input([5, 5], [4])] })
    ))
    assert.deepStrictEqual(gathers(commands), ["4: 5 4", "2: 1", "3: 2 3"])
    const tied = run({ gatherRequests: 1 })
    assert.deepStrictEqual(gathers(tied.commands(compute(needs([90, 90], input([1, 1], [5, 3, 7]))))), ["3: 1"])
  })

  it("asks for many results in one message, as far as they fit, and for one at least (test_worker_state_machine.py::test_aggregate_gather_deps, ::test_throttling_incoming_transfer_on_transfer_bytes_same_worker)", () => {
    const script = run({ gatherMessageBytes: 100, gatherMessageRows: 3 })
    const asked = (...sizes: ReadonlyArray<number>) =>
      gathers(script.commands(compute(needs(
        [90 + sizes.length, 90 + sizes.length],
        ...sizes.map((nbytes, n) => input([10 * sizes.length + n, 1], [1 + sizes.length], nbytes))
      ))))
    assert.deepStrictEqual(asked(500), ["2: 10"])
    assert.deepStrictEqual(asked(60, 50), ["3: 20"])
    assert.deepStrictEqual(asked(30, 30, 40), ["4: 30 31 32"])
    assert.deepStrictEqual(asked(1, 1, 1, 1), ["5: 40 41 42"])
  })

  it("has no more requests under way than it may, and one to a peer (test_worker_state_machine.py::test_throttle_incoming_transfers_on_count_limit)", () => {
    const script = run({ gatherRequests: 2, gatherMessageRows: 1 })
    const first = script.commands(compute(
      needs([90, 90], input([1, 1], [2]), input([2, 2], [2]), input([3, 3], [3]), input([4, 4], [4]))
    ))
    assert.deepStrictEqual(gathers(first), ["2: 1", "3: 3"])
    assert.deepStrictEqual(gathers(script.commands(gathered(3, [held([3, 3])]))), ["4: 4"])
    assert.deepStrictEqual(gathers(script.commands(gathered(2, [held([1, 1])]))), ["2: 2"])
  })

  it("lets the most urgent wait for bytes to arrive, and nothing overtake it (test_worker_state_machine.py::test_throttling_does_not_affect_first_transfer, ::test_throttling_incoming_transfer_on_transfer_bytes_different_workers)", () => {
    const script = run({ gatherBytes: 100 })
    const first = script.commands(compute(
      needs([90, 90], input([1, 1], [2], 300), input([2, 2], [3], 90), input([3, 3], [4], 5))
    ))
    assert.deepStrictEqual(gathers(first), ["2: 1"])
    assert.deepStrictEqual(gathers(script.commands(gathered(2, [held([1, 1], 300)]))), ["3: 2", "4: 3"])
  })

  it("asks a new holder at once when those known before are being asked for something else (test_worker_state_machine.py::test_new_replica_while_all_workers_in_flight)", () => {
    const script = run({ gatherMessageRows: 1 })
    script.tell(compute(needs([90, 90], input([1, 1], [2]), input([2, 2], [2]))))
    assert.deepStrictEqual(gathers(script.commands(compute(needs([91, 91], input([2, 2], [2, 3]))))), ["3: 2"])
  })

  it("does not ask a holder that the scheduler names no more (test_worker_state_machine.py::test_lose_replica_during_fetch)", () => {
    const script = run({ gatherRequests: 1 })
    script.tell(compute(needs([90, 90], input([1, 1], [5]), input([2, 2], [2, 3]))))
    script.tell(compute(needs([91, 91], input([2, 2], [3]))))
    assert.deepStrictEqual(View.task(script.state, TaskId.make(2))?.whoHas, [worker(3)])
    assert.deepStrictEqual(gathers(script.commands(gathered(5, [held([1, 1])]))), ["3: 2"])
  })

  it("asks who else has what only busy peers have, and gives a peer up that has lost it (test_worker_state_machine.py::test_fetch_to_missing_on_busy)", () => {
    const script = run()
    script.tell(compute(needs([90, 90], input(x, [2]))))
    assert.deepStrictEqual(script.tell(busy(2)), ["ask who has t10/1", "wake at 150 ms"])
    assert.strictEqual(script.status(10), "Fetch")
    script.tell(holders(x))
    assert.strictEqual(script.status(10), "Missing")
  })

  it("forgets all that an unreachable peer has, also what was not asked for yet (test_worker_state_machine.py::test_fetch_to_missing_on_network_failure)", () => {
    const script = run({ gatherMessageRows: 1 })
    script.tell(compute(needs([90, 90], input(x, [2]), input(y, [2]), input(z, [2, 3]))))
    script.tell(unreachable(2))
    assert.deepStrictEqual([10, 11, 12].map((id) => script.status(id)), ["Missing", "Missing", "Flight"])
  })

  it("leaves an unreachable peer alone for a while, though it is named again at once", () => {
    const script = run()
    script.tell(compute(needs([90, 90], input(x, [2]))))
    script.tell(unreachable(2))
    assert.deepStrictEqual(script.tell(holders(x, 2)), [])
    assert.deepStrictEqual(gathers(script.commands(ticked(150))), ["2: 10"])
  })

  it("takes what the scheduler says of holders as all there are (test_worker_state_machine.py::test_fetch_to_missing_on_refresh_who_has)", () => {
    const script = run({ gatherRequests: 1 })
    script.tell(compute(needs([90, 90], input(x, [2]), input(y, [3]), input(z, [3]))))
    script.tell(holders(y))
    script.tell(holders(z, 4, 5))
    assert.deepStrictEqual([11, 12].map((id) => script.status(id)), ["Missing", "Fetch"])
    assert.deepStrictEqual(View.task(script.state, TaskId.make(12))?.whoHas, [worker(4), worker(5)])
  })

  it("computes here what it was to fetch, when that is what the scheduler wants (test_worker_state_machine.py::test_missing_to_waiting, ::test_fetch_to_compute)", () => {
    const script = run({ gatherRequests: 1 }, { nfibers: 3 })
    script.tell(compute(needs([90, 90], input([1, 1], [5]), input(x, []), input(y, [2]))))
    assert.deepStrictEqual(script.tell(compute(assignment([10, 7]), assignment([11, 8]))), [
      "execute t10/7 in a fiber",
      "execute t11/8 in a fiber"
    ])
    script.tell(gathered(5, [held([1, 1])]))
    script.tell(succeeded([10, 7]))
    assert.include(script.tell(succeeded([11, 8])), "execute t90/90 in a fiber with t1, t10, t11")
  })

  it("lets what is under way come, drops it if it is outdated, and then computes (test_worker_state_machine.py::test_in_memory_while_in_flight, ::test_cancelled_while_in_flight)", () => {
    const script = run()
    script.tell(compute(needs([90, 90], input(x, [2]))))
    assert.deepStrictEqual(script.tell(compute(assignment([10, 7]))), [])
    assert.deepStrictEqual(script.tell(gathered(2, [held(x)])), ["drop t10/1", "execute t10/7 in a fiber"])
  })

  it("computes here what it is fetching, once that has failed (test_cancelled_state.py::test_workerstate_flight_failure_to_executing)", () => {
    const script = run()
    script.tell(compute(needs([90, 90], input(x, [2]))))
    script.tell(compute(assignment([10, 7])))
    assert.include(script.tell(unreachable(2)), "execute t10/7 in a fiber")
    assert.include(script.tell(succeeded([10, 7])), "execute t90/90 in a fiber with t10")
  })

  it("computes under the last run what it is fetching, was to compute, was not to, and is again (test_cancelled_state.py::test_workerstate_resumed_fetch_to_cancelled_to_executing)", () => {
    for (const end of [gathered(2, [held(x)]), unreachable(2)]) {
      const script = run()
      script.tell(compute(needs([90, 90], input(x, [2]))))
      script.tell(compute(assignment([10, 7])))
      script.tell(cancel([10, 7]))
      script.tell(compute(assignment([10, 8])))
      assert.deepStrictEqual(script.tell(end).filter((line) => line.startsWith("execute")), ["execute t10/8 in a fiber"])
    }
  })

  it("fetches what it was told to stop computing, whose own result it does not use (test_cancelled_state.py::test_workerstate_executing_skips_fetch_on_success)", () => {
    const script = run({}, { nfibers: 2 })
    script.tell(compute(assignment(x)))
    script.tell(cancel(x))
    assert.deepStrictEqual(gathers(script.commands(compute(needs([90, 90], input([10, 4], [2]))))), [])
    assert.deepStrictEqual(gathers(script.commands(stopped(x))), ["2: 10"])
    assert.include(script.tell(gathered(2, [held([10, 4])])), "execute t90/90 in a fiber with t10")
  })

  it("asks another holder when the one that is being asked has gone (test_worker_state_machine.py::test_remove_worker_while_in_flight)", () => {
    const script = run()
    script.tell(compute(needs([90, 90], input(x, [2, 3]))))
    assert.strictEqual(script.status(10), "Flight")
    assert.deepStrictEqual(gathers(script.commands(unreachable(2))), ["3: 10"])
    assert.strictEqual(script.status(10), "Flight")
  })

  it("keeps and reports what comes though nobody here needs it any more", () => {
    const script = run()
    script.tell(compute(needs([90, 90], input(x, [2]))))
    script.tell(cancel([90, 90]))
    assert.deepStrictEqual(script.tell(gathered(2, [held(x)])), ["report a replica of t10/1 (8 bytes)"])
    assert.deepStrictEqual(script.tell(free(x)), ["drop t10/1"])
    assert.isTrue(View.isEmpty(script.state))
  })

  it("forgets an input that is not asked for yet with the last task that needs it (test_worker_state_machine.py::test_forget_data_needed)", () => {
    const script = run({ gatherRequests: 1 })
    script.tell(compute(needs([90, 90], input([1, 1], [5])), needs([91, 91], input(x, [2])), needs([92, 92], input(x, [2]))))
    script.tell(cancel([91, 91]))
    assert.strictEqual(script.status(10), "Fetch")
    script.tell(takeBack([92, 92]))
    assert.strictEqual(script.status(10), "forgotten")
  })

  it("waits for the rest of an answer that comes in parts", () => {
    const script = run()
    script.tell(compute(needs([90, 90], input(x, [2]), input(y, [2]))))
    assert.deepStrictEqual(gathers(script.commands(gathered(2, [held(x)]))), [])
    assert.strictEqual(script.status(11), "Flight")
    script.tell(unreachable(2))
    assert.deepStrictEqual([10, 11].map((id) => script.status(id)), ["Memory", "Missing"])
  })

  it("says so when it is named as a holder and is none", () => {
    const script = run()
    assert.include(script.tell(compute(needs([90, 90], input(x, [1, 2])))), "report t10/1 gone")
    assert.include(script.tell(holders(x, 1)), "report t10/1 gone")
  })

  it("fetches an input again that is freed before its dependent starts, and not afterwards", () => {
    const script = run()
    script.tell(compute(assignment([1, 1]), needs([90, 90], input(x, [2]))))
    script.tell(gathered(2, [held(x)]))
    assert.deepStrictEqual(script.tell(free(x)), ["drop t10/1", "ask who has t10/1", "wake at 1000 ms"])
    script.tell(holders(x, 2))
    script.tell(gathered(2, [held(x)]))
    script.tell(succeeded([1, 1]))
    assert.deepStrictEqual(script.tell(free(x)), ["drop t10/1"])
  })

  it("drops results that nobody asked for", () => {
    const script = run()
    assert.deepStrictEqual(script.tell(gathered(2, [held(x)])), ["drop t10/1"])
    assert.deepStrictEqual(script.tell(succeeded(x)), ["drop t10/1"])
    assert.isTrue(View.isEmpty(script.state))
  })
})

describe("a new incarnation", () => {
  it("drops what the scheduler does not need, and takes over what is told under other ids", () => {
    const script = run({}, { holds: [held([1, 5]), held([2, 6]), held([3, 7])] })
    assert.deepStrictEqual(script.tell(started({ holds: [held([1, 5]), held([4, 6])] })), ["drop t2/6", "drop t3/7"])
    assert.deepStrictEqual(View.holds(script.state), [held([1, 5]), held([4, 6])])
  })

  it("gives up a result whose record is taken by a body that is being stopped", () => {
    const script = run()
    script.tell(compute(assignment(x)))
    assert.deepStrictEqual(script.tell(started({ holds: [held([10, 8])] })), [
      "interrupt t10/1",
      "drop t10/8",
      "report t10/8 gone",
      "wake at 1100 ms"
    ])
  })

  it("owes nothing to what the one before was asked, waited for, or had asked", () => {
    const script = run()
    script.tell(compute(assignment(x, { dependencies: [input(y, [2]), input(z, [])] }), assignment([5, 9], { dependencies: [input([6, 6], [3])] })))
    script.tell(busy(3))
    script.tell(started())
    assert.isTrue(View.isEmpty(script.state))
    assert.deepStrictEqual(script.tell(gathered(2, [held(y)])), ["drop t11/2"])
  })
})

describe("the log", () => {
  it("tells the history of one task, the oldest first", () => {
    const script = run()
    script.tell(compute(assignment(x, { dependencies: [input(y, [2])] })))
    script.tell(gathered(2, [held(y)]))
    script.tell(cancel(x))
    script.tell(stopped(x))
    assert.deepStrictEqual(Story.history(script.state, task(x).id).map(({ line }) => line), [
      "t10/1: released → waiting, because of ComputeAsked",
      "t10/1: waiting → ready, because of GatherSucceeded",
      "t10/1: ready → executing, because of GatherSucceeded",
      "t10/1: executing → stopping, because of CancelAsked",
      "t10/1: stopping → released, because of ExecuteStopped",
      "t10/1: released → forgotten, because of ExecuteStopped"
    ])
  })

  it("stays with the newer run of an input when it hears that nobody has the older, for which it had asked", () => {
    const script = run()
    script.tell(compute(assignment([12, 1], { dependencies: [input([11, 2], [2])] })))
    script.tell(gathered(2, [], [11, 2]))
    script.tell(cancel([12, 1]))
    script.tell(compute(assignment([12, 5], { dependencies: [input([11, 4], [3])] })))
    assert.deepStrictEqual(script.tell(holders([11, 2])), [])
    assert.deepStrictEqual(script.tell(gathered(3, [held([11, 4])])).at(-1), "execute t12/5 in a fiber with t11")
  })

  it("shows a task as plain data, in which others stand by their ids (test_worker_state_machine.py::test_TaskState__to_dict)", () => {
    const script = run()
    script.tell(compute(assignment(x, { dependencies: [input(y, [2, 3])] })))
    const shown = [10, 11].map((id) => View.task(script.state, TaskId.make(id)))
    const plain: unknown = JSON.parse(JSON.stringify(shown))
    assert.deepStrictEqual(plain, [
      { id: 10, run: 1, status: "Waiting", assigned: true, waitingOn: [11], dependents: [], whoHas: [], nbytes: 0 },
      { id: 11, run: 2, status: "Flight", assigned: false, waitingOn: [], dependents: [10], whoHas: [2, 3], nbytes: 8 }
    ])
  })

  it("forgets the oldest beyond its bound", () => {
    const script = run({ logBound: 5 })
    for (let id = 1; id <= 4; id++) {
      script.tell(compute(assignment([id, id])))
      script.tell(succeeded([id, id]))
    }
    assert.strictEqual(Recent.size(script.state.log), 5)
    assert.deepStrictEqual(Story.history(script.state, task([1, 1]).id), [])
    assert.strictEqual(Story.history(script.state, task([4, 4]).id).length, 3)
  })
})
