/**
 * A client's session: what it submits and asks becomes events, and news of what
 * it holds goes back.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Answer } from "@skein/core/scheduler/Command"
import type { NewTask } from "@skein/core/scheduler/Event"
import { type CancelOutcome, ClientReportRpcs, ClientRpcs } from "@skein/protocol/ClientRpcs"
import type { Ref } from "@skein/protocol/Ids"
import * as Duplex from "@skein/transport/Duplex"
import * as Prompt from "@skein/transport/Prompt"
import type { Session } from "@skein/transport/Session"
import * as Border from "./Border.ts"
import type { Desk } from "./Desk.ts"
import * as Handlers from "./Handlers.ts"
import { isCount, makeRefs } from "./KeyTable.ts"
import type { ClientPeer } from "./Registry.ts"
import type { Relaying } from "./Relaying.ts"
import { type ClientRow, clientMessages } from "./Rows.ts"
import { refuse } from "./Violation.ts"

/** Rows that may wait for a client that goes on submitting: it hears of what it has submitted before it says more. */
const BACKLOG = 20_000
/** How soon a client that had to wait is looked at again. */
const AGAIN_MS = 10

/** Serves a client until its session is over. */
export const clientSession = Effect.fnUntraced(function*(desk: Desk, arrived: Session): Effect.fn.Return<void, never, Scope.Scope> {
  let backlog = () => 0
  const session = holdBack(arrived, () => backlog())
  const border = Border.make(session)
  let rpc: Reporting | undefined
  const { reached, untilOver } = yield* Border.outgoing<ClientRow>(session, desk.config.outboxRows, (rows) =>
    Prompt.forEach(clientMessages(rows), (segments) => rpc === undefined ? Prompt.done : rpc.Report.now({ segments })))
  backlog = reached.backlog
  const peer: ClientPeer = { ...reached, client: desk.registry.nextClient(), name: session.peer.name, refs: makeRefs(), codes: new Map() }
  const { client } = peer
  desk.registry.addClient(peer)
  desk.mailbox.offer({ _tag: "ClientJoined", at: desk.now(), client, name: peer.name })
  let silentMs: number | undefined
  const leave = Effect.sync(() => {
    border.close()
    desk.progress.clientLeft(peer)
    if (desk.registry.removeClient(client)) desk.mailbox.offer({ _tag: "ClientLeft", at: desk.now(), client, ...(silentMs === undefined ? {} : { silentMs }) })
  })
  yield* Effect.gen(function*() {
    const handlers = yield* ClientRpcs.toHandlers(handlersOf(desk, peer, border, yield* desk.relaying.forClient))
    rpc = yield* Effect.provideContext(Duplex.make(session, { serve: ClientRpcs, call: ClientReportRpcs }), handlers)
    const why = yield* untilOver
    if (why.kind === "grace") silentMs = session.graceMs
    yield* Border.logEnd(session, why)
  }).pipe(Effect.ensuring(leave))
})

/** The same session, which hands over nothing while there is so much to tell the client. Refusals above all cost less to submit than to tell. */
const holdBack = (session: Session, backlog: () => number): Session => {
  const untilTold = Effect.repeat(Effect.sleep(AGAIN_MS), { until: () => backlog() < BACKLOG })
  return {
    ...session,
    run: (handle) => session.run((frame) => backlog() < BACKLOG ? handle(frame) : Effect.andThen(untilTold, Effect.suspend(() => handle(frame))))
  }
}

type Relay = Effect.Success<Relaying["forClient"]>
type Reporting = Duplex.TellerOf<typeof ClientReportRpcs>

