/**
 * What is true of every reachable state of a scheduler, between two batches. Each
 * truth has a name, to be quoted when it breaks.
 *
 * From dask.distributed `scheduler.py`, `validate_state` and `validate_task_state`,
 * and from reference/reliability.md §2.6. Of these do not apply here:
 *
 * - S6 (an index of keys with several replicas), S10 (counts of needed inputs per
 *   worker): there are no such indices; both are computed where they are used.
 * - S12 running and saturated as such, S21 and all else about actors: not in this
 *   slice. S12 lives on as open, idle and laden.
 * - S13's counters of spans and groups: kinds of tasks are what there is.
 * - S17 to S20, S27, S28: truths of histories, not of states (laws.test.ts; that
 *   every pair is in the table is edges.test.ts).
 * - S24: the bound is room by work (load.ts), held by "nobody is given a task
 *   without room" only at the moment of giving, as estimates change afterwards.
 * - S22's "a suspect is alone on its worker" is the worker's to keep: see `alone`.
 * - dask "erred tasks have no replicas", "memory has whoHas", "processing has a
 *   worker" and their like: a status that carries its data cannot lack it.
 * - dask "has a type name", "actor in one holder.actors": no such data.
 */
import * as IntSet from "../persistent/IntSet.ts"
import * as Ranked from "../persistent/Ranked.ts"
import * as Recent from "../persistent/Recent.ts"
import * as Vector from "../persistent/Vector.ts"
import type { Isolation, TaskId, WorkerId } from "@skein/protocol/Ids"
import { amountsOf, hasFree, isWished, offersEnough } from "./internal/demands.ts"
import { mayHold } from "./internal/data.ts"
import { isHeld, isNeeded } from "./internal/edges.ts"
import { hasRoom, isIdle, isLaden, isWatched } from "./internal/load.ts"
import {
  ATTEMPTS_KEPT,
  type Amount,
  type Client,
  type Demand,
  type Load,
  noCounts,
  type Processing,
  type State,
  statusName,
  type Stopping,
  type Task,
  type Worker
} from "./State.ts"

