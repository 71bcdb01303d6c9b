// A copy of the design's examples/tasks.ts: the public names must keep it compiling.
import { Cause, Context, Effect, Exit, Layer, Option, Schema } from "effect"
import { Client, type Future, Task, TaskError, TaskOrigin } from "skein"

type Eq<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false
const same = <A, B>(_: Eq<A, B>) => {}

// A task is a function with a name.
export const inc = Task.fn("inc", (n: number) => n + 1)
export const add = Task.fn("add", (a: number, b: number) => a + b)
export const two: number = inc(1)

class NotFound extends Schema.TaggedError<NotFound>()("NotFound", { url: Schema.String }) {}
export const fetchText = Task.fn("fetchText", Effect.fnUntraced(function*(url: string) {
  if (url === "") return yield* new NotFound({ url })
  return "body"
}), { retries: 3 })

// Futures are arguments; their errors flow on.
export const program = Effect.gen(function*() {
  const client = yield* Client
  const a = yield* client.submit(inc, 1)
  const b = yield* client.submit(inc, 2)
  const c = yield* client.with({ priority: 1, key: "c" }).submit(add, a, b)
  same<typeof c, Future<number, never>>(true)
  const text = yield* client.submit(fetchText, "x")
  same<typeof text, Future<string, NotFound>>(true)
  const length = yield* client.submit((s: string) => s.length, text)
  same<typeof length, Future<number, NotFound>>(true)
  const sums = yield* client.map(inc, [1, 2, a])
  const out = yield* client.gather({ c, length, sums, pair: [a, text] as const })
  same<(typeof out)["c"], number>(true)
  same<(typeof out)["pair"][1], string>(true)
  // @ts-expect-error a number task given a string
  yield* client.submit(inc, "1")
  // @ts-expect-error a future of the wrong type
  yield* client.submit(inc, text)
  return out
})

// A definition has no key of its own.
// @ts-expect-error `key` belongs to a submission
Task.fn("keyed", (n: number) => n, { key: "always-the-same" })

// What can go wrong: the task's own error, and one TaskError for what the cluster did.
export const errors = Effect.gen(function*() {
  const client = yield* Client
  const text = yield* client.submit(fetchText, "")
  return yield* text.result
}).pipe(
  Effect.catchTag("NotFound", (e) => Effect.succeed("nothing at " + e.url)),
  Effect.catchReason("TaskError", "KilledWorker", (reason, error) => Effect.succeed(`${error.key} ended ${reason.attempts.length} workers`)),
  Effect.catchReasons("TaskError", {
    TaskDefect: (reason) => Effect.succeed(`${reason.worker}: ${reason.remoteStack}`),
    TaskCancelled: (reason) => Effect.succeed(Option.getOrElse(reason.note, () => `cancelled by ${reason.by}`))
  }),
  Effect.catchReason("SubmitError", "NotShippable", (reason) => Effect.succeed(`needs ${reason.names.join(", ")}`))
)
export const whereItFailed = Effect.gen(function*() {
  const client = yield* Client
  const length = yield* client.submit((s: string) => s.length, yield* client.submit(fetchText, ""))
  const exit = yield* Effect.exit(length.result)
  if (Exit.isSuccess(exit)) return "it did not"
  const origin = Context.getOption(Cause.annotations(exit.cause), TaskOrigin)
  return Option.match(origin, { onNone: () => "not in a task", onSome: (o) => `${o.task} ${o.key}, attempt ${o.attempt}, on ${o.worker}\n${o.remoteStack}` })
})
export const describe = (error: unknown) => error instanceof TaskError ? `${error.code} ${error.key}: ${error.reason._tag}` : String(error)

// Contract first: schemas for payload, success and error.
class ResizeError extends Schema.TaggedError<ResizeError>()("ResizeError", { reason: Schema.String }) {}
export const Resize = Task.make("Resize", {
  payload: { url: Schema.String, width: Schema.Int, when: Schema.Date },
  success: Schema.Uint8Array,
  error: ResizeError,
  version: 2
})
export const ResizeLive = Resize.toLayer(({ url, width }) => width > 0
  ? Effect.succeed(new Uint8Array(url.length))
  : Effect.fail(new ResizeError({ reason: "width must be positive" })))
export const Count = Task.make("Count", { success: Schema.Int })
/** The type says which contracts are implemented. */
export const live: Layer.Layer<Task.Handler<"Resize"> | Task.Handler<"Count">> = Layer.mergeAll(ResizeLive, Count.toLayer(() => Effect.succeed(1)))
// @ts-expect-error Count is forgotten
export const forgotten: Layer.Layer<Task.Handler<"Resize"> | Task.Handler<"Count">> = ResizeLive
export const contract = Effect.gen(function*() {
  const client = yield* Client
  const url = yield* client.submit(fetchText, "list")
  const image = yield* client.submit(Resize, { url, width: 10, when: new Date() })
  same<typeof image, Future<Uint8Array<ArrayBufferLike>, ResizeError | NotFound>>(true)
  // @ts-expect-error missing fields
  yield* client.submit(Resize, { url })
  return yield* image.result
})
