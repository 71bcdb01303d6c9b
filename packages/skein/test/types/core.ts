// What the public interface must infer and refuse, asserted exactly: errors, futures, tasks, client, cluster. `Eq` is exact.
// A copy of the design's types/core.ts: the public names must keep it compiling.
import { Cause, Config, Context, Effect, Exit, Layer, Option, Schema, Scope, Stream } from "effect"
import { Rpc } from "effect/rpc"
import { Client, type ClientService, type ClusterService, Cluster, ClusterError, type Completed, type Completions, ConnectError, type FnTask, Future, type FutureStatus, type Inspect, KeyConflict, KilledWorker, LocalCluster, type LocalClusterOptions, Overloaded, Scheduler, SchedulerLost, SubmitError, type SubmitOptions, Task, TaskContext, type TaskDefaults, TaskDefect, TaskError, TaskOrigin, TaskTimeout, type WorkerInfo, Worker } from "skein"
type Eq<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false
const same = <A, B>(_: Eq<A, B>) => {}
type Ok<T> = T extends Effect.Effect<infer A, any, any> ? A : never
type Err<T> = T extends Effect.Effect<any, infer E, any> ? E : never
class NotFound extends Schema.TaggedError<NotFound>()("NotFound", { url: Schema.String }) {}
class Other extends Schema.TaggedError<Other>()("Other", { x: Schema.Int }) {}
class Db extends Context.Service<Db, { q(s: string): Effect.Effect<number> }>()("Db") { static readonly layer = Layer.succeed(Db, { q: () => Effect.succeed(1) }) }
declare const c: ClientService
declare const fn: Future<number, NotFound>
declare const fs: Future<string, Other>
declare const ro: readonly number[]
interface Tree { readonly value: number; readonly children: ReadonlyArray<Tree> }
declare const tree: Tree
interface Node1 { parent?: Node1; next: Node1 | null; value: string; map: Map<string, Node1> }
declare const node: Node1
class Money { private y = 2; amount = 1; plus(o: Money) { return o } }
const inc = Task.fn("inc", (n: number) => n + 1)
const opt = Task.fn("opt", Effect.fnUntraced(function*(file: string, encoding?: string) { if (file === "") return yield* new NotFound({ url: file }); return 1 }))

