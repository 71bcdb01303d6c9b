/**
 * What to start next.
 *
 * Each isolation has its own queue and its own slots. In the queues stand, in one
 * order, tasks that are ready and bodies that gave up their slot and want it
 * again. A suspect (`alone`) is started when nothing else holds a slot here, and
 * nothing is started beside it, so that the death of this process would have one
 * culprit. From when it is the next by order nothing else is started, or it could
 * wait for ever. A body without a slot is not in its way: it may be waiting for
 * that very suspect. But the death that decides about a suspect (`decisive`) must
 * be nobody else's, so that one waits for bodies that run on without a slot too;
 * and because such a body may never end, others pass it meanwhile.
 *
 * Source: dask.distributed `worker_state_machine.py` (`_ensure_computing`); suspects are ours.
 */
import type { Isolation, TaskId } from "@skein/protocol/Ids"
import * as Ranked from "../../persistent/Ranked.ts"
import * as Vector from "../../persistent/Vector.ts"
import type { Command } from "../Command.ts"
import type { State, Task } from "../State.ts"
import { unlink } from "./assignments.ts"
import type { Draft } from "./draft.ts"
import { readyQueue, slots, slotsTaken } from "./slots.ts"
import { transition } from "./transition.ts"

/** Starts all that may start. */
export const startReady = (draft: Draft): void => {
  for (let task = nextToStart(draft.next); task !== undefined; task = nextToStart(draft.next)) {
    if (task.status._tag === "Ready") start(draft, task)
    else resume(draft, task)
  }
}

const nextToStart = (state: State): Task | undefined => {
  if (state.lone !== undefined) return undefined
  const thread = firstReady(state, "thread")
  const fiber = firstReady(state, "fiber")
  const [first, second] = comesFirst(fiber, thread) ? [fiber, thread] : [thread, fiber]
  if (first === undefined) return undefined
  if (first.alone) return state.running === state.counts.LongRunning ? first.task : undefined
  if (first.hasSlot) return first.task
  return second === undefined || !second.hasSlot || second.alone ? undefined : second.task
}

interface Candidate {
  readonly task: Task
  readonly position: Ranked.Position
  readonly alone: boolean
  readonly hasSlot: boolean
}

/** The first in the queue of an isolation that this worker has slots for at all. */
const firstReady = (state: State, isolation: Isolation): Candidate | undefined => {
  const all = slots(state, isolation)
  const id = all === 0 ? undefined : firstOf(state, readyQueue(state, isolation))
  const task = id === undefined ? undefined : Vector.get(state.tasks, id)
  const position = task === undefined ? undefined : placeOf(task)
  if (task?.assignment === undefined || position === undefined) return undefined
  return {
    task,
    position,
    alone: task.assignment.alone,
    hasSlot: slotsTaken(state, isolation) < all
  }
}

const firstOf = (state: State, queue: Ranked.Ranked<TaskId>): TaskId | undefined => {
  if (state.onward === 0) return Ranked.first(queue)
  for (const id of Ranked.values(queue)) if (Vector.get(state.tasks, id)?.assignment?.decisive !== true) return id
  return undefined
}

/** In its queue. */
const placeOf = ({ status }: Task): Ranked.Position | undefined =>
  status._tag === "Ready" ? status.position : status._tag === "LongRunning" ? status.rejoining : undefined

const comesFirst = (a: Candidate | undefined, b: Candidate | undefined): boolean => {
  if (a === undefined || b === undefined) return b === undefined
  return a.position.priority !== b.position.priority
    ? a.position.priority > b.position.priority
    : a.position.rank < b.position.rank
}

/** From here on the shell has taken hold of the inputs: they may be dropped. */
const start = (draft: Draft, ready: Task): void => {
  const task = draft.own(ready)
  const { assignment } = task
  if (assignment === undefined) return
  transition(draft, task, { _tag: "Executing", since: draft.at })
  const command: Execute = {
    _tag: "Execute",
    id: task.id,
    run: task.run,
    key: assignment.key,
    code: assignment.code,
    args: assignment.args,
    isolation: assignment.isolation,
    attempt: assignment.attempt,
    dependencies: assignment.dependencies.length === 0 ? noIds : assignment.dependencies.map(({ id }) => id)
  }
  draft.send(assignment.timeoutMs === undefined ? command : { ...command, timed: true })
  unlink(draft, task.id, assignment)
}

type Execute = Extract<Command, { readonly _tag: "Execute" }>

/** The body goes on where it waited for its slot. */
const resume = (draft: Draft, waiting: Task): void => {
  const { id, run, status } = waiting
  if (status._tag !== "LongRunning") return
  transition(draft, draft.own(waiting), { _tag: "Executing", since: status.since })
  draft.send({ _tag: "Resume", id, run })
}

const noIds: ReadonlyArray<TaskId> = []
