/**
 * The worker's word with the scheduler.
 *
 * A session outlives broken connections by itself. When it is over, the worker
 * goes on as a new incarnation: it looks for the scheduler again, registers with
 * the results it still holds, and owes nothing to what it was asked before. The
 * numbers of tasks, workers and codes are the scheduler's, so each incarnation
 * has tables of its own, and takes them over in the turn in which it begins;
 * what the old one would still report is for nobody.
 *
 * Source: dask.distributed `worker.py`, `Worker._register_with_scheduler` and
 * `Worker.handle_scheduler`.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Cause from "effect/Cause"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Pace from "@skein/core/Pace"
import type { Event } from "@skein/core/worker/Event"
import type { State } from "@skein/core/worker/State"
import * as Story from "@skein/core/worker/Story"
import type { CodeDef } from "@skein/protocol/Code"
import type { CodeId, WorkerId } from "@skein/protocol/Ids"
import { type Registration, type WorkerCommand, WorkerCommandRpcs, WorkerRpcs } from "@skein/protocol/WorkerRpcs"
import * as Duplex from "@skein/transport/Duplex"
import type { Hashing } from "@skein/transport/Hashing"
import * as Outbox from "@skein/transport/Outbox"
import * as Prompt from "@skein/transport/Prompt"
import * as Session from "@skein/transport/Session"
import * as SteadyTime from "../SteadyTime.ts"
import type { DataStore } from "./DataStore.ts"
import type { Host } from "./Host.ts"
import type { Mailbox } from "./Mailbox.ts"
import { messages, type Row } from "./Reports.ts"
import type { Sockets, SocketsFailed } from "./Sockets.ts"
import type { WorkerConfig } from "./WorkerConfig.ts"

/** What the scheduler has said of its numbers, and where reports go. */
export interface Contact {
  readonly report: (row: Row) => void
  readonly defOf: (code: CodeId) => CodeDef | undefined
  readonly addressOf: (peer: WorkerId) => string | undefined
}

export interface Connection {
  /** Of the incarnation whose turn it is; before the first, and after the end of one, it reports to nobody. */
  readonly contact: Contact
  /** Keeps the worker registered, until the scheduler sends it away: then it returns. Fails when there is no scheduler any more. */
  readonly run: Effect.Effect<void, Session.ConnectFailed | SocketsFailed | Session.SessionEnded, Hashing>
}

export interface Options {
  readonly config: WorkerConfig
  /** Where this worker serves its results. */
  readonly dataAddress: string
  readonly store: DataStore
  readonly mailbox: Mailbox
  readonly sockets: Sockets["Service"]
  readonly host: Host["Service"]
  readonly state: () => State
  /** The worker has been registered; called each time. */
  readonly onRegistered: Effect.Effect<void>
}

/** Rows that may wait for the scheduler; more, and the session ends. */
const OUTBOX_ROWS = 1_000_000

export const make = (options: Options): Connection => {
  const { config } = options
  let contact = nobody
  const incarnations = Effect.gen(function*() {
    let connectMs = config.firstConnectMs ?? config.connectMs
    for (let shortOnes = 0;;) {
      const since = yield* SteadyTime.millis
      const end = yield* Effect.scoped(incarnation(options, connectMs, (next) => {
        contact = next
      }))
      contact = nobody
      connectMs = config.connectMs
      if (end._tag === "SentAway") return yield* Effect.logInfo(`worker ${config.name} is sent away: ${end.reason}`)
      if (end.why.kind === "refused") return yield* end.why
      if (Cause.hasDies(end.why.cause)) return yield* Effect.failCause(end.why.cause as Cause.Cause<never>) // our own bug, for us to end by
      yield* Effect.logWarning(`worker ${config.name}: its session is over (${end.why.kind}: ${end.why.reason}); it looks for the scheduler again`)
      shortOnes = (yield* SteadyTime.millis) - since > 10_000 ? 0 : shortOnes + 1
      if (shortOnes > 1) yield* Effect.sleep(Math.min(2_000, 50 * 2 ** shortOnes))
    }
  })
  return {
    contact: {
      report: (row) => contact.report(row),
      defOf: (code) => contact.defOf(code),
      addressOf: (peer) => contact.addressOf(peer)
    },
    run: incarnations
  }
}

const nobody: Contact = { report: () => {}, defOf: () => undefined, addressOf: () => undefined }

type End = { readonly _tag: "SentAway"; readonly reason: string } | { readonly _tag: "Over"; readonly why: Session.SessionEnded }

