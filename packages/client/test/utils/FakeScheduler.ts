/**
 * The other side of a client's session, under a test's control, over memory.
 *
 * It takes note of everything it is told, answers questions as it was set to,
 * and reports what the test has it report. `compute` does what a cluster would:
 * runs the bodies whose text came with them.
 */
import { ClientReportRpcs, ClientRpcs, type CancelOutcome, type ClientReport, type Location, type ScatterRow, type TaskSummary, type WorkerSummary, RelayFailed } from "@skein/protocol/ClientRpcs"
import type { CodeDef } from "@skein/protocol/Code"
import type { Failure } from "@skein/protocol/Failure"
import type { Graph, SubmittedTask } from "@skein/protocol/Graph"
import type { Ref, RunId, TaskId, WorkerId } from "@skein/protocol/Ids"
import { encodeRaised } from "@skein/protocol/Raised"
import * as Value from "@skein/protocol/Value"
import { type ClientService, make as makeClient } from "@skein/client/Client"
import type { ClientOptions } from "@skein/client/ClientOptions"
import { type Collected, Collecting } from "@skein/client/Collecting"
import { Platform } from "@skein/client/Platform"
import type { Answer, Wanted } from "@skein/transport/Bulk"
import * as BulkServer from "@skein/transport/BulkServer"
import * as Duplex from "@skein/transport/Duplex"
import * as Handshake from "@skein/transport/Handshake"
import { Hashing } from "@skein/transport/Hashing"
import * as Memory from "@skein/transport/Memory"
import * as NodeHashing from "@skein/transport/node/Hashing"
import * as Session from "@skein/transport/Session"
import { Cause, Deferred, Effect, Option, Queue, Redacted, Result, type Scope, Stream } from "effect"

export const token = Redacted.make("a token that only the tests know")

/** One thing that the client said. */
export type Said =
  | { readonly _tag: "Submit"; readonly graph: Graph }
  | { readonly _tag: "Want"; readonly rows: ReadonlyArray<{ readonly ref: Ref; readonly key: string }> }
  | { readonly _tag: "Detach"; readonly refs: ReadonlyArray<Ref> }
  | { readonly _tag: "Release"; readonly refs: ReadonlyArray<Ref> }
  | { readonly _tag: "Watch"; readonly ref: Ref; readonly on: boolean }
  | { readonly _tag: "Retry"; readonly refs: ReadonlyArray<Ref> }
  | { readonly _tag: "Cancel"; readonly refs: ReadonlyArray<Ref>; readonly note: string | null; readonly force: boolean }
  | { readonly _tag: "Locate"; readonly ref: Ref }
  | { readonly _tag: "Scatter"; readonly rows: ReadonlyArray<ScatterRow>; readonly workers: ReadonlyArray<string>; readonly broadcast: boolean }

/** Where a scattered value is to go. */
export interface Place {
  readonly id: TaskId
  readonly run: RunId
  readonly addresses: ReadonlyArray<string>
}

export interface FakeScheduler {
  readonly said: Queue.Queue<Said>
  /** The next submission, past whatever else was said. */
  readonly submitted: Effect.Effect<Graph>
  readonly report: (...segments: ReadonlyArray<ClientReport>) => Effect.Effect<void>
  /** A small value of a task. */
  readonly finish: (ref: number, value: unknown) => Effect.Effect<void>
  readonly fail: (ref: number, failure: Failure, origin?: { readonly key: string; readonly task: string }) => Effect.Effect<void>
  readonly pending: (ref: number) => Effect.Effect<void>
  /** What it answers. */
  cancel: (refs: ReadonlyArray<Ref>) => Effect.Effect<ReadonlyArray<CancelOutcome>>
  locate: (ref: Ref) => Effect.Effect<Location | null>
  relay: (id: TaskId, run: RunId) => Stream.Stream<Uint8Array, RelayFailed>
  /** Where each value is to go. */
  scatter: (rows: ReadonlyArray<ScatterRow>) => Effect.Effect<ReadonlyArray<Place>>
  awaitWorkers: (count: number) => Effect.Effect<void>
  workers: ReadonlyArray<WorkerSummary>
  tasks: ReadonlyArray<TaskSummary>
  /** Runs every body that is submitted from now on, in order, and reports. */
  readonly compute: Effect.Effect<void>
  /** Ends the session as a scheduler that is gone would. */
  readonly vanish: Effect.Effect<void>
  readonly session: Session.Session
}

export interface Fake {
  readonly client: ClientService
  readonly scheduler: FakeScheduler
  readonly network: Memory.Network["Service"]
  /** What was written to the terminal. */
  readonly written: Array<string>
  /** Pretends that the collector found the objects watched since the last call that `which` chooses. */
  readonly collect: (which?: (index: number) => boolean) => void
}