/** What is true of each task. */
const ofTasks: Record<string, (state: State, task: Task) => boolean> = {
  "a dependency knows its dependents, and a dependent its dependencies": (state, task) =>
    task.dependencies.every((id) => isMember(taskOf(state, id)?.dependents, task.id)) &&
    all(task.dependents, (id) => taskOf(state, id)?.dependencies.includes(task.id) === true),
  "a task with a rank comes after its dependencies, so none depends on itself": (state, task) =>
    task.rank < 0 || task.dependencies.every((id) => isBetween(taskOf(state, id)?.rank, 0, task.rank - 1)),
  "ranks and runs come from the counters": (state, task) =>
    task.rank < state.nextRank && (!hasRun(task.status) || isBetween(task.status.run, 0, state.nextRun - 1)),
  "a task in play has a rank": (_, task) => !isInPlay(task) || task.rank >= 0,
  "a task has as many waiters as it fills holes of tasks in play": (state, task) => task.waiters === waitersOf(state, task),
  "a waiting task waits for just those dependencies that are not in memory, or for its next attempt": (state, task) =>
    task.status._tag !== "Waiting" ||
    ((IntSet.size(task.status.waitingOn) > 0 || Vector.get(state.delays, task.id) !== undefined) &&
      IntSet.equals(task.status.waitingOn, IntSet.fromIterable(task.dependencies.filter((id) => !isInMemory(state, id))))),
  "what is waited for is in play itself": (state, task) =>
    task.status._tag !== "Waiting" || all(task.status.waitingOn, (id) => isInPlay(taskOf(state, id)) || isArriving(state, id)),
  "a task that is queued, processing or lacks only a worker has its dependencies in memory": (state, task) =>
    !isReady(task) || task.dependencies.every((id) => isInMemory(state, id)),
  "a queued task is in the queue, at its place": (state, task) =>
    (task.status._tag === "Queued") === (Ranked.get((demandOf(state, task) ?? state[task.isolation]).queue, task) === task.id),
  "a task lacks a worker when none may run it, and queues only where one may": (state, task) =>
    (task.status._tag === "NoWorker") === IntSet.has(state.noWorker, task.id) &&
    (task.status._tag !== "NoWorker" || !hasWorker(state, task)) && (task.status._tag !== "Queued" || hasWorker(state, task)),
  "a task is processing only where what it demands is, and where it is to": (state, task) => {
    const demand = demandOf(state, task)
    const worker = task.status._tag === "Processing" ? workerOf(state, task.status.worker) : undefined
    return demand === undefined || worker === undefined || (offersEnough(worker, demand) && (demand.allowOthers || isWished(worker, demand)))
  },
  "a task demands what its terms say": (state, task) => {
    const demand = demandOf(state, task)
    if (demand === undefined) return task.demand === undefined && amountsOf(task.terms?.resources).length + (task.terms?.workers.length ?? 0) === 0
    return task.terms !== undefined && demand.isolation === task.isolation && demand.workers.every((worker) => task.terms?.workers.includes(worker)) &&
      JSON.stringify(demand.amounts) === JSON.stringify(amountsOf(task.terms.resources))
  },
  "a task that lacks a worker is told of within twice the time, and fails a second too late at most": ({ config, lackingDue, wakeAt, warnedTo }, { status }) => {
    if (status._tag !== "NoWorker") return true
    const isDueBy = (at: number): boolean => at === Infinity || (lackingDue !== undefined && lackingDue <= at && isBetween(wakeAt, 0, lackingDue))
    return (status.since <= warnedTo || isDueBy(status.since + 2 * config.warnAfterMs)) && isDueBy(status.since + config.noWorkersTimeoutMs + 1_000)
  },
  "a processing task and its worker name each other": (state, task) =>
    task.status._tag !== "Processing" || isMember(workerOf(state, task.status.worker)?.processing, task.id),
  "a task asked back is asked for another connected worker, and had not begun": (state, task) =>
    task.status._tag !== "Processing" || task.status.takingBackFor === undefined ||
    (workerOf(state, task.status.takingBackFor) !== undefined && task.status.takingBackFor !== task.status.worker &&
      !task.status.started),
  "a task in memory has holders, and each knows it": (state, task) =>
    task.status._tag !== "Memory" ||
    (IntSet.size(task.status.whoHas) > 0 &&
      all(task.status.whoHas, (id) => isMember(workerOf(state, id)?.hasWhat, task.id))),
  "an erred task failed itself, or with a dependency that failed of the same": (state, task) => {
    if (task.status._tag !== "Erred" || task.status.origin === task.id) return true
    const { origin } = task.status
    return task.dependencies.some((id) => {
      const status = taskOf(state, id)?.status
      return status?._tag === "Erred" && status.origin === origin
    })
  },
  "whoever wants a task is connected, and knows it": (state, task) =>
    all(task.whoWants, (id) => isMember(clientOf(state, id)?.wantsWhat, task.id)),
  "what nobody needs is released, or is a failure that dependents failed with": (_, task) =>
    isNeeded(task) || task.status._tag === "Released" || task.status._tag === "Erred",
  "what nobody wants is kept for its dependents": (_, task) =>
    IntSet.size(task.whoWants) > 0 || IntSet.size(task.dependents) > 0,
  "what is needed is not released, unless its graph is not whole": (state, task) =>
    task.status._tag !== "Released" || !isNeeded(task) || isArriving(state, task.id) ||
    (isHeld(task) && IntSet.some(task.whoWants, (id) => includes(clientOf(state, id), task.id))),
  "data is never computed": (state, task) =>
    !IntSet.has(state.data, task.id) || task.status._tag === "Released" || task.status._tag === "Memory" || task.status._tag === "Erred",
  "retries and attempts keep within their limits": (state, task) =>
    task.trials.retriesLeft <= task.trials.retries && task.trials.deaths.length <= state.config.allowedFailures + 1 && task.trials.attempt >= 1
}