const handlersOf = (desk: Desk, peer: ClientPeer, border: Border.Border, relay: Relay) => {
  const { asking, inspecting, mailbox, now, progress, tables } = desk
  const { client } = peer
  const look = <A>(what: () => A): Effect.Effect<A> => Effect.andThen(mailbox.caughtUp, border.take(what))
  return ClientRpcs.of({
    Submit: ({ graph }) =>
      border.hear(() => {
        desk.submitted(graph.tasks)
        const { conflicts, event } = Handlers.submitted(tables, peer, graph, now())
        mailbox.offer(event)
        conflicts.forEach(peer.send)
      }),
    Introduce: ({ id }) =>
      border.hear(() => {
        peer.id = id
      }),
    Want: ({ rows }) =>
      border.hear(() => {
        const { event, unknown } = Handlers.wanted(tables, peer, rows, now())
        mailbox.offer(event)
        unknown.forEach(peer.send)
      }),
    Detach: ({ refs }) => border.hear(() => mailbox.offer({ _tag: "KeysDetached", at: now(), client, ids: Handlers.resolved(peer, refs).ids })),
    Release: ({ refs }) => border.hear(() => mailbox.offer(Handlers.released(peer, refs, now()))),
    Retry: ({ refs }) =>
      border.hear(() => {
        const { conflicts, ids } = Handlers.resolved(peer, refs)
        for (const [ref, conflict] of conflicts) peer.send(Handlers.erredByConflict(tables, ref, conflict))
        if (ids.length > 0) mailbox.offer({ _tag: "RetryAsked", at: now(), client, ids })
      }),
    Watch: ({ on, ref }) =>
      border.hear(() => {
        const id = peer.refs.idOf(ref)
        if (typeof id === "number") progress[on ? "watch" : "unwatch"](peer, id)
      }),
    Cancel: ({ force, note, refs }) =>
      border.take(() => Handlers.resolved(peer, refs)).pipe(
        Effect.flatMap(({ conflicts, ids }) =>
          Effect.map(
            asking.ask(client, (ask, at) => ({ _tag: "CancelAsked", at, client, ask, ids, note, force })),
            (answer) => answer._tag === "Cancelled" ? outcomes(refs, new Set(conflicts.map(([ref]) => ref)), answer.outcomes) : []
          )
        )
      ),
    Locate: ({ ref }) =>
      Effect.flatMap(border.take(() => peer.refs.idOf(ref)), (id) =>
        look(() => typeof id === "number" ? inspecting.locate(id) : null)),
    Relay: (wanted) =>
      Stream.unwrap(Effect.as(
        border.take(() => isCount(wanted.id) && isCount(wanted.run) || refuse(`(${wanted.id}, ${wanted.run}) is no result`)),
        relay(wanted)
      )),
    Scatter: ({ broadcast, rows, workers }) =>
      border.take(() => Handlers.scattered(tables, peer, rows)).pipe(
        Effect.flatMap((tasks) =>
          Effect.map(
            asking.ask(client, (ask, at) => ({ _tag: "DataAnnounced", at, client, ask, tasks, sizes: rows.map(({ nbytes }) => nbytes), workers, broadcast })),
            (answer) => answer._tag === "DataPlaced" ? places(desk, tasks, answer.places) : []
          )
        )
      ),
    AwaitWorkers: ({ count }) =>
      border.take(() => isCount(count) || refuse(`${count} is no number of workers`)).pipe(
        Effect.andThen(asking.ask(client, (ask, at) => ({ _tag: "WorkersAwaited", at, client, ask, count }))),
        Effect.asVoid
      ),
    Restart: ({ workers }) =>
      border.take(() => workers === null ? desk.registry.watchedWorkers() : isCount(workers) ? workers : refuse(`${workers} is no number of workers`)).pipe(
        Effect.flatMap((expected) =>
          workers === null && expected === 0
            ? Effect.succeed(false)
            : Effect.as(asking.ask(client, (ask, at) => ({ _tag: "RestartAsked", at, client, ask, workers: expected })), true)
        )
      ),
    // Who asked may be gone before it is done.
    ShutDown: () => Effect.andThen(border.take(() => {}), Effect.uninterruptible(desk.shutDown)),
    Logs: () => Effect.andThen(border.take(() => {}), desk.logs),
    Workers: () => look(inspecting.workers),
    Counts: () => look(inspecting.counts),
    Tasks: ({ from, keys }) => look(() => inspecting.tasks(keys, begin(from))),
    Places: ({ from, keys }) => look(() => inspecting.places(keys, begin(from))),
    Clients: () => look(inspecting.clients),
    About: () => look(inspecting.about),
    Durations: () => look(inspecting.durations),
    Explain: ({ key }) => look(() => inspecting.explain(key)),
    Story: ({ key }) => Effect.flatten(look(() => inspecting.story(key)))
  })
}

/** Where a part of an answer begins. */
const begin = (from: number): number => isCount(from) ? from : refuse(`${from} is no beginning of a part`)

/** Where workers take values. One that has gone meanwhile takes none: what was for it alone goes nowhere just now. */
const places = (desk: Desk, tasks: ReadonlyArray<NewTask>, placed: Extract<Answer, { readonly _tag: "DataPlaced" }>["places"]) =>
  placed.map(({ run, workers }, at) => ({
    id: tasks[at]!.id, // as many as were announced
    run,
    addresses: workers.flatMap((worker) => desk.registry.workers.get(worker)?.registration.dataAddress ?? [])
  }))

/** In the order of the refs; a key that was never this client's is done with already. */
const outcomes = (
  refs: ReadonlyArray<Ref>,
  conflicts: ReadonlySet<Ref>,
  answered: ReadonlyArray<CancelOutcome>
): ReadonlyArray<CancelOutcome> => {
  if (conflicts.size === 0) return answered
  let next = 0
  return refs.map((ref) => conflicts.has(ref) ? "already-done" : answered[next++] ?? "already-done")
}
