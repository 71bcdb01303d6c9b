/** The checks of a step see in that step what a recount of everything sees: of walks that are whole, and of errors of every kind at drawn moments. */
import { assert, describe, it } from "@effect/vitest"
import * as IntSet from "@skein/core/persistent/IntSet"
import { makeOwner, type Owner } from "@skein/core/persistent/Owner"
import * as Ranked from "@skein/core/persistent/Ranked"
import * as Vector from "@skein/core/persistent/Vector"
import * as SchedulerInvariants from "@skein/core/scheduler/Invariants"
import type * as Scheduler from "@skein/core/scheduler/State"
import * as WorkerInvariants from "@skein/core/worker/Invariants"
import type * as Worker from "@skein/core/worker/State"
import * as ClientShell from "../../src/reducers/ClientShell.ts"
import { inject, operate } from "../../src/reducers/Doing.ts"
import { draw } from "../../src/reducers/Generate.ts"
import { happen } from "../../src/reducers/Happening.ts"
import * as SchedulerShell from "../../src/reducers/SchedulerShell.ts"
import { Stage } from "../../src/reducers/Stage.ts"
import { StepChecks } from "../../src/reducers/StepChecks.ts"
import * as WorkerShell from "../../src/reducers/WorkerShell.ts"
import { Broken, type Observer } from "../../src/reducers/World.ts"

type Hears = Pick<Observer, "schedulerStepped" | "workerStepped">

/** Goes through the case of a seed, with its faults, until all is at rest or `hears` throws. */
const walk = (seed: number, hears: (checks: StepChecks) => Hears): void => {
  const theCase = draw(seed, "light", 20)
  let checks: StepChecks | undefined
  const stage = new Stage(theCase, (stage) =>
    happen(stage, false, {
      schedulerStepped: (...step) => hears(checks ??= new StepChecks(stage.world)).schedulerStepped(...step),
      workerStepped: (...step) => hears(checks ??= new StepChecks(stage.world)).workerStepped(...step)
    }))
  for (const process of stage.world.processes) stage.at(0, () => WorkerShell.start(stage.world, process))
  for (const client of stage.world.clients) {
    stage.at(0, () => {
      SchedulerShell.clientJoined(stage.world, client)
      ClientShell.submit(stage.world, client, theCase.tasks.flatMap((task, place) => task.client === client.number ? [place] : []), 2)
    })
  }
  for (const operation of theCase.operations) stage.at(operation.at, () => operate(stage, operation))
  for (const fault of theCase.faults) stage.at(fault.at, () => inject(stage, fault))
  stage.at(theCase.healAt, () => stage.heal())
  stage.goOnUntil(() => stage.healed)
}

/** An error in a state, if there is a place for it. */
type Error<State> = (state: State, owner: Owner) => State | undefined

const first = <A>(vector: Vector.Vector<A>, test: (value: A) => boolean): A | undefined => {
  for (const value of Vector.values(vector)) if (test(value)) return value
  return undefined
}

const inTask = (state: Scheduler.State, owner: Owner, test: (task: Scheduler.Task) => boolean, change: (task: Scheduler.Task) => Partial<Scheduler.Task>): Scheduler.State | undefined => {
  const task = first(state.tasks, test)
  return task === undefined ? undefined : { ...state, tasks: Vector.set(state.tasks, owner, task.id, { ...task, ...change(task), owner }) }
}

const inWorker = (state: Scheduler.State, owner: Owner, test: (worker: Scheduler.Worker) => boolean, change: (worker: Scheduler.Worker) => Partial<Scheduler.Worker>): Scheduler.State | undefined => {
  const worker = first(state.workers, test)
  return worker === undefined ? undefined : { ...state, workers: Vector.set(state.workers, owner, worker.id, { ...worker, ...change(worker), owner }) }
}

/** The set without its least. */
const less = <Id extends number>(set: IntSet.IntSet<Id>, owner: Owner): IntSet.IntSet<Id> => {
  const least = IntSet.min(set)
  return least === undefined ? set : IntSet.remove(set, owner, least)
}