/** What is true of each worker. */
const ofWorkers: Record<string, (state: State, worker: Worker) => boolean> = {
  "only tasks that are processing there are on a worker": (state, worker) =>
    all(worker.processing, (id) => {
      const status = taskOf(state, id)?.status
      return status?._tag === "Processing" && status.worker === worker.id
    }),
  "a worker holds only what is in memory there, and its size is the sum": (state, worker) => {
    let nbytes = 0
    const isHolder = all(worker.hasWhat, (id) => {
      const status = taskOf(state, id)?.status
      if (status?._tag !== "Memory" || !IntSet.has(status.whoHas, worker.id)) return false
      nbytes += status.nbytes
      return true
    })
    return isHolder && nbytes === worker.nbytes
  },
  "a worker and the runs that are being stopped there name each other": (state, worker) =>
    all(worker.stopping, (id) => stoppingOf(state, id).some((entry) => entry.worker === worker.id)),
  "a worker's resources are occupied by what runs there and has not stopped, and by no more than it offers": (state, worker) => {
    const occupied = new Map<string, number>()
    const add = (amounts: ReadonlyArray<Amount>): void =>
      amounts.forEach(({ name, thousandths }) => void occupied.set(name, (occupied.get(name) ?? 0) + thousandths))
    IntSet.forEach(worker.processing, (id) => {
      const task = taskOf(state, id)
      if (task !== undefined) add(demandOf(state, task)?.amounts ?? [])
    })
    IntSet.forEach(worker.stopping, (id) => stoppingOf(state, id).forEach((entry) => entry.worker === worker.id ? add(entry.amounts) : undefined))
    return worker.offers.length === worker.occupied.length &&
      worker.offers.every(({ name, thousandths }, at) => worker.occupied[at] === (occupied.get(name) ?? 0) && (occupied.get(name) ?? 0) <= thousandths)
  },
  "a worker's load is the sum of what it was given": (state, worker) =>
    isLoad(worker.fiber, recount(state, worker, "fiber")) && isLoad(worker.thread, recount(state, worker, "thread")),
  "a worker is open, idle, laden and watched as its load says, and not at all once it is to be ended": (state, worker) =>
    isolations.every((isolation) => {
      const pool = state[isolation]
      const load = worker[isolation]
      return IntSet.has(pool.open, worker.id) === (!worker.ending && hasRoom(state.config, load)) &&
        IntSet.has(pool.idle, worker.id) === (!worker.ending && isIdle(load)) &&
        IntSet.has(pool.laden, worker.id) === (!worker.ending && isLaden(state.config, load)) &&
        IntSet.has(pool.watched, worker.id) === (!worker.ending && isWatched(load))
    })
}