// 1. local calls
same<ReturnType<typeof inc>, number>(true)
same<ReturnType<typeof opt>, Effect.Effect<number, NotFound, never>>(true)
// 2. submit
const a1 = c.submit(inc, fn); same<Ok<typeof a1>, Future<number, NotFound>>(true)
const a2 = c.submit((a: number, b: string) => a + b.length, fn, fs); same<Ok<typeof a2>, Future<number, NotFound | Other>>(true)
const a3 = c.submit((a, b) => [a, b], fn, fs); same<Ok<typeof a3>, Future<(string | number)[], NotFound | Other>>(true)
const a4 = c.submit((xs) => xs.reduce((a, b) => a + b, 0), [fn, 1]); same<Ok<typeof a4>, Future<number, NotFound>>(true)
declare const fns: ReadonlyArray<Future<number, NotFound>>
const a5 = c.submit((xs) => xs.reduce((a, b) => a + b, 0), fns); same<Ok<typeof a5>, Future<number, NotFound>>(true)
const a6 = c.submit(<T>(x: T) => [x], 5); same<Ok<typeof a6>, Future<number[], never>>(true)
const a7 = c.submit(opt, "a"); same<Ok<typeof a7>, Future<number, NotFound>>(true)
const a8 = c.submit(opt, fs, "b"); same<Ok<typeof a8>, Future<number, NotFound | Other>>(true)
const a9 = c.submit((...xs: number[]) => xs.length, fn, 1); same<Ok<typeof a9>, Future<number, NotFound>>(true)
const a10 = c.submit((xs: number[]) => xs, ro); same<Ok<typeof a10>, Future<number[], never>>(true)
const a11 = c.submit((n: number) => n > 1 ? Effect.fail(new NotFound({ url: "" })) : n > 0 ? Effect.fail(new Other({ x: 1 })) : Effect.succeed(n), 1); same<Ok<typeof a11>, Future<number, NotFound | Other>>(true)
const a12 = c.submit((t: Tree) => t.value, tree); same<Ok<typeof a12>, Future<number, never>>(true)
const a13 = c.submit((t: Tree) => t.value, { value: fn, children: [tree] }); same<Ok<typeof a13>, Future<number, NotFound>>(true)
const a14 = c.submit((t: Node1) => 1, node); same<Ok<typeof a14>, Future<number, never>>(true)
const a15 = c.submit((n: number) => n, JSON.parse("1")); same<Ok<typeof a15>, Future<number, never>>(true)
const a16 = c.submit((m: Map<string, number>) => m.size, new Map([["a", fn]])); same<Ok<typeof a16>, Future<number, NotFound>>(true)
const a17 = c.submit((m: ReadonlySet<number>) => m.size, new Set([fn])); same<Ok<typeof a17>, Future<number, NotFound>>(true)
const a18 = c.submit((m: Money) => m, new Money()); same<Ok<typeof a18>, Future<Money, never>>(true)
const a19 = c.submit((b: Record<string, number>) => 1, { a: fn, b: 2 }); same<Ok<typeof a19>, Future<number, NotFound>>(true)
const a20 = c.submit(() => 1); same<Ok<typeof a20>, Future<number, never>>(true)
const a21 = c.submit((k: "a" | "b") => k, "a"); same<Ok<typeof a21>, Future<"a" | "b", never>>(true)
const a22 = c.submit(async (n: number) => n, fn); same<Ok<typeof a22>, Future<number, NotFound>>(true)
const a23 = c.submit((s: string) => Effect.gen(function*() { const cl = yield* Client; const t = yield* TaskContext; return s.length + t.attempt }), "x"); same<Ok<typeof a23>, Future<number, never>>(true)
const a24 = c.submit((x: [number, string]) => x, [fn, fs]); same<Ok<typeof a24>, Future<[number, string], NotFound | Other>>(true)
// @ts-expect-error a service no worker provides
c.submit((n: number) => Effect.flatMap(Db, (d) => d.q("")), 1)
const needsDb = Task.fn("needsDb", (s: string) => Effect.flatMap(Db, (d) => d.q(s)))
// @ts-expect-error the same through Task.fn
c.submit(needsDb, "x")
// @ts-expect-error the same through map
c.map(needsDb, ["x"])
const hasDb = Task.fn("hasDb", (s: string) => Effect.flatMap(Db, (d) => d.q(s)), { services: Db.layer, module: import.meta.url })
const b1 = c.submit(hasDb, "x"); same<Ok<typeof b1>, Future<number, never>>(true)
// @ts-expect-error wrong type
c.submit(inc, "1")
// @ts-expect-error wrong future
c.submit(inc, fs)
// known limit, before and now: an extra property of a literal is not refused
c.submit((o: { x: number; y?: string }) => 1, { x: fn, yy: 1 })
// @ts-expect-error missing argument
c.submit((o: { x: number }) => 1)
// @ts-expect-error one too many
c.submit(inc, 1, 2)
// 3. map
const m1 = c.map(opt, ["a", fs]); same<Ok<typeof m1>, ReadonlyArray<Future<number, NotFound | Other>>>(true)
const m2 = c.map((x) => x + 1, [1, 2, 3]); same<Ok<typeof m2>, ReadonlyArray<Future<number, never>>>(true)
const m3 = c.map((x) => [x], [fn, 1]); same<Ok<typeof m3>, ReadonlyArray<Future<number[], NotFound>>>(true)
const m4 = c.map((x) => x[0]! + x[1]!, [[fn, 1], [2, fn]]); same<Ok<typeof m4>, ReadonlyArray<Future<number, NotFound>>>(true)
const m5 = c.map(inc, new Set([1])); same<Ok<typeof m5>, ReadonlyArray<Future<number, never>>>(true)
const m6 = c.map(inc, ro, { keys: (n, i) => `k-${n}-${i}`, priority: (n) => -n }); same<Ok<typeof m6>, ReadonlyArray<Future<number, never>>>(true)
const m7 = c.mapArgs((a: number, b: string) => a + b.length, [[fn, "x"], [1, fs]]); same<Ok<typeof m7>, ReadonlyArray<Future<number, NotFound | Other>>>(true)
const m8 = c.map((t: Tree) => t.value, [tree]); same<Ok<typeof m8>, ReadonlyArray<Future<number, never>>>(true)
// @ts-expect-error
c.map(inc, ["x"])
// @ts-expect-error
c.mapArgs((a: number, b: string) => a, [[1, 2]])
// 4. generic code
export function treeReduce<A, E>(x: ReadonlyArray<Future<A, E>>, f: (a: A, b: A) => A): Effect.Effect<Future<A, E>, SubmitError> { return c.submit(f, x[0]!, x[1]!) }
export function treeReduceT<A, E, E2, R extends TaskContext>(x: ReadonlyArray<Future<A, E>>, f: FnTask<[A, A], A, E2, R>): Effect.Effect<Future<A, E | E2>, SubmitError> { return c.submit(f, x[0]!, x[1]!) }
export const parMap = <A, B, E>(task: FnTask<[A], B, E>) => (items: ReadonlyArray<A>): Effect.Effect<ReadonlyArray<B>, E | TaskError | SubmitError, Client> =>
  Effect.gen(function*() { const cl = yield* Client; return yield* cl.gather(yield* cl.map(task, items)) })
