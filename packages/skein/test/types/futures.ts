// A copy of the design's examples/futures.ts: the public names must keep it compiling.
import { Effect, Exit, Option, Schema, Stream } from "effect"
import { Client, Cluster, Future, SchedulerLost, Task } from "skein"

type Eq<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false
const same = <A, B>(_: Eq<A, B>) => {}

const inc = Task.fn("inc", (n: number) => n + 1)
const double = Task.fn("double", (n: number) => 2 * n)
const add = Task.fn("add", (a: number, b: number) => a + b)
class NotFound extends Schema.TaggedError<NotFound>()("NotFound", { url: Schema.String }) {}
const links = Task.fn("links", Effect.fnUntraced(function*(url: string) {
  if (url === "") return yield* new NotFound({ url })
  return [url + "/a", url + "/b"]
}))

// Any shape, also maps and sets.
export const shapes = Effect.gen(function*() {
  const client = yield* Client
  const n = yield* client.submit(inc, 1)
  const page = yield* client.submit(links, "https://example.org")
  const all = yield* client.gather({ n, both: [n, page] as const, byName: new Map([["n", n]]), plain: "text" })
  same<(typeof all)["n"], number>(true)
  same<(typeof all)["both"][1], string[]>(true)
  same<(typeof all)["byName"], Map<string, number>>(true)
  const exits = yield* client.gatherExits([n, page])
  return exits.filter(Exit.isSuccess).length
})

// As they complete, of different types too.
export const inOrder = Effect.gen(function*() {
  const client = yield* Client
  const n = yield* client.submit(inc, 1)
  const page = yield* client.submit(links, "https://example.org")
  // The futures themselves; nothing is fetched.
  const first = yield* client.asCompleted([n, page]).pipe(Stream.runHead)
  same<typeof first, Option.Option<Future<number> | Future<string[], NotFound>>>(true)
  yield* client.asCompleted([n, page]).pipe(Stream.runForEach((future) => Effect.flatMap(future.status, (status) => Effect.log(future.key, status))))
  // With what each gave.
  yield* client.results([n, page]).pipe(Stream.runForEach(({ exit, future }) => Effect.log(future.key, Exit.isSuccess(exit) ? exit.value : exit.cause)))
  const { done, notDone } = yield* client.wait([n, page], { until: "first" })
  return done.length + notDone.length
})
/** Futures that come in a stream; its error and needs stay. */
export const streamed = <E2, R2>(pages: Stream.Stream<Future<string[], NotFound>, E2, R2>) =>
  Stream.unwrap(Effect.map(Client, (client) => client.asCompleted(pages))) satisfies Stream.Stream<Future<string[], NotFound>, E2 | SchedulerLost, R2 | Client>

// A set that grows while it is taken from.
export const crawl = (start: string) => Effect.scoped(Effect.gen(function*() {
  const client = yield* Client
  const seen = new Set([start])
  const pages = yield* client.completions([yield* client.submit(links, start)])
  yield* pages.stream.pipe(Stream.runForEach((page) => Effect.gen(function*() {
    const found = yield* page.result.pipe(Effect.catchTag("NotFound", () => Effect.succeed([])))
    for (const url of found) if (!seen.has(url)) {
      seen.add(url)
      yield* pages.add(yield* client.submit(links, url))
    }
  })))
  return seen
}))

/** The custom-workloads notebook: chains, a tree sum, and sums in completion order. */
export const notebook = Effect.scoped(Effect.gen(function*() {
  const client = yield* Client
  const cluster = yield* Cluster
  let level: Array<Future<number>> = []
  for (let i = 0; i < 256; i++) level.push(yield* client.submit(add, yield* client.submit(inc, i), yield* client.submit(double, i)))
  yield* client.withProgress(level, { label: "chains" })
  while (level.length > 1) {
    const next: Array<Future<number>> = []
    for (let i = 0; i + 1 < level.length; i += 2) next.push(yield* client.submit(add, level[i]!, level[i + 1]!))
    if (level.length === 64) yield* cluster.scale(10)
    level = next
  }
  const total = yield* level[0]!.result

  const seq = yield* client.completions(yield* client.map(inc, [1, 2, 3, 4]))
  while ((yield* seq.count) > 1) {
    const a = yield* seq.take
    const b = yield* seq.take
    yield* seq.add(yield* client.with({ priority: 1 }).submit(add, a, b))
  }
  return [total, yield* (yield* seq.take).result] as const
}))

// A remote call: submit, wait, release; interrupting it cancels the work.
export const call = Effect.flatMap(Client, (client) => Future.run(client.submit(inc, 1))).pipe(Effect.timeout("1 second"))

// Cancelled with a word, and tried again.
export const handled = Effect.gen(function*() {
  const client = yield* Client
  const future = yield* client.with({ retries: 3 }).submit(inc, 1)
  const how = yield* future.cancel({ note: "superseded" })
  if (how === "cancelled") yield* future.retry
  yield* client.cancel([future], { note: "no longer needed", force: true })
  yield* future.release
  return how
}).pipe(Effect.catchTag("SchedulerLost", (e) => Effect.succeed("nobody answers at " + e.address)))