export interface FakeOptions extends ClientOptions {
  /** What the program's modules export, by URL. @default nobody can tell */
  readonly exports?: (url: string) => Readonly<Record<string, unknown>>
  readonly terminal?: { readonly isTerminal: boolean; readonly columns?: number }
  /** What tells of collected futures. @default `collect` alone */
  readonly collecting?: Collecting
  /** What the client's files hold, by path. @default there are none */
  readonly files?: ReadonlyMap<string, string>
}

/** Row of a value too large to ride along. */
export const elsewhere = (ref: number, { id, nbytes, run, worker }: { readonly id: number; readonly run: number; readonly worker: number; readonly nbytes: number }): ClientReport => ({
  _tag: "InMemory",
  rows: [{ ref: ref as Ref, id: id as TaskId, run: run as RunId, nbytes, worker: worker as WorkerId, value: new Uint8Array() }]
})

export const peer = (worker: number, address: string): ClientReport => ({ _tag: "Peers", peers: [{ worker: worker as WorkerId, address }] })

export const bytesOf = (value: unknown): Uint8Array => Result.getOrThrow(Value.encode(value))

/** A client, and the scheduler it talks to. */
export const fake = Effect.fnUntraced(function*({ collecting, exports, files = new Map<string, string>(), terminal = { isTerminal: false }, ...options }: FakeOptions = {}): Effect.fn.Return<Fake, unknown, Scope.Scope> {
  const network = Memory.makeNetwork()
  const accepted = yield* Deferred.make<FakeScheduler>()
  yield* Session.serve(yield* network.listen("scheduler"), {
    authorize: Handshake.byToken(token),
    onSession: (session) =>
      Effect.gen(function*() {
        yield* Deferred.succeed(accepted, yield* makeScheduler(session))
        yield* Effect.ignore(session.ended)
      }).pipe(Effect.scoped)
  }).pipe(Effect.provide(NodeHashing.layer), Effect.forkScoped)
  const written: Array<string> = []
  let watched: Array<Collected> = []
  const platform = Platform.of({
    connect: (address) => Effect.succeed(network.connect(address.replace("inproc://", ""))),
    packageAt: (folder) => folder.endsWith("/packages/client/") ? "@skein/client" : undefined,
    readText: (path) => Effect.sync(() => Option.fromUndefinedOr(files.get(path))),
    ...(exports === undefined ? {} : { exportsOf: (url: string) => Effect.sync(() => exports(url)) }),
    terminal: { isTerminal: terminal.isTerminal, columns: () => terminal.columns ?? 80, write: (text) => Effect.sync(() => void written.push(text)) }
  })
  const client = yield* makeClient(options.schedulerFile === undefined ? { address: "inproc://scheduler", token, ...options } : options).pipe(
    Effect.provideService(Platform, platform),
    Effect.provideService(Hashing, NodeHashing.node),
    Effect.provideService(Collecting, collecting ?? { watch: (_, collected) => void watched.push(collected) })
  )
  const scheduler = yield* Deferred.await(accepted)
  const collect = (which: (index: number) => boolean = () => true) => {
    const found = watched.filter((_, i) => which(i))
    watched = watched.filter((_, i) => !which(i))
    for (const collected of found) collected.onCollected()
  }
  return { client, scheduler, network, written, collect }
})

