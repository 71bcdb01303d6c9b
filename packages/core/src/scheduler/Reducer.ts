/**
 * The scheduler's whole behaviour, as one pure function.
 *
 * Each event has one line here; what it means is told by whoever spoke:
 * internal/on/client.ts, worker.ts and clock.ts. What follows from it is the same
 * for all: follow-ups run dry, what is ready is placed, and what waits too long
 * is moved.
 */
import type { Command } from "./Command.ts"
import type { Event, Of } from "./Event.ts"
import { Draft } from "./internal/draft.ts"
import * as Client from "./internal/on/client.ts"
import * as Clock from "./internal/on/clock.ts"
import { onDataAnnounced } from "./internal/on/data.ts"
import * as Worker from "./internal/on/worker.ts"
import { place } from "./internal/placement.ts"
import { onRestartAsked } from "./internal/restarting.ts"
import { balance } from "./internal/takingBack.ts"
import { settle } from "./internal/transition.ts"
import type { State } from "./State.ts"

/** The next state, and what to do about it, in order. */
export interface Step {
  readonly state: State
  readonly commands: ReadonlyArray<Command>
}

/**
 * Applies a batch of events, in order. The same as applying them one by one,
 * and much cheaper. Total: an event that no longer applies changes nothing.
 */
export const reduce = (state: State, events: ReadonlyArray<Event>): Step => {
  if (events.length === 0) return { state, commands: [] }
  const draft = new Draft(state)
  for (const event of events) {
    draft.begin(event)
    handle(draft, event)
    settle(draft)
    place(draft)
    balance(draft)
  }
  return { state: draft.done(), commands: draft.commands }
}

const handlers: { readonly [Tag in Event["_tag"]]: (draft: Draft, event: Of<Tag>) => void } = {
  ClientJoined: Client.onClientJoined,
  ClientLeft: Client.onClientLeft,
  TasksSubmitted: Client.onTasksSubmitted,
  KeysWanted: Client.onKeysWanted,
  KeysDetached: Client.onKeysDetached,
  KeysReleased: Client.onKeysReleased,
  CancelAsked: Client.onCancelAsked,
  RetryAsked: Client.onRetryAsked,
  WorkersAwaited: Client.onWorkersAwaited,
  RestartAsked: onRestartAsked,
  DataAnnounced: onDataAnnounced,
  AskAbandoned: Client.onAskAbandoned,
  WorkerJoined: Worker.onWorkerJoined,
  WorkerLeft: Worker.onWorkerLeft,
  TasksFinished: Worker.onTasksFinished,
  TasksFailed: Worker.onTasksFailed,
  TasksKilled: Worker.onTasksKilled,
  TasksTimedOut: Worker.onTasksTimedOut,
  TasksStopped: Worker.onTasksStopped,
  TakeBacksAnswered: Worker.onTakeBacksAnswered,
  TasksSeceded: Worker.onTasksSeceded,
  TasksRescheduled: Worker.onTasksRescheduled,
  ReplicasAdded: Worker.onReplicasAdded,
  ReplicasGone: Worker.onReplicasGone,
  ReplicasMissing: Worker.onReplicasMissing,
  HoldersAsked: Worker.onHoldersAsked,
  CodesForgotten: Clock.onCodesForgotten,
  MemoryMeasured: Clock.onMemoryMeasured,
  Ticked: Clock.onTicked
}

const handle = <Tag extends Event["_tag"]>(draft: Draft, event: Of<Tag>): void => {
  // The cast joins the halves of one lookup: the handler found under a tag takes the event of that tag.
  const handler = handlers[event._tag] as (draft: Draft, event: Of<Tag>) => void
  handler(draft, event)
}