// No walk has so many workers.
const nobody = 999 as Scheduler.Worker["id"]

const schedulerErrors: Readonly<Record<string, Error<Scheduler.State>>> = {
  "a count of a status": (state) => ({ ...state, counts: { ...state.counts, waiting: state.counts.waiting + 1 } }),
  "a holder that is forgotten": (state, owner) =>
    inTask(state, owner, ({ status }) => status._tag === "Memory" && IntSet.size(status.whoHas) > 1, ({ status }) =>
      status._tag === "Memory" ? { status: { ...status, whoHas: less(status.whoHas, owner) } } : {}),
  "a result without a holder": (state, owner) =>
    inTask(state, owner, ({ status }) => status._tag === "Memory", ({ status }) => status._tag === "Memory" ? { status: { ...status, whoHas: IntSet.empty() } } : {}),
  "a wish that is forgotten": (state, owner) => inTask(state, owner, ({ whoWants }) => IntSet.size(whoWants) > 0, ({ whoWants }) => ({ whoWants: less(whoWants, owner) })),
  "a task that waits for too little": (state, owner) =>
    inTask(state, owner, ({ status }) => status._tag === "Waiting" && IntSet.size(status.waitingOn) > 0, ({ status }) =>
      status._tag === "Waiting" ? { status: { ...status, waitingOn: less(status.waitingOn, owner) } } : {}),
  "a task that left its worker's list": (state, owner) =>
    inWorker(state, owner, ({ processing }) => IntSet.size(processing) > 0, ({ processing }) => ({ processing: less(processing, owner) })),
  "a result that left its holder's list": (state, owner) => inWorker(state, owner, ({ hasWhat }) => IntSet.size(hasWhat) > 0, ({ hasWhat }) => ({ hasWhat: less(hasWhat, owner) })),
  "bytes of a worker": (state, owner) => inWorker(state, owner, () => true, ({ nbytes }) => ({ nbytes: nbytes + 1 })),
  "a slot too many": (state, owner) => inWorker(state, owner, () => true, ({ fiber }) => ({ fiber: { ...fiber, assigned: fiber.assigned + 1 } })),
  "occupancy that drifts": (state, owner) => inWorker(state, owner, () => true, ({ thread }) => ({ thread: { ...thread, occupancyMs: thread.occupancyMs + 1 } })),
  "a task that is thought to be asked back": (state, owner) => inWorker(state, owner, () => true, ({ fiber }) => ({ fiber: { ...fiber, coming: fiber.coming + 1 } })),
  "a task that is asked back for who has left": (state, owner) =>
    inTask(state, owner, ({ status }) => status._tag === "Processing" && status.takingBackFor === undefined, ({ status }) =>
      status._tag === "Processing" ? { status: { ...status, takingBackFor: nobody } } : {}),
  "a retry too many": (state, owner) => inTask(state, owner, () => true, ({ trials }) => ({ trials: { ...trials, retriesLeft: trials.retries + 1 } })),
  "what left the queue": (state, owner) => {
    const task = first(state.tasks, ({ demand, status }) => status._tag === "Queued" && demand === undefined)
    if (task === undefined) return undefined
    const pool = state[task.isolation]
    return { ...state, [task.isolation]: { ...pool, queue: Ranked.remove(pool.queue, owner, task) } }
  },
  "what is said to lack a worker": (state, owner) => ({ ...state, noWorker: IntSet.add(state.noWorker, owner, first(state.tasks, ({ status }) => status._tag !== "NoWorker")?.id ?? 0 as Scheduler.Task["id"]) })
}

const here = (state: Worker.State, owner: Owner, test: (task: Worker.Task) => boolean, change: (task: Worker.Task) => Partial<Worker.Task>): Worker.State | undefined => {
  const task = first(state.tasks, test)
  return task === undefined ? undefined : { ...state, tasks: Vector.set(state.tasks, owner, task.id, { ...task, ...change(task), owner }) }
}

