/**
 * What a task's whole life costs in the pure reducer of the scheduler alone:
 * submitted, assigned, finished, released and forgotten, beside a population
 * that stays.
 *
 * Only `reduce` is timed, and its heap; the shell is played by arrays. Time is
 * processor time of this thread, so that a busy machine disturbs less. Garbage
 * is what the heap grows by in between collections, as a sum.
 */
import { Effect } from "effect"
import type { Command } from "@skein/core/scheduler/Command"
import type { Event, NewTask } from "@skein/core/scheduler/Event"
import { reduce } from "@skein/core/scheduler/Reducer"
import { empty, type State } from "@skein/core/scheduler/State"
import { ClientId, CodeId, type RunId, TaskId, WorkerId } from "@skein/protocol/Ids"
import { Bench } from "../harness/Bench.ts"
import { type Figure, row, rows } from "../harness/measure.ts"
import { count, fanOut, type Graph, map, merge, sinks, treeOf } from "../workloads.ts"

interface Row {
  readonly id: TaskId
  readonly run: RunId
  readonly nbytes: number
  readonly ms: number
}

/** Microseconds that this thread has computed. */
const cpu = (): number => {
  const { system, user } = process.threadCpuUsage()
  return user + system
}

const client = ClientId.make(0)
const code = CodeId.make(1)
const args = new Uint8Array(20)

/** A scheduler's state, and somebody who plays what is around it. */
const makeRig = (workers: number) => {
  let state: State = empty()
  let batch = 500
  let us = 0
  let steps = 0
  let garbage = 0
  let nextId = 0
  const free: Array<TaskId> = []
  const assigned = new Map<WorkerId, Array<Row>>()
  /** What workers that others would relieve have to say to that. */
  const givenBack: Array<Event> = []

  const carry = (commands: ReadonlyArray<Command>) => {
    for (const command of commands) {
      if (command._tag === "Forgotten") free.push(command.id)
      else if (command._tag === "ComputeTask") {
        const rows = assigned.get(command.worker) ?? []
        assigned.set(command.worker, rows)
        rows.push({ id: command.id, run: command.run, nbytes: 28, ms: 0.001 })
      } else if (command._tag === "TakeBack") givenBack.push(giveBack(command))
    }
  }
  const giveBack = ({ id, run, worker }: Extract<Command, { readonly _tag: "TakeBack" }>): Event => {
    const rows = assigned.get(worker) ?? []
    const at = rows.findIndex((row) => row.run === run)
    const returned = at >= 0
    if (returned) rows.splice(at, 1)
    if (rows.length === 0) assigned.delete(worker)
    return { _tag: "TakeBacksAnswered", at: 1, worker, rows: [{ id, run, returned }] }
  }
  const step = (events: ReadonlyArray<Event>, measureHeap: boolean) => {
    const heap = measureHeap ? process.memoryUsage().heapUsed : 0
    const since = cpu()
    const next = reduce(state, events)
    us += cpu() - since
    // A collection in between makes it smaller; such a step is left out of the sum and the count.
    const grown = measureHeap ? process.memoryUsage().heapUsed - heap : 0
    if (grown > 0) {
      garbage += grown
      steps++
    }
    state = next.state
    carry(next.commands)
  }
  const inParts = <A>(all: ReadonlyArray<A>, tell: (part: ReadonlyArray<A>, isLast: boolean) => void) => {
    for (let at = 0; at < all.length; at += batch) tell(all.slice(at, at + batch), at + batch >= all.length)
  }
  const release = (ids: ReadonlyArray<TaskId>, heap = false) =>
    inParts(ids, (part) => step([{ _tag: "KeysReleased", at: 1, client, ids: part }], heap))
  const finishAll = (heap: boolean) => {
    while (assigned.size + givenBack.length > 0) {
      const events = givenBack.splice(0)
      let taken = 0
      for (const [worker, queue] of assigned) {
        const rows = queue.splice(0, Math.max(1, batch - taken))
        if (queue.length === 0) assigned.delete(worker)
        taken += rows.length
        events.push({ _tag: "TasksFinished", at: 1, worker, rows })
        if (taken >= batch) break
      }
      step(events, heap)
    }
  }
  /** Submits a graph, lets go of what others need unless all is to be held, has all of it done; what is left is still wanted. */
  const live = ({ graph, holdAll }: Shape, heap = false): ReadonlyArray<TaskId> => {
    const ids = graph.deps.map(() => free.pop() ?? TaskId.make(nextId++))
    const tasks = graph.deps.map((needs, at): NewTask => ({
      id: ids[at]!,
      code,
      args,
      dependencies: needs.map((need) => ids[need]!),
      priority: 0,
      retries: 0,
      isolation: "thread"
    }))
    inParts(tasks, (part, last) => step([{ _tag: "TasksSubmitted", at: 1, client, tasks: part, last }], heap))
    const kept = new Set(holdAll ? ids.keys() : sinks(graph))
    release(ids.filter((_, at) => !kept.has(at)), heap)
    finishAll(heap)
    return [...kept].map((at) => ids[at]!)
  }

  step([{ _tag: "ClientJoined", at: 1, client, name: "bench" }], false)
  for (let worker = 0; worker < workers; worker++) {
    step([{ _tag: "WorkerJoined", at: 1, worker: WorkerId.make(worker), name: `w${worker}`, nthreads: 1, nfibers: 1, holds: [] }], false)
  }
  return {
    live,
    release,
    /** How many rows an event has from now on. */
    setBatch: (rows: number) => {
      batch = rows
    },
    tasks: () => state.tasks.size,
    /** Since it was last asked. */
    used: () => {
      const found = { us, garbagePerStep: steps === 0 ? 0 : garbage / steps }
      us = 0
      steps = 0
      garbage = 0
      return found
    }
  }
}