/** What is true of the whole. */
const ofStates: Record<string, (state: State) => boolean> = {
  "only waiting tasks are delayed, they stand in the order of their times, and the first will be woken": (state) =>
    state.delays.size === state.delayed.size &&
    [...Ranked.entries(state.delayed)].every(([id, { priority }], at) =>
      taskOf(state, id)?.status._tag === "Waiting" && Vector.get(state.delays, id) === -priority &&
      (at > 0 || (state.wakeAt !== undefined && state.wakeAt <= -priority))),
  "past attempts are remembered of tasks that are known and not done, and not too many": (state) =>
    every(state.tried, (attempts, id) =>
      attempts.length > 0 && attempts.length <= ATTEMPTS_KEPT && taskOf(state, id)?.status._tag !== undefined &&
      taskOf(state, id)?.status._tag !== "Memory"),
  "records are stored under their ids": (state) =>
    every(state.tasks, (task, id) => task.id === id) && every(state.workers, (worker, id) => worker.id === id) &&
    every(state.clients, (client, id) => client.id === id) && every(state.kinds, (kind, code) => kind.code === code),
  "clients want only what is known, and it knows them": (state) =>
    every(state.clients, (client) => all(client.wantsWhat, (id) => isMember(taskOf(state, id)?.whoWants, client.id))),
  "tasks are counted right, all together and by kind": (state) => countsAreRight(state),
  "nothing is queued where it is not, and nothing while a worker has room": (state) =>
    isolations.every((isolation) => {
      const { open, queue } = state[isolation]
      if (queue.size === 0) return true
      return IntSet.size(open) === 0 &&
        [...Ranked.values(queue)].every((id) => taskOf(state, id)?.status._tag === "Queued")
    }),
  "time is watched while a worker has nothing to do and tasks wait elsewhere": (state) =>
    isolations.every((isolation) => {
      const { idle, queue, watched } = state[isolation]
      return queue.size > 0 || IntSet.size(idle) === 0 || IntSet.size(watched) === 0 || state.wakeAt !== undefined
    }),
  "suspects that were given to a worker, and not heard to have begun, are listed": (state) => {
    let suspects = 0
    Vector.forEach(state.tasks, ({ status, trials }) => {
      if (trials.suspect && status._tag === "Processing" && !status.started) suspects++
    })
    return suspects === IntSet.size(state.suspects) && all(state.suspects, (id) => {
      const task = taskOf(state, id)
      return task?.trials.suspect === true && task.status._tag === "Processing" && !task.status.started
    })
  },
  "a demand is some tasks', and knows its queue and the workers that may be given them": (state) => {
    const tasks = new Map<number, number>()
    Vector.forEach(state.tasks, ({ demand }) => demand === undefined ? undefined : void tasks.set(demand, (tasks.get(demand) ?? 0) + 1))
    return tasks.size === state.demands.size && every(state.demands, (demand, id) => {
      const may: Array<Worker> = []
      Vector.forEach(state.workers, (worker) => !worker.ending && offersEnough(worker, demand) ? void may.push(worker) : undefined)
      const wished = may.filter((worker) => isWished(worker, demand))
      const eligible = wished.length > 0 || !demand.allowOthers ? wished : may
      return demand.id === id && demand.tasks === tasks.get(id) &&
        IntSet.equals(demand.eligible, IntSet.fromIterable(eligible.map(({ id }) => id))) &&
        [...Ranked.values(demand.queue)].every((task) => taskOf(state, task)?.status._tag === "Queued" && taskOf(state, task)?.demand === id)
    })
  },
  "the first in its line could not be started anywhere, but where resources are reserved for one that goes before": (state) =>
    isolations.every((isolation) => {
      const heads: Array<{ readonly task: Task; readonly demand: Demand }> = []
      Vector.forEach(state.demands, (demand) => {
        const task = demand.isolation === isolation && demand.queue.size > 0 ? taskOf(state, Ranked.first(demand.queue) ?? -1) : undefined
        if (task !== undefined) heads.push({ task, demand })
      })
      heads.sort((a, b) => b.task.priority - a.task.priority || a.task.rank - b.task.rank)
      const before = new Set<string>()
      return heads.every(({ demand }) => {
        const isFree = IntSet.some(demand.eligible, (id) => {
          const worker = workerOf(state, id)
          return worker !== undefined && IntSet.has(state[isolation].open, id) && hasFree(worker, demand)
        })
        const mayWait = demand.amounts.some(({ name }) => before.has(name))
        for (const { name } of demand.amounts) before.add(name)
        return !isFree || mayWait
      })
    }),
  "data that is known is some task's, and what arrives is released, and sent by a client that wants it": (state) =>
    all(state.data, (id) => taskOf(state, id) !== undefined) &&
    every(state.arriving, ({ client, run, workers }, id) => {
      const task = taskOf(state, id)
      return task?.status._tag === "Released" && IntSet.has(state.data, task.id) && isMember(task.whoWants, client) &&
        (run === undefined ? workers.length === 0 : run < state.nextRun && workers.length > 0 && workers.every((worker) => workerOf(state, worker) !== undefined))
    }),
  "only tasks without a worker are listed as such": (state) =>
    all(state.noWorker, (id) => taskOf(state, id)?.status._tag === "NoWorker"),
  "slots are the sum over the workers that are not to be ended, and only these are open, idle, laden or watched": (state) =>
    isolations.every((isolation) => {
      const pool = state[isolation]
      const isKnown = (id: WorkerId) => workerOf(state, id) !== undefined
      let slots = 0
      Vector.forEach(state.workers, (worker) => {
        if (!worker.ending) slots += worker[isolation].slots
      })
      return pool.slots === slots && all(pool.open, isKnown) && all(pool.idle, isKnown) && all(pool.laden, isKnown) && all(pool.watched, isKnown)
    }),
  "runs are being stopped only on connected workers, and time is watched for them": (state) =>
    every(state.stopping, (entries, id) =>
      entries.length > 0 && entries.every((entry) => {
        const worker = workerOf(state, entry.worker)
        return isMember(worker?.stopping, id) &&
          (worker?.ending === true || isBetween(state.wakeAt, 0, entry.since + state.config.stopWithinMs))
      })),
  "an open question is a connected client's, and waits for as many runs as name it": (state) =>
    every(state.asks, (question, place) => {
      if (clientOf(state, question.client) === undefined) return false
      if (question._tag === "Workers") return !(stayingWorkers(state) >= question.count)
      if (question._tag === "Data") {
        let isThere = false
        Vector.forEach(state.workers, (worker) => void (isThere ||= mayHold(worker, question.workers)))
        return !isThere
      }
      let running = 0
      Vector.forEach(state.stopping, (entries) =>
        entries.forEach(({ asks }) => {
          if (asks.includes(place)) running++
        }))
      return question.running > 0 && question.running === running
    }),
  "the log keeps within its length": (state) =>
    state.log.length === state.config.logLength && Recent.isWhole(state.log)
}

