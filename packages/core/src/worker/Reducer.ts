/**
 * A worker's whole behaviour, as one pure function.
 *
 * released → waiting → ready → executing → memory, and for what is needed from
 * elsewhere fetch → flight → memory. One line per event; who may do what is in
 * `internal/on`, what a change of status entails in `internal/transitions`.
 */
import type { Command } from "./Command.ts"
import type { Event, Of } from "./Event.ts"
import { Draft } from "./internal/draft.ts"
import { startReady } from "./internal/executing.ts"
import { gather } from "./internal/gathering.ts"
import { onTicked } from "./internal/on/clock.ts"
import {
  onExecuteBegun,
  onExecuteExited,
  onExecuteFailed,
  onExecuteRejoined,
  onExecuteRescheduled,
  onExecuteRetracted,
  onExecuteSeceded,
  onExecuteStopped,
  onExecuteSucceeded
} from "./internal/on/executor.ts"
import { onDataReceived, onGatherBusy, onGatherFailed, onGatherSucceeded } from "./internal/on/peer.ts"
import {
  onCancelAsked,
  onComputeAsked,
  onFreeAsked,
  onHoldersTold,
  onStarted,
  onTakeBackAsked
} from "./internal/on/scheduler.ts"
import type { State } from "./State.ts"

/** The next state, and what to do about it, in order. */
export interface Step {
  readonly state: State
  readonly commands: ReadonlyArray<Command>
}

/**
 * Applies events in order. Total: one that no longer applies changes nothing.
 * A batch is the fold of its single events, so starts and fetches are decided
 * after each event; rows of one event are decided on together.
 */
export const reduce = (state: State, events: ReadonlyArray<Event>): Step => {
  const draft = new Draft(state)
  for (const event of events) {
    draft.begin(event)
    apply(draft, event)
    startReady(draft)
    gather(draft)
    draft.end()
  }
  return draft.done()
}

const handlers: { readonly [Tag in Event["_tag"]]: (draft: Draft, event: Of<Tag>) => void } = {
  Started: onStarted,
  ComputeAsked: onComputeAsked,
  FreeAsked: onFreeAsked,
  CancelAsked: onCancelAsked,
  TakeBackAsked: onTakeBackAsked,
  HoldersTold: onHoldersTold,
  ExecuteBegun: onExecuteBegun,
  ExecuteSucceeded: onExecuteSucceeded,
  ExecuteFailed: onExecuteFailed,
  ExecuteExited: onExecuteExited,
  ExecuteStopped: onExecuteStopped,
  ExecuteSeceded: onExecuteSeceded,
  ExecuteRejoined: onExecuteRejoined,
  ExecuteRescheduled: onExecuteRescheduled,
  ExecuteRetracted: onExecuteRetracted,
  DataReceived: onDataReceived,
  GatherSucceeded: onGatherSucceeded,
  GatherBusy: onGatherBusy,
  GatherFailed: onGatherFailed,
  Ticked: onTicked
}

// A table and a cast, and not `Event.match`, which would make seventeen closures
// for each event: the table's type says that each handler takes its own event.
const apply = (draft: Draft, event: Event): void =>
  (handlers[event._tag] as (draft: Draft, event: Event) => void)(draft, event)
