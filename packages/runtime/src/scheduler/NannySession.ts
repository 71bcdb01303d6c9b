/**
 * The session of the nannies of one process: whom they watch, and how it ended.
 *
 * An exit report is final. It counts whether the worker's own session is up,
 * broken or in its grace, and a registration of that process which was still
 * under way is refused. Of a process that never registered it says nothing.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ProcessId } from "@skein/protocol/Ids"
import { type ExitReport, NannyCommandRpcs, NannyRpcs } from "@skein/protocol/NannyRpcs"
import * as Duplex from "@skein/transport/Duplex"
import { type Session, SessionEnded } from "@skein/transport/Session"
import * as Border from "./Border.ts"
import type { Desk } from "./Desk.ts"
import { isCount } from "./KeyTable.ts"
import type { NannyPeer } from "./Registry.ts"
import { refuse } from "./Violation.ts"

/** Processes that one session may watch at once. */
const WATCHED_LIMIT = 4_096
/** Runs that a report may say had started. */
const STARTED_LIMIT = 4_096

interface Wanted {
  readonly process: ProcessId
  readonly reason: string
}

/** Serves a process's nannies until their session is over. Their processes then are watched by nobody. */
export const nannySession = Effect.fnUntraced(function*(desk: Desk, session: Session): Effect.fn.Return<void, never, Scope.Scope> {
  const { registry } = desk
  const border = Border.make(session)
  let rpc: Commanding | undefined
  const { reached, untilOver } = yield* Border.outgoing<Wanted>(session, desk.config.outboxRows, (rows) =>
    Effect.forEach(rows, (wanted) => rpc === undefined ? Effect.void : rpc.EndProcess(wanted), { discard: true }))
  const peer: NannyPeer = {
    end: session.end,
    logs: Effect.suspend(() => rpc === undefined ? Effect.succeed([]) : Effect.orElseSucceed(rpc.Logs(), () => [])),
    processes: new Set(),
    endProcess: (process, reason) => reached.send({ process, reason })
  }
  const watch = (process: ProcessId) => {
    const watcher = registry.nannyOf(process)
    if (watcher === peer) return
    if (watcher !== undefined) refuse("it watches a process that another nanny watches")
    if (registry.hasExited(process)) refuse("it watches a process that has ended")
    if (peer.processes.size >= WATCHED_LIMIT) refuse(`it watches more than ${WATCHED_LIMIT} processes`)
    registry.watch(process, peer)
  }
  /** The worker that has died, if one had registered. */
  const exited = (report: ExitReport) => {
    if (registry.nannyOf(report.process) !== peer) refuse("it reports the end of a process that it does not watch")
    if (report.started.length > STARTED_LIMIT || !report.started.every(isCount)) refuse("it reports runs that are none")
    if (report.ranMs !== undefined && !report.ranMs.every((ms) => ms >= 0 && ms < Infinity)) refuse("it reports times that are none")
    registry.unwatch(report.process)
    registry.noteExit(report.process)
    const worker = registry.workerOf(report.process)
    worker?.leave({ _tag: "Died", report, startedAt: worker.joinedAt })
    return worker
  }
  const leave = Effect.sync(() => {
    border.close()
    for (const process of [...peer.processes]) registry.unwatch(process)
  })
  yield* Effect.gen(function*() {
    const handlers = yield* NannyRpcs.toHandlers(NannyRpcs.of({
      Watching: ({ process }) => border.take(() => watch(process)),
      Exited: ({ report }) =>
        Effect.flatMap(border.take(() => exited(report)), (worker) =>
          worker === undefined ? Effect.void : worker.end(Cause.fail(SessionEnded.of("closed", "its process has ended, says its nanny"))))
    }))
    rpc = yield* Effect.provideContext(Duplex.make(session, { serve: NannyRpcs, call: NannyCommandRpcs }), handlers)
    yield* Border.logEnd(session, yield* untilOver)
  }).pipe(Effect.ensuring(leave))
})

type Commanding = Duplex.ClientOf<typeof NannyCommandRpcs>