/** Names of the truths that `state` breaks, with the first task or worker of which they are not true; empty when all is well. */
export const broken = (state: State): ReadonlyArray<string> => {
  const names = new Map<string, string>()
  Vector.forEach(state.tasks, (task) => {
    for (const [name, isTrue] of allOfTasks) {
      if (!isTrue(state, task) && !names.has(name)) names.set(name, `${name} (task ${task.id})`)
    }
  })
  Vector.forEach(state.workers, (worker) => {
    for (const [name, isTrue] of allOfWorkers) {
      if (!isTrue(state, worker) && !names.has(name)) names.set(name, `${name} (worker ${worker.id})`)
    }
  })
  for (const [name, isTrue] of allOfStates) if (!isTrue(state)) names.set(name, name)
  return [...names.values()]
}

const allOfTasks = Object.entries(ofTasks)
const allOfWorkers = Object.entries(ofWorkers)
const allOfStates = Object.entries(ofStates)

/** Every truth there is, by name. */
export const names: ReadonlyArray<string> = [ofTasks, ofWorkers, ofStates].flatMap((truths) => Object.keys(truths))

const isolations: ReadonlyArray<Isolation> = ["fiber", "thread"]

const taskOf = (state: State, id: number): Task | undefined => Vector.get(state.tasks, id)

const workerOf = (state: State, id: number): Worker | undefined => Vector.get(state.workers, id)

const clientOf = (state: State, id: number): Client | undefined => Vector.get(state.clients, id)

const stoppingOf = (state: State, id: number): ReadonlyArray<Stopping> => Vector.get(state.stopping, id) ?? []

const demandOf = (state: State, { demand }: Task): Demand | undefined => demand === undefined ? undefined : Vector.get(state.demands, demand)

const hasWorker = (state: State, task: Task): boolean => {
  const demand = demandOf(state, task)
  return demand === undefined ? state[task.isolation].slots > 0 : IntSet.size(demand.eligible) > 0
}

const isMember = (set: IntSet.IntSet | undefined, id: number): boolean => set !== undefined && IntSet.has(set, id)

const includes = (client: Client | undefined, id: TaskId): boolean =>
  client !== undefined && ([...Vector.values(client.unfinished)].includes(id) || [...Vector.values(client.refused)].includes(id))

const all = <Id extends number>(set: IntSet.IntSet<Id>, test: (id: Id) => boolean): boolean =>
  !IntSet.some(set, (id) => !test(id))

/** Those that are being ended count no more. */
const stayingWorkers = (state: State): number => {
  let count = 0
  Vector.forEach(state.workers, ({ ending }) => void (ending || count++))
  return count
}

