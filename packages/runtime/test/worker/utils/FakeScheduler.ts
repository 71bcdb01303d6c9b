/**
 * A scheduler that does what the test says: it speaks the real RPCs over real
 * sessions inside this process, registers workers, and keeps what they report.
 */
import type { CodeDef } from "@skein/protocol/Code"
import { CodeId, Key, RunId, TaskId, WorkerId } from "@skein/protocol/Ids"
import * as Value from "@skein/protocol/Value"
import { type Assignment, type Registration, type WorkerCommand, WorkerCommandRpcs, type WorkerReport, WorkerRpcs } from "@skein/protocol/WorkerRpcs"
import * as Duplex from "@skein/transport/Duplex"
import { HandshakeRefused } from "@skein/transport/Handshake"
import * as NodeHashing from "@skein/transport/node/Hashing"
import { type Session, serve } from "@skein/transport/Session"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Result from "effect/Result"
import type * as SocketServer from "effect/socket/SocketServer"

type Segment = Exclude<WorkerReport, { readonly _tag: "Load" }>
/** One row of a report, with its kind. */
export type Report = { [S in Segment as S["_tag"]]: { readonly _tag: S["_tag"] } & S["rows"][number] }[Segment["_tag"]]

export interface Joined {
  readonly worker: WorkerId
  readonly registration: Registration
  readonly session: Session
  readonly rpc: Duplex.ClientOf<typeof WorkerCommandRpcs>
  readonly tell: (...segments: ReadonlyArray<WorkerCommand>) => Effect.Effect<void>
  /** The next row that it reports. */
  readonly report: Effect.Effect<Report>
  readonly reports: Queue.Queue<Report>
  readonly loads: Queue.Queue<Extract<WorkerReport, { readonly _tag: "Load" }>>
}

export interface Options {
  /** The ids of what a registering worker holds. @default all −1 */
  readonly adopt?: (registration: Registration) => ReadonlyArray<number>
  readonly refuse?: () => boolean
  /** What to say before the registration is answered. @default nothing */
  readonly greet?: ReadonlyArray<WorkerCommand>
  /** How often sessions beat, in milliseconds. @default 1000 */
  readonly beatMs?: number
}

/** Serves until the scope closes. Workers appear in `joins` in the order of their registration. */
export const make = Effect.fnUntraced(function*(server: SocketServer.SocketServer["Service"], options: Options = {}) {
  const joins = yield* Queue.unbounded<Joined>()
  let next = 0
  const onSession = Effect.fnUntraced(function*(session: Session) {
    const reports = yield* Queue.unbounded<Report>()
    const loads = yield* Queue.unbounded<Extract<WorkerReport, { readonly _tag: "Load" }>>()
    const rpcOf = yield* Deferred.make<Joined["rpc"]>()
    const handlers = WorkerRpcs.of({
      Register: ({ registration }) =>
        Effect.gen(function*() {
          const rpc = yield* Deferred.await(rpcOf)
          const worker = WorkerId.make(next++)
          const tell = (...segments: ReadonlyArray<WorkerCommand>) => Effect.orDie(rpc.Command({ segments }))
          Queue.offerUnsafe(joins, { worker, registration, session, rpc, tell, report: Queue.take(reports), reports, loads })
          if (options.greet !== undefined) yield* tell(...options.greet)
          const ids = options.adopt?.(registration) ?? registration.holds.map(() => -1)
          return { worker, ids: ids.map((id) => TaskId.make(id)) }
        }),
      Report: ({ segments }) =>
        Effect.sync(() => {
          for (const segment of segments) {
            if (segment._tag === "Load") Queue.offerUnsafe(loads, segment)
            else for (const row of segment.rows) Queue.offerUnsafe(reports, { _tag: segment._tag, ...row } as Report) // one kind of row for each tag
          }
        })
    })
    const context = yield* WorkerRpcs.toHandlers(handlers)
    yield* Deferred.succeed(rpcOf, yield* Effect.provideContext(Duplex.make(session, { serve: WorkerRpcs, call: WorkerCommandRpcs }), context))
    yield* Effect.exit(session.ended)
  })
  yield* serve(server, {
    authorize: () =>
      options.refuse?.() === true ? Effect.fail(new HandshakeRefused({ reason: "Unauthorized", message: "not you" })) : Effect.void,
    onSession,
    graceMs: () => 5_000,
    paceMs: () => options.beatMs ?? 1_000
  }).pipe(
    Effect.tapCause((cause) => Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logError("fake scheduler", cause)),
    Effect.provide(NodeHashing.layer),
    Effect.forkScoped
  )
  return { join: Queue.take(joins), joins }
})

export const id = (n: number) => TaskId.make(n)
export const run = (n: number) => RunId.make(n)

/** Argument that is filled with the value of the dependency at this position. */
export class Hole {
  readonly index: number
  constructor(index: number) {
    this.index = index
  }
}

export interface Asked {
  readonly id: number
  readonly run: number
  readonly code?: number
  readonly args?: ReadonlyArray<unknown>
  readonly isolation?: "fiber" | "thread"
  readonly alone?: boolean
  readonly dependencies?: ReadonlyArray<{ readonly id: number; readonly run: number; readonly at: ReadonlyArray<number> }>
}

export const compute = (...rows: ReadonlyArray<Asked>): WorkerCommand => ({
  _tag: "Compute",
  rows: rows.map((row): Assignment => ({
    id: id(row.id),
    run: run(row.run),
    key: Key.make(`key-${row.id}`),
    code: CodeId.make(row.code ?? 1),
    args: Result.getOrThrow(Value.encodeList(row.args ?? [], { hole: (value) => value instanceof Hole ? value.index : undefined })),
    isolation: row.isolation ?? "fiber",
    priority: 0,
    rank: row.run,
    attempt: 1,
    alone: row.alone ?? false,
    dependencies: (row.dependencies ?? []).map((dependency) => ({
      id: id(dependency.id),
      run: run(dependency.run),
      nbytes: 8,
      whoHas: dependency.at.map((worker) => WorkerId.make(worker))
    }))
  }))
})

export const codes = (defs: Readonly<Record<number, CodeDef>>): WorkerCommand => ({
  _tag: "Codes",
  codes: Object.entries(defs).map(([code, def]) => ({ code: CodeId.make(Number(code)), def }))
})
export const cancel = (task: number, ofRun: number): WorkerCommand => ({ _tag: "Cancel", rows: [{ id: id(task), run: run(ofRun) }] })
export const free = (task: number, ofRun: number): WorkerCommand => ({ _tag: "Free", rows: [{ id: id(task), run: run(ofRun) }] })
export const peers = (...joined: ReadonlyArray<{ readonly worker: number; readonly address: string }>): WorkerCommand => ({
  _tag: "Peers",
  peers: joined.map(({ address, worker }) => ({ worker: WorkerId.make(worker), address }))
})