export const parMapFn = <A, B, E>(f: (a: A) => Effect.Effect<B, E>) => (items: ReadonlyArray<A>): Effect.Effect<ReadonlyArray<Future<B, E>>, SubmitError, Client> => Effect.flatMap(Client, (cl) => cl.map(f, items))
export const mapReduce = <A, B>(items: ReadonlyArray<A>, f: (a: A) => B, g: (x: B, y: B) => B) => Effect.gen(function*() { const bs = yield* c.map(f, items); return yield* (yield* c.submit(g, bs[0]!, bs[1]!)).result })
same<Ok<ReturnType<typeof mapReduce<number, string>>>, string>(true)
export const call = <N extends string, P extends Schema.Top, S extends Schema.Top, F extends Schema.Top>(task: Task<N, P, S, F>, payloads: ReadonlyArray<P["~type.make.in"]>): Effect.Effect<ReadonlyArray<Future<S["Type"], F["Type"]>>, SubmitError> => c.map(task, payloads) as any
// 5. gather
const g1 = c.gather(new Map([["a", fn]])); same<Ok<typeof g1>, Map<string, number>>(true)
const g2 = c.gather(new Set([fs])); same<Ok<typeof g2>, Set<string>>(true)
const g3 = c.gather({ m: new Money(), f: fn, o: Option.some(1), t: tree, d: new Date() }); same<Ok<typeof g3>, { readonly m: Money; readonly f: number; readonly o: Option.Option<number>; readonly t: Tree; readonly d: Date }>(true)
same<Err<typeof g3>, NotFound | TaskError>(true)
const g4 = c.gather(fns); same<Ok<typeof g4>, readonly number[]>(true)
const g5 = c.gather([fn, fs]); same<Ok<typeof g5>, readonly [number, string]>(true)
// 6. mixed futures, no any; completion order without and with values
const s1 = c.asCompleted([fn, fs]); same<typeof s1, Stream.Stream<Future<number, NotFound> | Future<string, Other>, SchedulerLost>>(true)
const s2 = c.gatherExits([fn, fs]); same<Ok<typeof s2>, ReadonlyArray<Exit.Exit<number | string, NotFound | Other | TaskError>>>(true)
const s3 = c.results([fn, fs]); same<typeof s3, Stream.Stream<Completed<Future<number, NotFound> | Future<string, Other>>, SchedulerLost>>(true)
export const s3x = Stream.map(s3, ({ exit, future }) => { same<typeof exit, Exit.Exit<number | string, NotFound | Other | TaskError>>(true); return Exit.isSuccess(exit) ? exit.value : future.key })
declare const later: Stream.Stream<Future<number, NotFound>, "src", Db>
const s4 = c.asCompleted(later); same<typeof s4, Stream.Stream<Future<number, NotFound>, "src" | SchedulerLost, Db>>(true)
const s5 = c.results(later); same<typeof s5, Stream.Stream<Completed<Future<number, NotFound>>, "src" | SchedulerLost, Db>>(true)
const s6 = c.completions([fn, fs]); same<Ok<typeof s6>, Completions<Future<number, NotFound> | Future<string, Other>>>(true)
same<Err<typeof s6>, never>(true)
same<Completions<Future<number, NotFound>>["take"], Effect.Effect<Future<number, NotFound>, SchedulerLost>>(true)
same<Completions<Future<number, NotFound>>["stream"], Stream.Stream<Future<number, NotFound>, SchedulerLost>>(true)
const s7 = c.completions<Future<number, NotFound | Other>>(); export const s7x = Effect.flatMap(s7, (seq) => seq.add(fn))
// @ts-expect-error a future of another type
export const s7y = Effect.flatMap(s7, (seq) => seq.add(fs))
const w = c.wait(fns, { until: "first" }); same<Ok<typeof w>["done"], ReadonlyArray<Future<number, NotFound>>>(true)
const w2 = c.wait([fn, fs]); same<Ok<typeof w2>["notDone"], ReadonlyArray<Future<number, NotFound> | Future<string, Other>>>(true)
same<Err<typeof w>, SchedulerLost>(true)
export const asC = <A, E>(xs: ReadonlyArray<Future<A, E>>): Stream.Stream<Future<A, E>, SchedulerLost> => c.asCompleted(xs)
export const asR = <A, E>(xs: ReadonlyArray<Future<A, E>>): Stream.Stream<Exit.Exit<A, E | TaskError>, SchedulerLost> => c.results(xs).pipe(Stream.map((x) => x.exit))
same<Future.Any, Future<unknown, unknown>>(true)
export const anyFuture: Future.Any = fn
// @ts-expect-error its value is unknown, not any
export const notNumber: Effect.Effect<number, unknown> = anyFuture.result
// 7. contracts
class Bad extends Schema.TaggedError<Bad>()("Bad", { n: Schema.Int }) {}
const Resize = Task.make("Resize", { payload: { url: Schema.String, width: Schema.Int, dpi: Schema.Int.pipe(Schema.withConstructorDefault(Effect.succeed(72))) }, success: Schema.Uint8Array, error: Bad })
const Tick = Task.make("Tick", {})
const Sum = Task.make("Sum", { payload: Schema.Array(Schema.Number), success: Schema.Number })
const r1 = c.submit(Resize, { url: fs, width: 1 }); same<Ok<typeof r1>, Future<Uint8Array<ArrayBufferLike>, Bad | Other>>(true)
const r2 = c.submit(Tick); same<Ok<typeof r2>, Future<void, never>>(true)
const r3 = c.submit(Sum, [1, fn]); same<Ok<typeof r3>, Future<number, NotFound>>(true)
const r4 = c.map(Resize, [{ url: "a", width: 1 }]); same<Ok<typeof r4>, ReadonlyArray<Future<Uint8Array<ArrayBufferLike>, Bad>>>(true)
// @ts-expect-error missing field
c.submit(Resize, { url: "a" })
// known limit: to be refused at run time, PayloadInvalid
c.submit(Resize, { url: "a", width: 1, widht: 2 })
const ResizeLive = Resize.toLayer(({ url, width, dpi }) => Effect.flatMap(Db, (d) => d.q(url)).pipe(Effect.as(new Uint8Array(width * dpi))))
same<typeof ResizeLive, Layer.Layer<Task.Handler<"Resize">, never, Db>>(true)
const live: Layer.Layer<never, never, Db> = ResizeLive
const Built = Sum.toLayer(Effect.gen(function*() { const d = yield* Db; yield* Effect.acquireRelease(Effect.void, () => Effect.void); return (xs) => Effect.succeed(xs.length) }))
const built: Layer.Layer<never, never, Db> = Built
same<typeof Built, Layer.Layer<Task.Handler<"Sum">, never, Db>>(true)
const both: Layer.Layer<Task.Handler<"Resize"> | Task.Handler<"Sum">, never, Db> = Layer.mergeAll(ResizeLive, Built)
// @ts-expect-error the implementation of another contract
const misnamed: Layer.Layer<Task.Handler<"Resize">, never, Db> = Built
// @ts-expect-error one is forgotten
const forgotten: Layer.Layer<Task.Handler<"Resize"> | Task.Handler<"Sum">, never, Db> = ResizeLive
const failing = Sum.toLayer(Effect.flatMap(Db, () => new Bad({ n: 1 }))); same<typeof failing, Layer.Layer<Task.Handler<"Sum">, Bad, Db>>(true)
const usesClient = Sum.toLayer(Effect.map(Client, (client) => (xs) => Effect.scoped(Effect.flatMap(TaskContext, (t) => Effect.as(client.scoped, xs.length + t.attempt))))); same<typeof usesClient, Layer.Layer<Task.Handler<"Sum">>>(true)
// @ts-expect-error there is no running task while the body is built
const tooEarly: Layer.Layer<Task.Handler<"Sum">> = Sum.toLayer(Effect.map(TaskContext, (t) => (xs) => Effect.succeed(t.attempt)))
// @ts-expect-error Db is not provided
const open: Layer.Layer<Client | Cluster, any> = LocalCluster.layer({ processes: false, tasks: ResizeLive })
const l1 = LocalCluster.layer({ processes: false, tasks: failing }); same<typeof l1, Layer.Layer<Client | Cluster, ClusterError | ConnectError | Bad, Db>>(true)
const l2 = LocalCluster.layer({ workers: 2, tasks: new URL("file:///tasks.ts") }); same<typeof l2, Layer.Layer<Client | Cluster, ClusterError | ConnectError>>(true)
const l3 = LocalCluster.layer(); same<typeof l3, Layer.Layer<Client | Cluster, ClusterError | ConnectError>>(true)
const l4 = Worker.layer({ address: "tcp://a:1", tasks: failing }); same<typeof l4, Layer.Layer<Worker, ConnectError | Bad, Db>>(true)
const l5 = Worker.layerHere({ fibers: 8, tasks: ["./a.ts"] }); same<typeof l5, Layer.Layer<Worker, ConnectError, Scheduler>>(true)
const l6 = Worker.layerHere({ tasks: failing }); same<typeof l6, Layer.Layer<Worker, ConnectError | Bad, Scheduler | Db>>(true)
const l7 = Client.layerAuto({ processes: false, tasks: failing }); same<typeof l7, Layer.Layer<Client, ConnectError | ClusterError | Config.ConfigError | Bad, Db>>(true)
const l8 = Client.layerConfig(); same<Layer.Error<typeof l8>, ConnectError | Config.ConfigError>(true)
// definitions and submissions
// @ts-expect-error a definition has no key
Task.make("K", { payload: { n: Schema.Int }, key: "k" })
// @ts-expect-error nor does it choose workers
Task.fn("k", (n: number) => n, { workers: ["a"] })
const d1 = c.with({ key: "k", workers: ["a"], allowOtherWorkers: true, annotations: { a: 1 }, priority: 1, retries: 2 }).map(inc, [1]); same<Ok<typeof d1>, ReadonlyArray<Future<number, never>>>(true)
export const wider: SubmitOptions = {} as TaskDefaults
// regions
const helper = Effect.flatMap(Client, (client) => client.submit(inc, 1))
const region = Effect.provide(helper, Client.layerScoped); same<typeof region, Effect.Effect<Future<number>, SubmitError, Client>>(true)
same<ClientService["scoped"], Effect.Effect<ClientService, never, Scope.Scope>>(true)
// codecs of functions
class Point extends Schema.Class<Point>("Point")({ x: Schema.Number }) {}
const f1 = Task.fn("f1", (p: Point) => [p], { success: Schema.Array(Point), retries: 1 }); same<ReturnType<typeof f1>, Point[]>(true)
const f2 = Task.fn("f2", Effect.fnUntraced(function*(n: number) { if (n < 0) return yield* new NotFound({ url: "" }); return new Point({ x: n }) }), { success: Point, error: NotFound }); const f2x = c.submit(f2, 1); same<Ok<typeof f2x>, Future<Point, NotFound>>(true)
const f3 = Task.fn("f3", (n: number) => n > 1 ? Effect.fail(new NotFound({ url: "" })) : n > 0 ? Effect.fail(new Other({ x: 1 })) : Effect.succeed(n), { error: NotFound }); const f3x = c.submit(f3, 1); same<Ok<typeof f3x>, Future<number, NotFound | Other>>(true)
// @ts-expect-error not the codec of a number
Task.fn("f4", (n: number) => n, { success: Schema.String })
// @ts-expect-error it cannot fail so
Task.fn("f5", (n: number) => Effect.succeed(n), { error: NotFound })
// 8. errors are values: one TaskError with a reason
const fake = new TaskError({ code: "SKEIN3000", key: "k", task: "t", reason: new TaskDefect({ worker: "w", cause: new Error("x"), remoteStack: "", attempts: [] }) })
if (fake.reason instanceof TaskDefect) fake.reason.worker
Rpc.make("Mine", { error: Schema.Union([NotFound, KilledWorker, TaskTimeout]) })
Rpc.make("Mine2", { error: TaskError })
same<Err<typeof fn.result>, NotFound | TaskError>(true)
export const caught = c.submit(inc, 1).pipe(Effect.catchReason("SubmitError", "Overloaded", (r) => Effect.delay(c.submit(inc, 2), r.retryAfter)), Effect.flatMap((f) => f.result), Effect.catchTag("TaskError", (e) => Effect.succeed(e.reason._tag)))
same<Err<typeof caught>, SubmitError>(true)
const e1 = fn.result.pipe(Effect.catchReason("TaskError", "KilledWorker", (reason, error) => { same<typeof reason, KilledWorker>(true); return Effect.succeed(reason.attempts.length + error.key.length) })); same<typeof e1, Effect.Effect<number, NotFound | TaskError>>(true)
const e2 = Effect.catchReason(fn.result, "TaskError", "KeyConflict", (reason) => Effect.succeed(reason.heldBy)); same<typeof e2, Effect.Effect<number | string, NotFound | TaskError>>(true)
const e3 = fn.result.pipe(Effect.catchReasons("TaskError", { TaskTimeout: (r) => Effect.succeed(r.limit), DataLost: () => Effect.succeed(null) })); same<Err<typeof e3>, NotFound | TaskError>(true)
const e4 = fn.result.pipe(Effect.catchReason("TaskError", "TaskDefect", () => Effect.succeed(0), () => Effect.succeed(1))); same<Err<typeof e4>, NotFound>(true)
const e5 = fn.result.pipe(Effect.unwrapReason("TaskError"), Effect.catchTag("SchedulerLost", (e) => Effect.succeed(e.address))); same<Extract<Err<typeof e5>, { readonly _tag: "SchedulerLost" }>, never>(true)
// @ts-expect-error no such reason
fn.result.pipe(Effect.catchReason("TaskError", "WorkersKilled", () => Effect.succeed(0)))
const e6 = c.submit(inc, 1).pipe(Effect.catchReason("SubmitError", "KeyConflict", (r) => Effect.succeed(r.key))); same<Err<typeof e6>, SubmitError>(true)
const e7 = Effect.exit(fn.result).pipe(Effect.map((exit) => Exit.isFailure(exit) ? Context.getOption(Cause.annotations(exit.cause), TaskOrigin) : Option.none())); same<Ok<typeof e7>, Option.Option<TaskOrigin["Service"]>>(true)
const badOption = new ClusterError({ code: "SKEIN4003", reason: "BadOption", option: "journal" }); same<typeof badOption.option, string | undefined>(true)
// 9. all that asks the scheduler may find it gone
same<Future<number>["status"], Effect.Effect<FutureStatus, SchedulerLost>>(true)
same<Err<ReturnType<Future<number>["cancel"]>>, SchedulerLost>(true)
same<Err<Future<number>["retry"]>, SchedulerLost>(true)
same<Err<Future<number>["release"]>, never>(true)
same<Err<ReturnType<ClientService["cancel" | "retry" | "fireAndForget" | "explain" | "withProgress"]>>, SchedulerLost>(true)
same<Err<ReturnType<ClientService["replicate" | "rebalance"]>>, TaskError | ClusterError>(true)
same<Err<ReturnType<ClientService["waitForWorkers"]>>, ClusterError | SchedulerLost>(true)
same<Err<Inspect["workers" | "clients" | "scheduler" | "idle" | "saturated" | "durationsMs" | "counts" | "hasWhat" | "processing"]>, SchedulerLost>(true)
same<Err<ReturnType<Inspect["tasks" | "whoHas" | "nbytes" | "story"]>>, SchedulerLost>(true)
same<Err<ReturnType<ClusterService["scale" | "adapt" | "retire"]> | ClusterService["restart"]>, ClusterError | SchedulerLost>(true)
same<Err<ClusterService["logs"]>, SchedulerLost>(true)
same<Ok<ReturnType<ClientService["cluster"]["retire"]>>, void>(true)
same<Ok<Inspect["workers"]>, ReadonlyArray<WorkerInfo>>(true)
same<"workers" extends keyof ClusterService ? true : false, false>(true)
same<"dashboardLink" extends keyof ClientService ? true : false, false>(true)
same<NonNullable<LocalClusterOptions["protocol"]>, "tcp" | "unix" | "inproc">(true)
// 10. streams
declare const src: Stream.Stream<number, "src">
const st1 = c.mapStream(inc, src); same<typeof st1, Stream.Stream<number, "src" | TaskError | SubmitError>>(true)
const st2 = c.mapStream((n) => n * 2, src); same<typeof st2, Stream.Stream<number, "src" | TaskError | SubmitError>>(true)
const st3 = c.mapStream(inc, Stream.mapEffect(src, (n) => c.submit(inc, n))); same<typeof st3, Stream.Stream<number, "src" | TaskError | SubmitError>>(true)
const st4 = c.mapStream(Resize, Stream.map(src, (width) => ({ url: "a", width }))); same<typeof st4, Stream.Stream<Uint8Array<ArrayBufferLike>, Bad | "src" | TaskError | SubmitError>>(true)
const st5 = c.mapStream(opt, Stream.make("a")); same<typeof st5, Stream.Stream<number, NotFound | TaskError | SubmitError>>(true)