const every = <A>(vector: Vector.Vector<A>, test: (value: A, index: number) => boolean): boolean => {
  let isTrue = true
  Vector.forEach(vector, (value, index) => {
    if (isTrue) isTrue = test(value, index)
  })
  return isTrue
}

const isBetween = (value: number | undefined, low: number, high: number): boolean =>
  value !== undefined && value >= low && value <= high

const isInMemory = (state: State, id: number): boolean => taskOf(state, id)?.status._tag === "Memory"

const isReady = ({ status }: Task): boolean =>
  status._tag === "NoWorker" || status._tag === "Queued" || status._tag === "Processing"

const isInPlay = (task: Task | undefined): boolean =>
  task !== undefined && (task.status._tag === "Waiting" || isReady(task))

const isArriving = (state: State, id: TaskId): boolean => Vector.get(state.arriving, id) !== undefined

const hasRun = (status: Task["status"]): status is Extract<Task["status"], { readonly run: unknown }> =>
  status._tag === "Processing" || status._tag === "Memory"

const waitersOf = (state: State, task: Task): number => {
  let holes = 0
  IntSet.forEach(task.dependents, (id) => {
    const dependent = taskOf(state, id)
    if (dependent === undefined || !isInPlay(dependent)) return
    for (const dependency of dependent.dependencies) if (dependency === task.id) holes++
  })
  return holes
}

/** What follows from a worker's tasks. */
type Counted = Omit<Load, "movedAt" | "stalledMs">

const isLoad = (kept: Load, counted: Counted): boolean =>
  kept.assigned === counted.assigned && kept.occupancyMs === counted.occupancyMs && kept.leaving === counted.leaving &&
  kept.coming === counted.coming

/** The load of one worker, from scratch. */
const recount = (state: State, worker: Worker, isolation: Isolation): Counted => {
  const counted = { slots: worker[isolation].slots, assigned: 0, occupancyMs: 0, leaving: 0, coming: comingTo(state, worker.id, isolation) }
  forEachProcessing(state, worker.processing, isolation, ({ expectedMs, seceded, takingBackFor }) => {
    if (takingBackFor !== undefined) counted.leaving++
    if (seceded) return
    counted.assigned++
    counted.occupancyMs += expectedMs
  })
  IntSet.forEach(worker.stopping, (id) => {
    for (const entry of stoppingOf(state, id)) {
      if (entry.worker !== worker.id || entry.isolation !== isolation || !entry.hasSlot) continue
      counted.assigned++
      counted.occupancyMs += entry.expectedMs
    }
  })
  return counted
}

const comingTo = (state: State, thief: WorkerId, isolation: Isolation): number => {
  let coming = 0
  Vector.forEach(state.workers, (worker) =>
    forEachProcessing(state, worker.processing, isolation, ({ takingBackFor }) => {
      if (takingBackFor === thief) coming++
    }))
  return coming
}

const forEachProcessing = (state: State, ids: IntSet.IntSet<TaskId>, isolation: Isolation, visit: (status: Processing) => void): void =>
  IntSet.forEach(ids, (id) => {
    const task = taskOf(state, id)
    if (task?.isolation === isolation && task.status._tag === "Processing") visit(task.status)
  })

const countsAreRight = (state: State): boolean => {
  const counted = { ...noCounts }
  const byKind = new Map<number, { -readonly [Status in keyof typeof noCounts]: number }>()
  Vector.forEach(state.tasks, (task) => {
    const status = statusName[task.status._tag]
    const kind = byKind.get(task.code) ?? { ...noCounts }
    byKind.set(task.code, kind)
    kind[status]++
    counted[status]++
  })
  return areSame(counted, state.counts) && [...byKind.keys()].every((code) => Vector.get(state.kinds, code) !== undefined) &&
    every(state.kinds, (kind, code) => areSame(byKind.get(code) ?? noCounts, kind.counts))
}

const areSame = (a: typeof noCounts, b: typeof noCounts): boolean =>
  countedStatuses.every((status) => a[status] === b[status])

const countedStatuses = Object.values(statusName)