interface Shape {
  readonly graph: Graph
  /** Whether the client keeps what other tasks need, too. */
  readonly holdAll: boolean
}

/** Three tasks in a row, many times. */
const chains = (n: number): Graph => ({ ...map(n), name: "chains of 3", deps: Array.from({ length: Math.floor(n / 3) * 3 }, (_, i) => i % 3 === 0 ? [] : [i - 1]) })

const shapes: ReadonlyArray<readonly [name: string, make: (n: number) => Shape]> = [
  ["map", (n) => ({ graph: map(n), holdAll: true })],
  ["chain", (n) => ({ graph: chains(n), holdAll: true })],
  ["tree", (n) => ({ graph: treeOf(n), holdAll: false })],
  ["merge", (n) => ({ graph: merge(n), holdAll: false })],
  ["fan-out", (n) => ({ graph: fanOut(n), holdAll: true })]
]

const populate = (rig: ReturnType<typeof makeRig>, living: number) => rig.live({ graph: map(living), holdAll: true })

const measure = Effect.fnUntraced(function*(name: string, make: (n: number) => Shape, living: number, batch: number, workers: number) {
  const { wants } = yield* Bench
  const title = `${name}, ${count(living)} live, batches of ${batch}${workers === 24 ? "" : `, ${workers} workers`}`
  const figures: ReadonlyArray<Figure> = [
    { name: title, unit: "µs a life" },
    { name: `${title}: garbage`, unit: "KiB a step" }
  ]
  if (!figures.some((figure) => wants(figure.name))) return
  const rig = makeRig(workers)
  for (let i = 0; i < 4; i++) rig.release(rig.live(make(20_000)))
  const kept = populate(rig, living)
  rig.setBatch(batch)
  const one = make(Math.min(living, batch === 1 ? 20_000 : 100_000))
  const lives = one.graph.deps.length
  yield* rows({
    figures,
    round: Effect.sync(() => {
      rig.used()
      rig.release(rig.live(one))
      const { us } = rig.used()
      // Once more for the heap, for asking about it takes its time.
      rig.release(rig.live(one, true), true)
      const { garbagePerStep } = rig.used()
      if (rig.tasks() !== kept.length) throw new Error(`${rig.tasks()} tasks are left of ${kept.length}`)
      return [us / lives, garbagePerStep / 1024]
    }),
    processes: () => ({ "with all around": [process.pid] }),
    work: lives * 2,
    per: "life"
  })
})

/** Bytes of heap for each task that is kept, with its result in some worker's memory. */
const memory = (living: number) =>
  row({
    name: `heap, ${count(living)} live`,
    unit: "B a task",
    round: Effect.sync(() => {
      const rig = makeRig(24)
      globalThis.gc?.()
      const before = process.memoryUsage().heapUsed
      populate(rig, living)
      globalThis.gc?.()
      const bytes = process.memoryUsage().heapUsed - before
      // Asked last, so that the state is alive until now.
      if (rig.tasks() !== living) throw new Error(`${rig.tasks()} tasks are there and not ${living}`)
      return bytes / living
    }),
    processes: () => ({})
  })

export const reducer = Effect.gen(function*() {
  const { options } = yield* Bench
  if (options.extent === "quick") {
    for (const [name, make] of shapes.filter(([name]) => name === "map" || name === "tree")) yield* measure(name, make, 10_000, 500, 24)
    return
  }
  for (const living of [10_000, 100_000, 1_000_000]) {
    for (const batch of [500, 1]) {
      for (const [name, make] of shapes) yield* measure(name, make, living, batch, 24)
    }
    yield* memory(living)
  }
  yield* measure(...shapes[0]!, 100_000, 500, 1_000)
})