const workerErrors: Readonly<Record<string, Error<Worker.State>>> = {
  "a count of a status": (state) => ({ ...state, counts: { ...state.counts, Ready: state.counts.Ready + 1 } }),
  "a slot that is held for ever": (state) => ({ ...state, threads: state.threads + 1 }),
  "more bodies than slots": (state) => state.fibers === 0 ? undefined : { ...state, nfibers: state.fibers - 1 },
  "what runs": (state) => ({ ...state, running: state.running + 1 }),
  "bytes in memory": (state) => ({ ...state, nbytes: state.nbytes + 1 }),
  "bytes under way": (state) => ({ ...state, gatherBytes: state.gatherBytes + 1 }),
  "a run that is another's": (state, owner) => here(state, owner, ({ status }) => status._tag === "Executing", ({ run }) => ({ run: run + 1 as Worker.Task["run"] })),
  "a task that waits for nothing": (state, owner) => here(state, owner, ({ status }) => status._tag === "Waiting", () => ({ status: { _tag: "Waiting", waitingOn: IntSet.empty() } })),
  "a result under way that is larger than was counted": (state, owner) =>
    here(state, owner, ({ status }) => status._tag === "Flight", ({ status }) => status._tag === "Flight" ? { status: { ...status, nbytes: status.nbytes + 1 } } : {})
}

/** Thrown once the error has been seen: the walk has served its end. */
class Seen extends globalThis.Error {}

/** Puts the error into the state after a step, the `nth` that has a place for it: whether there was one. The checks must see it at once, and so must the recount. */
const isSeen = <State>(name: string, error: Error<State>, seed: number, nth: number, broken: (state: State) => ReadonlyArray<string>, watch: (put: (state: State, check: (state: State) => void) => void) => (checks: StepChecks) => Hears): boolean => {
  let left = nth
  const put = (state: State, check: (state: State) => void): void => {
    const wrong = error(state, makeOwner())
    if (wrong === undefined || left-- > 0) return check(state)
    assert.isNotEmpty(broken(wrong), `the recount does not see ${name}, seed ${seed}`)
    try {
      check(wrong)
    } catch (seen) {
      if (seen instanceof Broken) throw new Seen()
      throw seen
    }
    assert.fail(`the step's checks do not see ${name}, seed ${seed}`)
  }
  try {
    walk(seed, watch(put))
    return false
  } catch (error) {
    if (error instanceof Seen) return true
    throw error
  }
}

const seeds = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]

describe("the checks of a step", () => {
  it("find nothing in a walk in which the recount of every state finds nothing", () => {
    for (const seed of seeds.slice(0, 3)) {
      walk(seed, (checks) => ({
        schedulerStepped: (before, events, step) => {
          assert.isEmpty(SchedulerInvariants.broken(step.state))
          checks.scheduler(before, events, step)
        },
        workerStepped: (process, before, events, step) => {
          assert.isEmpty(WorkerInvariants.broken(step.state))
          checks.worker(process, before, events, step)
        }
      }))
    }
  })

  for (const [name, error] of Object.entries(schedulerErrors)) {
    it(`of the scheduler see in its step what a recount sees: ${name}`, () => {
      const seen = seeds.filter((seed) =>
        isSeen(name, error, seed, seed % 7, SchedulerInvariants.broken, (put) => (checks) => ({
          schedulerStepped: (before, events, step) => put(step.state, (state) => checks.scheduler(before, events, { ...step, state })),
          workerStepped: () => {}
        })))
      assert.isNotEmpty(seen, "no walk had a place for it")
    })
  }

  for (const [name, error] of Object.entries(workerErrors)) {
    it(`of a worker see in its step what a recount sees: ${name}`, () => {
      const seen = seeds.filter((seed) =>
        isSeen(name, error, seed, seed % 3, WorkerInvariants.broken, (put) => (checks) => ({
          schedulerStepped: () => {},
          workerStepped: (process, before, events, step) => put(step.state, (state) => checks.worker(process, before, events, { ...step, state }))
        })))
      assert.isNotEmpty(seen, "no walk had a place for it")
    })
  }
})