/** One session with the scheduler, from the registration to its end. */
const incarnation = Effect.fnUntraced(function*(
  options: Options,
  connectMs: number,
  setContact: (contact: Contact) => void
): Effect.fn.Return<End, Session.ConnectFailed | SocketsFailed, Hashing | Scope.Scope> {
  const { config, host, mailbox, onRegistered, state, store } = options
  const now = SteadyTime.of(yield* Clock.Clock)
  const session = mailbox.holdBack(yield* dial(options, connectMs))
  const sentAway = Deferred.makeUnsafe<string>()
  const tables = makeTables()
  /** What came before the beginning had its place in the mailbox. */
  let early: Array<Event> | undefined = []
  const handlers = WorkerCommandRpcs.of({
    Command: ({ segments }) => {
      for (const segment of segments) {
        const event = tables.told(segment, now())
        if (event === undefined) continue
        if (early === undefined) mailbox.offer(event)
        else early.push(event)
      }
      return Prompt.done
    },
    Close: ({ reason }) => Effect.asVoid(Deferred.succeed(sentAway, reason)),
    Story: ({ id }) => Effect.sync(() => Story.history(state(), id))
  })
  const context = yield* WorkerCommandRpcs.toHandlers(handlers)
  const rpc = yield* Effect.provideContext(Duplex.make(session, { serve: WorkerCommandRpcs, call: WorkerRpcs }), context)
  const outbox = yield* Outbox.make<Row, Session.SessionEnded, never>({
    limitRows: OUTBOX_ROWS,
    send: (rows) => Prompt.forEach(messages(rows), (segments) => rpc.Report.now({ segments }))
  })
  const loading = Effect.gen(function*() {
    let told: Pace.MemoryUse | undefined
    while (true) {
      const use = { memoryBytes: yield* host.memoryBytes, managedBytes: store.managedBytes() }
      if (Pace.isNotable(told, use)) outbox.offer({ _tag: "Load", ...(told = use) })
      // In a large cluster as seldom as everything else that is said over and over.
      yield* Effect.sleep(Math.max(config.loadEveryMs, session.beatMs()))
    }
  })
  const living = Effect.gen(function*() {
    const offers = store.offer()
    const { ids, worker } = yield* rpc.Register({ registration: registration(options, offers) })
    mailbox.offer({
      _tag: "Beginning",
      begin: () => {
        setContact({ report: outbox.offer, defOf: tables.defOf, addressOf: tables.addressOf })
        const kept = offers.flatMap((entry, index) => {
          const id = ids[index]
          return id === undefined || id < 0 ? [] : [{ entry, id }]
        })
        const holds = store.adopt(kept)
        return { _tag: "Started", at: now(), worker, nthreads: config.nthreads, nfibers: config.nfibers, holds }
      }
    })
    for (const event of early ?? []) mailbox.offer(event)
    early = undefined
    yield* onRegistered
    return yield* Effect.raceFirst(outbox.run, loading)
  })
  return yield* Effect.raceAllFirst([
    living,
    session.ended,
    Effect.map(Deferred.await(sentAway), (reason): End => ({ _tag: "SentAway", reason }))
  ]).pipe(
    Effect.catchTag("SessionEnded", (why) => Effect.succeed<End>({ _tag: "Over", why }))
  )
})

const dial = Effect.fnUntraced(function*({ config, sockets }: Options, connectMs: number) {
  return yield* Session.dial({
    socket: yield* sockets.connect(config.scheduler),
    greeting: { role: "worker", name: config.name, ...(config.token === null ? {} : { token: Redacted.make(config.token) }) },
    timeoutMs: connectMs,
    beatMs: config.beatMs,
    graceMs: config.resumeMs
  })
})

const registration = (
  { config, dataAddress, host }: Options,
  offers: ReturnType<DataStore["offer"]>
): Registration => ({
  name: config.name,
  process: config.process,
  pid: host.pid,
  host: config.host,
  dataAddress,
  nthreads: config.nthreads,
  nfibers: config.nfibers,
  memoryLimitBytes: config.memoryLimitBytes,
  resources: config.resources,
  nanny: config.nanny,
  localDirectory: config.localDirectory,
  holds: offers.map(({ bytes, key, run }) => ({ key, run, nbytes: bytes.length }))
})

/**
 * The scheduler's numbers for code and peers. Codes go when it says that nothing calls them; of peers it tells each once, and there
 * are no more of them than workers that ever joined it.
 */
const makeTables = () => {
  const peers = new Map<WorkerId, string>()
  const codes = new Map<CodeId, CodeDef>()
  return {
    defOf: (code: CodeId) => codes.get(code),
    addressOf: (peer: WorkerId) => peers.get(peer),
    /** Enters what is for the tables; the rest is an event. */
    told: (segment: WorkerCommand, at: number): Event | undefined => {
      switch (segment._tag) {
        case "Peers":
          for (const { address, worker } of segment.peers) peers.set(worker, address)
          return undefined
        case "Codes":
          for (const { code, def } of segment.codes) codes.set(code, def)
          return undefined
        case "ForgetCodes":
          for (const code of segment.codes) codes.delete(code)
          return undefined
        case "Compute":
          return { _tag: "ComputeAsked", at, rows: segment.rows }
        case "Free":
          return { _tag: "FreeAsked", at, rows: segment.rows }
        case "Cancel":
          return { _tag: "CancelAsked", at, rows: segment.rows }
        case "TakeBack":
          return { _tag: "TakeBackAsked", at, rows: segment.rows }
        case "Holders":
          return { _tag: "HoldersTold", at, rows: segment.rows }
      }
    }
  }
}
