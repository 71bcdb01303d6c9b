/**
 * What a task's whole life costs in the scheduler's reducer: submitted, assigned,
 * finished, released and forgotten, in µs, beside a population that stays.
 *
 *   node packages/core/test/scheduler/bench.ts [shape] [live] [batch] [workers]
 *
 * Shapes: map, chain (of three, all held), tree, merge, fan. Only the reducer is
 * timed, in CPU time of its thread, so that a busy machine disturbs less; the
 * shell is played by arrays.
 */
import type { Command } from "@skein/core/scheduler/Command"
import type { Event, NewTask } from "@skein/core/scheduler/Event"
import { reduce } from "@skein/core/scheduler/Reducer"
import { empty, type State } from "@skein/core/scheduler/State"
import type { ClientId, CodeId, RunId, TaskId, WorkerId } from "@skein/protocol/Ids"
/** µs that this thread has computed. */
const cpu = (): number => {
  const { system, user } = process.threadCpuUsage()
  return user + system
}

type Shape = "map" | "chain" | "tree" | "merge" | "fan"
type Row = { readonly id: TaskId; readonly run: RunId; readonly nbytes: number; readonly ms: number }

const shapes: ReadonlyArray<Shape> = ["map", "chain", "tree", "merge", "fan"]
const args = new Uint8Array(20)
const client = 0 as ClientId

const measure = (shape: Shape, live: number, batch: number, workerCount: number) => {
  let state: State = empty()
  let reducerUs = 0
  let nextId = 0
  const free: Array<number> = []
  const assigned = new Map<WorkerId, Array<Row>>()
  /** What was asked back, and is given back: nothing has begun before it is finished. */
  const answers: Array<Event> = []

  const carry = (commands: ReadonlyArray<Command>) => {
    for (const command of commands) {
      if (command._tag === "Forgotten") free.push(command.id)
      else if (command._tag === "ComputeTask") {
        const rows = assigned.get(command.worker) ?? []
        assigned.set(command.worker, rows)
        rows.push({ id: command.id, run: command.run, nbytes: 28, ms: 0.001 })
      } else if (command._tag === "TakeBack") {
        const { id, run, worker } = command
        const rows = assigned.get(worker) ?? []
        const at = rows.findIndex((row) => row.run === run)
        // What has been finished needs no answer.
        if (at < 0) continue
        rows.splice(at, 1)
        if (rows.length === 0) assigned.delete(worker)
        answers.push({ _tag: "TakeBacksAnswered", at: 1, worker, rows: [{ id, run, returned: true }] })
      }
    }
  }
  const step = (events: ReadonlyArray<Event>) => {
    const from = cpu()
    const next = reduce(state, events)
    reducerUs += cpu() - from
    state = next.state
    carry(next.commands)
  }
  const newTask = (dependencies: ReadonlyArray<TaskId>): NewTask => ({
    id: (free.pop() ?? nextId++) as TaskId,
    code: 1 as CodeId,
    args,
    dependencies,
    priority: 0,
    retries: 0,
    isolation: "thread"
  })
  const inParts = <A>(all: ReadonlyArray<A>, tell: (part: ReadonlyArray<A>, isLast: boolean) => void) => {
    for (let at = 0; at < all.length; at += batch) tell(all.slice(at, at + batch), at + batch >= all.length)
  }
  const submit = (tasks: ReadonlyArray<NewTask>) =>
    inParts(tasks, (part, last) => step([{ _tag: "TasksSubmitted", at: 1, client, tasks: part, last }]))
  const release = (ids: ReadonlyArray<TaskId>) =>
    inParts(ids, (part) => step([{ _tag: "KeysReleased", at: 1, client, ids: part }]))
  const finishAll = () => {
    while (assigned.size > 0 || answers.length > 0) {
      const events = answers.splice(0)
      let count = 0
      for (const [worker, queue] of assigned) {
        const rows = queue.splice(0, Math.max(1, batch - count))
        if (queue.length === 0) assigned.delete(worker)
        count += rows.length
        events.push({ _tag: "TasksFinished", at: 1, worker, rows })
        if (count >= batch) break
      }
      step(events)
    }
  }
  /** Tasks of a graph, and those that the client keeps; it releases the others once they are submitted. */
  const build = (count: number, kind: Shape): { readonly tasks: Array<NewTask>; readonly inner: Array<TaskId> } => {
    const tasks: Array<NewTask> = []
    const inner: Array<TaskId> = []
    const add = (...dependencies: ReadonlyArray<TaskId>) => {
      const task = newTask(dependencies)
      tasks.push(task)
      return task.id
    }
    if (kind === "map") for (let i = 0; i < count; i++) add()
    if (kind === "chain") for (let i = 0; i < count / 3; i++) add(add(add()))
    if (kind === "fan") for (let i = 0, root = add(); i < count; i++) add(root)
    if (kind === "merge") {
      for (let i = 0; i < count; i++) inner.push(add())
      add(...inner)
    }
    if (kind === "tree") {
      let level = Array.from({ length: count / 2 }, () => add())
      while (level.length > 1) {
        inner.push(...level)
        level = Array.from({ length: level.length >> 1 }, (_, i) => add(level[2 * i]!, level[2 * i + 1]!))
      }
    }
    return { tasks, inner }
  }
  const life = (count: number, kind: Shape) => {
    const { inner, tasks } = build(count, kind)
    const ids = tasks.map(({ id }) => id)
    submit(tasks)
    release(inner)
    finishAll()
    const isInner = new Set(inner)
    return { count: tasks.length, left: ids.filter((id) => !isInner.has(id)) }
  }

  step([{ _tag: "ClientJoined", at: 1, client, name: "bench" }])
  for (let id = 0; id < workerCount; id++) {
    step([{ _tag: "WorkerJoined", at: 1, worker: id as WorkerId, name: `w${id}`, nthreads: 1, nfibers: 1, holds: [] }])
  }
  for (let i = 0; i < 4; i++) release(life(20_000, shape).left)
  globalThis.gc?.()
  const before = process.memoryUsage().heapUsed
  const kept = live > 0 ? life(live, "map").left : []
  globalThis.gc?.()
  const bytes = live > 0 ? (process.memoryUsage().heapUsed - before) / live : 0
  const runs = Array.from({ length: 5 }, () => {
    reducerUs = 0
    const { count, left } = life(Math.min(100_000, Math.max(live, 10_000)), shape)
    release(left)
    return reducerUs / count
  }).sort((a, b) => a - b)
  if (state.tasks.size !== kept.length) throw new Error(`${state.tasks.size} tasks are left of ${kept.length}`)
  return { median: runs[2]!, min: runs[0]!, max: runs[4]!, bytes }
}

const [shape, live = "100000", batch = "500", workers = "24"] = process.argv.slice(2)
for (const kind of shape === undefined || shape === "all" ? shapes : shapes.filter((known) => known === shape)) {
  const { bytes, max, median, min } = measure(kind, Number(live), Number(batch), Number(workers))
  const heap = globalThis.gc === undefined ? "" : `, ${bytes.toFixed(0)} B of heap per kept task`
  console.log(
    `${kind}: ${median.toFixed(2)} µs a life (${min.toFixed(2)} to ${max.toFixed(2)})${heap}; ` +
      `${live} live, batches of ${batch}, ${workers} workers`
  )
}