const makeScheduler = Effect.fnUntraced(function*(session: Session.Session) {
  const said = yield* Queue.unbounded<Said>()
  const note = (what: Said) => Effect.asVoid(Queue.offer(said, what))
  const codes = new Map<number, CodeDef>()
  const values = new Map<number, unknown>()
  let computing = false
  const client = yield* Duplex.make(session, { serve: ClientRpcs, call: ClientReportRpcs }).pipe(
    Effect.provide(ClientRpcs.toLayer({
      Submit: ({ graph }) => Effect.andThen(note({ _tag: "Submit", graph }), Effect.suspend(() => computing ? computeAll(graph) : Effect.void)),
      Want: ({ rows }) => note({ _tag: "Want", rows }),
      Detach: ({ refs }) => note({ _tag: "Detach", refs }),
      Release: ({ refs }) => note({ _tag: "Release", refs }),
      Watch: ({ on, ref }) => note({ _tag: "Watch", ref, on }),
      Relay: ({ id, run }) => Stream.suspend(() => scheduler.relay(id, run)),
      Restart: () => Effect.succeed(false),
      ShutDown: () => Effect.void,
      Logs: () => Effect.succeed([]),
      Retry: ({ refs }) => note({ _tag: "Retry", refs }),
      Cancel: ({ force, note: why, refs }) => Effect.andThen(note({ _tag: "Cancel", refs, note: why, force }), Effect.suspend(() => scheduler.cancel(refs))),
      Locate: ({ ref }) => Effect.andThen(note({ _tag: "Locate", ref }), Effect.suspend(() => scheduler.locate(ref))),
      Scatter: ({ broadcast, rows, workers }) =>
        Effect.andThen(note({ _tag: "Scatter", rows, workers, broadcast }), Effect.suspend(() => scheduler.scatter(rows))),
      AwaitWorkers: ({ count }) => Effect.suspend(() => scheduler.awaitWorkers(count)),
      Workers: () => Effect.sync(() => scheduler.workers),
      Counts: () => Effect.succeed({ released: 0, waiting: 1, noWorker: 0, queued: 2, processing: 3, memory: 4, erred: 5 }),
      Introduce: () => Effect.void,
      // Two rows at a time.
      Tasks: ({ from, keys }) =>
        Effect.sync(() => {
          const rows = scheduler.tasks.filter(({ key }) => keys === null || keys.includes(key))
          return { rows: rows.slice(from, from + 2), next: from + 2 < rows.length ? from + 2 : null }
        }),
      Places: ({ from, keys }) =>
        Effect.sync(() => {
          const rows = scheduler.tasks.filter(({ key }) => keys === null || keys.includes(key))
          return { rows: rows.slice(from, from + 2).map(({ key, nbytes, status, workers }) => ({ key, nbytes, status, workers })), next: from + 2 < rows.length ? from + 2 : null }
        }),
      Clients: () => Effect.succeed([{ id: "ann-1", name: "ann", wants: 3 }]),
      About: () => Effect.succeed({ id: "s", startedAtMs: 5, nthreads: 4, memoryLimitBytes: 100, versions: { skein: "0" } }),
      Durations: () => Effect.succeed([{ name: "inc", ms: 2.5 }]),
      Explain: ({ key }) => Effect.succeed(`"${key}" is what it is.`),
      Story: ({ key }) => Effect.succeed([`${key} was born`])
    }))
  )
  const report = (...segments: ReadonlyArray<ClientReport>) => Effect.orDie(client.Report({ segments }))
  const finish = (ref: number, value: unknown) =>
    report({ _tag: "InMemory", rows: [{ ref: ref as Ref, id: ref as TaskId, run: 1 as RunId, nbytes: 8, worker: 0 as WorkerId, value: bytesOf(value) }] })
  const fail: FakeScheduler["fail"] = (ref, failure, origin = { key: "k", task: "t" }) =>
    report({ _tag: "Erred", rows: [{ ref: ref as Ref, failure, origin: origin.key as SubmittedTask["key"], originTask: origin.task }] })
  const computeAll = (graph: Graph) =>
    Effect.suspend(() => {
      for (const { def, ref } of graph.codes) codes.set(ref, def)
      return Effect.forEach(graph.tasks, computeOne, { discard: true })
    })
  const computeOne = (task: SubmittedTask): Effect.Effect<void> => {
    const def = codes.get(task.code)!
    const args = Result.getOrThrow(Value.decode(task.args, { fill: (i) => values.get(task.dependencies[i]!) })) as ReadonlyArray<unknown>
    try {
      const value: unknown = (new Function(`return (${def.text})`)() as (...args: ReadonlyArray<unknown>) => unknown)(...args)
      values.set(task.ref, value)
      return finish(task.ref, value)
    } catch (defect) {
      const body = encodeRaised({ _tag: "Defect", defect }, { worker: "w", attempt: 1, startedAtMs: 0, endedAtMs: 1 })
      return fail(task.ref, { _tag: "Raised", body }, { key: task.key, task: def.name })
    }
  }
  const scheduler: FakeScheduler = {
    said,
    submitted: Effect.gen(function*() {
      while (true) {
        const next = yield* Queue.take(said)
        if (next._tag === "Submit") return next.graph
      }
    }),
    report,
    finish,
    fail,
    pending: (ref) => report({ _tag: "Pending", refs: [ref as Ref] }),
    cancel: (refs) => Effect.succeed(refs.map(() => "cancelled" as const)),
    locate: () => Effect.succeed(null),
    relay: () => Stream.fail(new RelayFailed({ reason: "Missing", detail: "" })),
    scatter: (rows) => Effect.succeed(rows.map(() => ({ id: 0 as TaskId, run: 0 as RunId, addresses: [] }))),
    awaitWorkers: () => Effect.void,
    workers: [],
    tasks: [],
    compute: Effect.sync(() => {
      computing = true
    }),
    vanish: session.end(Cause.fail(new Error("gone"))),
    session
  }
  return scheduler
})

/** A worker's bulk server in memory, under this name; what it was asked for is noted. */
export const bulkServer = Effect.fnUntraced(function*(
  network: Memory.Network["Service"],
  name: string,
  read: (wanted: Wanted) => Answer
) {
  const asked: Array<ReadonlyArray<Wanted>> = []
  yield* BulkServer.serve(yield* network.listen(name), {
    authorize: Handshake.byToken(token),
    read: (wanted) => Effect.sync(() => {
      asked.push(wanted)
      return wanted.map(read)
    })
  }).pipe(Effect.provide(NodeHashing.layer), Effect.forkScoped)
  return asked
})
