/**
 * A worker's session: it registers, is given work, and reports.
 *
 * How the session ends says how the worker left. Ended in good order, or by us,
 * it is gone and nobody is to blame; silent past its grace, it may have died; and
 * if a nanny says that its process has died, that is what happened.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import type { Event, Leaving } from "@skein/core/scheduler/Event"
import { type Registration, WorkerCommandRpcs, WorkerRpcs } from "@skein/protocol/WorkerRpcs"
import * as Duplex from "@skein/transport/Duplex"
import * as Prompt from "@skein/transport/Prompt"
import { type Session, SessionEnded } from "@skein/transport/Session"
import * as Border from "./Border.ts"
import type { Desk } from "./Desk.ts"
import * as Handlers from "./Handlers.ts"
import type { WorkerPeer } from "./Registry.ts"
import { workerMessages, type WorkerRow } from "./Rows.ts"
import { refuse } from "./Violation.ts"

/** Serves a worker until its session is over. */
export const workerSession = Effect.fnUntraced(function*(desk: Desk, arrived: Session): Effect.fn.Return<void, never, Scope.Scope> {
  const { answered, session } = untilAnswered(arrived)
  const border = Border.make(session)
  const asked = Deferred.makeUnsafe<string>()
  let rpc: Commanding | undefined
  const { reached, untilOver } = yield* Border.outgoing<WorkerRow>(session, desk.config.outboxRows, (rows) =>
    Prompt.forEach(workerMessages(rows), (segments) => rpc === undefined ? Prompt.done : rpc.Command.now({ segments })))
  let peer: WorkerPeer | undefined

  const register = (registration: Registration) => {
    if (peer !== undefined) refuse("it registered twice in one session")
    if (desk.registry.hasExited(registration.process)) refuse("its process has ended, says its nanny")
    const at = desk.now()
    const worker = desk.registry.nextWorker()
    const { event, ids } = Handlers.registered(desk.tables, worker, registration, at)
    const earlier = desk.registry.workerOf(registration.process)
    earlier?.leave({ _tag: "Closed" })
    const mine: WorkerPeer = {
      ...reached,
      worker,
      registration,
      joinedAt: at,
      toldCodes: new Map(),
      memoryBytes: 0,
      closing: false,
      close: (reason) => {
        mine.closing = true
        Deferred.doneUnsafe(asked, Exit.succeed(reason))
      },
      leave: (leaving) => {
        border.close()
        if (desk.registry.removeWorker(worker)) desk.mailbox.offer({ _tag: "WorkerLeft", at: desk.now(), worker, leaving })
      },
      story: (id) => rpc === undefined ? Effect.succeed([]) : Effect.orElseSucceed(rpc.Story({ id }), () => [])
    }
    peer = mine
    desk.registry.addWorker(mine)
    desk.mailbox.offer(event)
    return { answer: { worker, ids }, earlier }
  }
  const handlers = WorkerRpcs.of({
    Register: ({ registration }) =>
      Effect.gen(function*() {
        const { answer, earlier } = yield* border.take(() => register(registration))
        if (earlier !== undefined) yield* earlier.end(Cause.fail(SessionEnded.of("closed", "its process has registered anew")))
        return answer
      }),
    Report: ({ segments }) =>
      border.hear(() => {
        const from = peer ?? refuse("it reported before it registered")
        const at = desk.now()
        const events: Array<Event> = []
        for (const segment of segments) {
          const event = Handlers.reported(from, segment, at, desk.mailbox.keepValue, desk.progress.said)
          if (event !== undefined) events.push(event)
        }
        events.forEach(desk.mailbox.offer)
      })
  })
  const leave = (leaving: Leaving) => Effect.sync(() => peer === undefined ? border.close() : peer.leave(leaving))
  yield* Effect.gen(function*() {
    const context = yield* WorkerRpcs.toHandlers(handlers)
    rpc = yield* Effect.provideContext(Duplex.make(session, { serve: WorkerRpcs, call: WorkerCommandRpcs }), context)
    const goodbye = rpc.Close
    const closing = Deferred.await(asked).pipe(
      Effect.flatMap((reason) => Effect.ignore(goodbye({ reason }))),
      Effect.andThen(session.close),
      Effect.andThen(Effect.never)
    )
    // The first commands follow the answer to the registration, which tells the worker who it is.
    const why = yield* Effect.raceAllFirst([Effect.andThen(answered, untilOver), Effect.flip(session.ended), closing])
    yield* leave(why.kind === "grace" ? { _tag: "Silent", silentMs: session.graceMs } : { _tag: "Closed" })
    yield* Border.logEnd(session, why)
  }).pipe(Effect.ensuring(leave({ _tag: "Closed" })))
})

type Commanding = Duplex.TellerOf<typeof WorkerCommandRpcs>

/** The same session, and when it has accepted its first frame: to a worker that is the answer to its registration. */
const untilAnswered = (session: Session): { readonly session: Session; readonly answered: Effect.Effect<void> } => {
  const answered = Latch.makeUnsafe(false)
  return {
    session: {
      ...session,
      send: (frame) => answered.isOpen() ? session.send(frame) : Effect.tap(session.send(frame), () => answered.open)
    },
    answered: Effect.asVoid(answered.await)
  }
}
