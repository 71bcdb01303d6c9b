/**
 * What the collector finds and what it must not find, run with --expose-gc. Prints
 * one line of JSON for each thing seen.
 */
import { Effect, Fiber, Queue, Stream } from "effect"
import { Collecting } from "@skein/client/Collecting"
import type { Client } from "@skein/client/Client"
import type { Future } from "@skein/client/Future"
import { fake, type FakeScheduler } from "../utils/FakeScheduler.ts"

const inc = (n: number) => n + 1
const tell = (what: string, seen: unknown) => Effect.sync(() => console.log(JSON.stringify([what, seen])))

/** A collection, and a turn in which its news arrive. */
const collect = Effect.andThen(Effect.sync(() => globalThis.gc!()), Effect.sleep(1))

/** Everything that is said from now on goes here. */
const listen = Effect.fnUntraced(function*(scheduler: FakeScheduler) {
  const released: Array<number> = []
  const submitted: Array<number> = []
  yield* Effect.forkScoped(Effect.forever(Effect.map(Queue.take(scheduler.said), (said) => {
    if (said._tag === "Release") released.push(...said.refs)
    if (said._tag === "Submit") submitted.push(...said.graph.tasks.map(({ ref }) => ref))
  })))
  /** Until so many have been, or for as long as a collector may take. */
  const until = (list: Array<number>, count: number) => Effect.repeat(collect, { until: () => list.length >= count, times: 100 })
  return { released, submitted, until }
})

/** Ways of waiting for a future to which nothing else points. */
const ways: Record<string, (client: Client["Service"], future: Future<number>) => Effect.Effect<unknown, unknown>> = {
  result: (_, { result }) => result,
  await: (_, future) => future.await,
  changes: (_, { changes }) => Stream.runDrain(Stream.takeUntil(changes, (status) => status === "finished")),
  progress: (_, { progress }) => Stream.runDrain(progress),
  gather: ({ gather }, future) => gather({ deep: [future] }),
  gatherExits: ({ gatherExits }, future) => gatherExits([future]),
  wait: ({ wait }, future) => wait([future]),
  asCompleted: ({ asCompleted }, future) => Stream.runDrain(asCompleted([future])),
  results: ({ results }, future) => Stream.runDrain(results([future])),
  completions: ({ completions }, future) => Effect.scoped(Effect.flatMap(completions([future]), ({ take }) => take)),
  withProgress: ({ withProgress }, future) => withProgress([future])
}

const program = Effect.gen(function*() {
  const { client, scheduler } = yield* fake({ collecting: Collecting.defaultValue() })
  const { released, submitted, until } = yield* listen(scheduler)
  /** Something that was submitted since the list was emptied. */
  const arrived = Effect.repeat(Effect.sleep(1), { until: () => submitted.length > 0 })

  yield* client.map(inc, Array.from({ length: 200 }, (_, n) => n))
  yield* until(released, 200)
  yield* tell("futures to which nothing points are released", released.length)

  for (const [way, wait] of Object.entries(ways)) {
    submitted.length = 0
    const submit = client.with({ pure: false }).submit(inc, 1)
    const fiber = yield* Effect.forkChild(Effect.asVoid(Effect.flatMap(submit, (future) => wait(client, future))), { startImmediately: true })
    yield* arrived
    for (let n = 0; n < 2; n++) yield* collect
    const ref = submitted[0]!
    const early = released.includes(ref)
    yield* scheduler.finish(ref, 7)
    yield* Fiber.join(fiber)
    yield* Effect.repeat(collect, { until: () => released.includes(ref), times: 100 })
    yield* tell(`one that is awaited by ${way} is not, until that is over`, [early, released.includes(ref)])
  }

  released.length = submitted.length = 0
  const { result } = yield* client.with({ pure: false }).submit(inc, 2)
  yield* arrived
  for (let n = 0; n < 2; n++) yield* collect
  yield* scheduler.finish(submitted[0]!, 9)
  yield* tell("its effects keep it, too", [released.length, yield* result])

  released.length = submitted.length = 0
  const dependent = yield* client.batch((batch) =>
    Effect.gen(function*() {
      const made = yield* Effect.flatMap(client.future<number>("input"), (input) => batch.with({ pure: false }).submit(inc, input))
      for (let n = 0; n < 2; n++) yield* collect
      yield* tell("the input of a task that is not sent yet is kept", released.length)
      return made
    })
  )
  yield* until(released, 1)
  yield* tell("and may go once it is sent, for then the scheduler keeps it", [released.length, submitted.length, yield* dependent.status])
})

await Effect.runPromise(Effect.scoped(program))
