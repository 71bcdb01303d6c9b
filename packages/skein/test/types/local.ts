// A copy of the design's examples/local.ts: the public names must keep it compiling.
import { Config, Context, Effect, Layer, Schema, Stream } from "effect"
import { Client, Cluster, ClusterError, ConnectError, type Future, LocalCluster, Portable, Scheduler, SchedulerLost, Task, TaskContext, Worker } from "skein"

type Eq<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false
const same = <A, B>(_: Eq<A, B>) => {}

const inc = Task.fn("inc", (n: number) => n + 1)
export const program = Effect.gen(function*() {
  const client = yield* Client
  return yield* (yield* client.submit(inc, 1)).result
})

// Where a program runs is a layer.
export const local = program.pipe(Effect.provide(LocalCluster.layer({ workers: 4, threadsPerWorker: 1, fibersPerWorker: 64, tasks: new URL("./tasks.ts", import.meta.url) })))
export const remote = program.pipe(Effect.provide(Client.layer({ address: "tls://scheduler:8786" })))
export const byFile = program.pipe(Effect.provide(Client.layer({ schedulerFile: "/tmp/scheduler.json", timeout: "5 seconds" })))
export const configured = program.pipe(Effect.provide(Client.layerConfig({ address: Config.String("CLUSTER"), token: Config.Redacted("TOKEN") })))
export const anywhere = program.pipe(Effect.provide(Client.layerAuto({ workers: 2 })))
export const inline = program.pipe(Effect.provide(Client.layerInline))
export const secondClient = program.pipe(Effect.provide(Client.layerCluster), Effect.provide(LocalCluster.layer({ security: true, protocol: "tcp" })))
// @ts-expect-error TLS is said by `security` or by a tls:// address
LocalCluster.layer({ protocol: "tls" })

// Futures that end with a region, in code that only knows `Client`, or with a client of one's own.
export const region = program.pipe(Effect.provide(Client.layerScoped))
export const byHand = Effect.scoped(Effect.gen(function*() {
  const client = yield* (yield* Client).scoped
  return yield* client.gather(yield* client.map(inc, [1, 2, 3]))
}))

// Implementations with needs of their own; the cluster's type keeps them and their errors.
class Db extends Context.Service<Db, { readonly save: (n: number) => Effect.Effect<void> }>()("Db") {}
class NoDb extends Schema.TaggedError<NoDb>()("NoDb", {}) {}
declare const DbLive: Layer.Layer<Db, NoDb>
const Save = Task.make("Save", { payload: { n: Schema.Int } })
const SaveLive = Save.toLayer(({ n }) => Effect.flatMap(Db, (db) => db.save(n)))
const withDb = LocalCluster.layer({ processes: false, tasks: SaveLive })
same<typeof withDb, Layer.Layer<Client | Cluster, ClusterError | ConnectError, Db>>(true)
const whole = LocalCluster.layer({ processes: false, tasks: SaveLive.pipe(Layer.provide(DbLive)) })
same<typeof whole, Layer.Layer<Client | Cluster, ClusterError | ConnectError | NoDb>>(true)

// A cluster is looked at and operated through any client.
export const operate = Effect.gen(function*() {
  const client = yield* Client
  yield* client.cluster.scale(10)
  yield* client.waitForWorkers(10, { timeout: "30 seconds" })
  const workers = yield* client.inspect.workers
  const fullest = workers.toSorted((a, b) => b.memoryBytes - a.memoryBytes)[0]
  if (fullest !== undefined) yield* client.cluster.retire([fullest.name])
  const logs = yield* client.cluster.logs
  yield* client.connection.pipe(Stream.takeUntil((c) => c === "connected"), Stream.runDrain)
  yield* client.cluster.restart
  return { scheduler: yield* client.inspect.scheduler, waiting: (yield* client.inspect.counts).noWorker, lines: logs.get("scheduler")?.length, page: client.cluster.dashboardLink }
})
same<Effect.Error<typeof operate>, ClusterError | SchedulerLost>(true)
export const patient = operate.pipe(Effect.catchIf((e) => e._tag === "ClusterError" && e.reason === "Timeout", (e) => Effect.logWarning(e.code)))
export const adaptive = Effect.scoped(Effect.gen(function*() {
  const cluster = yield* Cluster
  yield* cluster.adapt({ minimum: 1, maximum: 20, targetDuration: "10 seconds" })
  return yield* program
}))

// The parts by themselves: a program that is a scheduler, a worker, or both.
export const isScheduler = Scheduler.layer({ port: 8786, allowedFailures: 3, workerTtl: "5 minutes", schedulerFile: "/tmp/scheduler.json" })
export const isWorker = Worker.layer({ address: "tcp://scheduler:8786", threads: 4, fibers: 64, resources: { GPU: 1 }, tasks: SaveLive.pipe(Layer.provide(DbLive)) })
same<typeof isWorker, Layer.Layer<Worker, ConnectError | NoDb>>(true)
export const isBoth = Worker.layerHere({ tasks: SaveLive }).pipe(Layer.provideMerge(isScheduler))
same<typeof isBoth, Layer.Layer<Worker | Scheduler, ConnectError | ClusterError, Db>>(true)

// Inside a task: its context, the cluster's client, and a slot given back while it waits.
const report = Task.fn("report", Effect.fnUntraced(function*(n: number) {
  const context = yield* TaskContext
  const client = yield* Client
  yield* context.progress(0, n, `attempt ${context.attempt} on ${context.worker}`)
  const parts = yield* client.map(inc, Array.from({ length: n }, (_, i) => i))
  return (yield* client.gather(parts)).length
}), { module: import.meta.url, timeout: "30 seconds", retries: { times: 3, delay: "1 second" }, resources: { GPU: 1 } })
const plain = Task.fn("plain", (n: number) => {
  TaskContext.current()?.progress(1, n)
  return n
}, { isolation: "thread", captures: {}, span: "report" })

// Instances arrive as instances.
class Point extends Schema.Class<Point>("Point")({ x: Schema.Number }) {
  get double() { return 2 * this.x }
}
class TooFar extends Schema.TaggedError<TooFar>()("TooFar", { by: Schema.Number }) {}
const moved = Task.fn("moved", (p: Point, by: number) => by < 100 ? Effect.succeed([new Point({ x: p.x + by })]) : Effect.fail(new TooFar({ by })), { success: Schema.Array(Point), error: TooFar })
class Money {
  readonly amount: number
  constructor(amount: number) { this.amount = amount }
}
declare const moneySchema: Schema.Codec<Money, { readonly amount: number }>
Portable.register(Money, moneySchema)
export const instances = Effect.gen(function*() {
  const client = yield* Client
  const [p] = yield* (yield* client.submit(moved, new Point({ x: 1 }), 2)).result
  return p?.double
})

// One message, one order; and several lists of arguments.
export const graph = Effect.gen(function*() {
  const client = yield* Client
  const add = Task.fn("add", (a: number, b: number) => a + b)
  const root = yield* client.batch((c) => Effect.gen(function*() {
    let level = yield* c.map(inc, Array.from({ length: 1024 }, (_, i) => i), { keys: (n) => `leaf-${n}` })
    while (level.length > 1) level = yield* c.mapArgs(add, Array.from({ length: level.length / 2 }, (_, i) => [level[2 * i]!, level[2 * i + 1]!] as const))
    return level[0]!
  }))
  return yield* root.result
})

// Data that many tasks use; more inputs than fit in memory.
export const data = Effect.gen(function*() {
  const client = yield* Client
  const table = yield* client.scatter(new Float64Array(1e6), { broadcast: true })
  const parts = yield* client.scatterAll({ left: new Float64Array(10), right: new Float64Array(10) })
  same<typeof parts.left, Future<Float64Array<ArrayBuffer>>>(true)
  const first = yield* client.submit((xs: Float64Array, i: number) => xs[i]!, table, 0)
  const sum = yield* client.submit((a: Float64Array, b: Float64Array) => a.length + b.length, parts.left, parts.right)
  const many = yield* client.mapStream(inc, Stream.range(1, 1_000_000), { window: 1000, ordered: false }).pipe(Stream.runFold(() => 0, (a, b) => a + b))
  return { first: yield* first.result, sum: yield* sum.result, many }
})

// Left to run, found again by key, looked at.
export const keys = Effect.gen(function*() {
  const client = yield* Client
  const future = yield* client.with({ key: "train-1", workers: ["gpu"], allowOtherWorkers: true, annotations: { team: "etl" } }).submit(report, 10)
  yield* client.fireAndForget(future)
  yield* future.progress.pipe(Stream.take(1), Stream.runForEach(({ done, note }) => Effect.log(done, note)))
  const again = yield* client.future<number>("train-1")
  const all = yield* client.map(plain, [again, 1, 2])
  yield* client.replicate(all, { n: 2 })
  return { why: yield* client.explain("train-1"), story: yield* client.inspect.story(again), where: yield* client.inspect.whoHas(all) }
})
