import { assert, describe, it } from "@effect/vitest"
import { Client } from "@skein/client/Client"
import { Platform } from "@skein/client/Platform"
import * as TaskClient from "@skein/client/TaskClient"
import { TaskContext, type TaskContextService, TaskHoldings, waitingForTasks } from "@skein/protocol/TaskContext"
import { Hashing } from "@skein/transport/Hashing"
import * as NodeHashing from "@skein/transport/node/Hashing"
import { Context, Effect, Exit, Fiber, Option, Queue, Redacted, Result, Stream } from "effect"
import { fake, token } from "./utils/FakeScheduler.ts"

const inc = (n: number) => n + 1

/** A body's surroundings: what it says of its slot, and what it holds. */
const body = () => {
  const said: Array<string> = []
  const held = new Set<() => void>()
  const seceded: TaskContextService["seceded"] = (effect) => {
    said.push("away")
    return Effect.ensuring(effect, Effect.sync(() => said.push("back")))
  }
  const task: TaskContextService = {
    key: "outer",
    attempt: 1,
    worker: "w0",
    signal: new AbortController().signal,
    secede: Effect.void,
    rejoin: Effect.void,
    reschedule: Effect.never,
    seceded,
    [waitingForTasks]: seceded,
    progress: () => Effect.void,
    client: Effect.never
  }
  const context = Context.make(TaskContext, task).pipe(Context.add(TaskHoldings, { add: (giveUp) => void held.add(giveUp), delete: (giveUp) => void held.delete(giveUp) }))
  return { said, held, run: <A, E>(effect: Effect.Effect<A, E>) => Effect.provideContext(effect, context) }
}

describe("the client of a worker's bodies", () => {
  /** Connections that were made, to a scheduler that answers or refuses. */
  const make = Effect.gen(function*() {
    const { network } = yield* fake()
    let connections = 0
    const client = yield* TaskClient.make({ name: "w0", scheduler: "inproc://scheduler", token: Redacted.value(token) }).pipe(
      Effect.provideService(Platform, {
        connect: (address) => Effect.sync(() => {
          connections++
          return network.connect(address.replace("inproc://", ""))
        }),
        packageAt: () => undefined,
        readText: () => Effect.succeed(Option.none()),
        terminal: { isTerminal: false, columns: () => 80, write: () => Effect.void }
      }),
      Effect.provideService(Hashing, NodeHashing.node)
    )
    return { client: Effect.map(client, Context.get(Client)), connections: () => connections }
  })

  it.effect("connects when it is first used, and once", () =>
    Effect.gen(function*() {
      const { client, connections } = yield* make
      const service = yield* client
      assert.strictEqual(connections(), 0)
      assert.include(service.id, "tasks of w0")
      yield* service.inspect.counts
      yield* service.inspect.counts
      assert.strictEqual(connections(), 1)
      assert.strictEqual(yield* client, service)
    }))

  it.effect("connects for what is told as for what is asked", () =>
    Effect.gen(function*() {
      const { client, connections } = yield* make
      yield* (yield* client).submit(inc, 1)
      yield* (yield* client).inspect.counts
      assert.strictEqual(connections(), 1)
    }))

  it.effect("is another one for those who come after the scheduler was lost", () =>
    Effect.gen(function*() {
      const made = yield* TaskClient.make({ name: "w0", scheduler: "inproc://nobody", token: null }).pipe(
        Effect.provideService(Platform, {
          connect: () => Effect.fail({ message: "nobody is there" }),
          packageAt: () => undefined,
          readText: () => Effect.succeed(Option.none()),
          terminal: { isTerminal: false, columns: () => 80, write: () => Effect.void }
        }),
        Effect.provideService(Hashing, NodeHashing.node)
      )
      const first = Context.get(yield* made, Client)
      const lost = yield* Effect.flip(first.inspect.counts)
      assert.strictEqual(lost._tag, "SchedulerLost")
      const second = Context.get(yield* made, Client)
      assert.notStrictEqual(second, first)
      assert.strictEqual(Context.get(yield* made, Client), second)
      const refused = yield* Effect.flip(first.submit(inc, 1))
      assert.strictEqual(refused.reason._tag, "SchedulerLost")
    }))
})

describe("a client in a body", () => {
  for (
    const [how, wait] of [
      ["a result", (_: Client["Service"], future: any) => future.result],
      ["await", (_: Client["Service"], future: any) => future.await],
      ["gather", (client: Client["Service"], future: any) => client.gather([future])],
      ["gatherExits", (client: Client["Service"], future: any) => client.gatherExits([future])],
      ["wait", (client: Client["Service"], future: any) => client.wait([future])],
      ["withProgress", (client: Client["Service"], future: any) => client.withProgress([future])],
      ["asCompleted", (client: Client["Service"], future: any) => Stream.runDrain(client.asCompleted([future]))],
      ["changes", (_: Client["Service"], future: any) => Stream.runHead(Stream.filter(future.changes, (status) => status === "finished"))]
    ] as const
  ) {
    it.effect(`gives the slot back while it waits by ${how}, and not for what is there`, () =>
      Effect.gen(function*() {
        const { client, scheduler } = yield* fake()
        const { run, said } = body()
        const future = yield* client.submit(inc, 1)
        const fiber = yield* Effect.forkChild(run(wait(client, future) as Effect.Effect<unknown>), { startImmediately: true })
        yield* Effect.yieldNow
        assert.strictEqual(said[said.length - 1], "away")
        yield* scheduler.finish(0, 2)
        yield* Fiber.join(fiber)
        assert.strictEqual(said[said.length - 1], "back")
        if (how === "changes") return
        said.length = 0
        yield* run(wait(client, future) as Effect.Effect<unknown>)
        assert.deepStrictEqual(said, [])
      }))
  }

  it.effect("gives the slot back while it waits for workers", () =>
    Effect.gen(function*() {
      const { client } = yield* fake()
      const { run, said } = body()
      yield* run(Effect.ignore(client.waitForWorkers(2)))
      assert.deepStrictEqual(said, ["away", "back"])
    }))

  it.effect("has its futures held by the body, which gives them up at its end", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const { held, run } = body()
      const one = yield* run(client.submit(inc, 1))
      const more = yield* run(client.map(inc, [2, 3]))
      const outside = yield* client.submit(inc, 4)
      assert.strictEqual(held.size, 3)
      yield* one.release
      assert.strictEqual(held.size, 2)
      for (const giveUp of held) giveUp()
      assert.strictEqual((yield* Effect.exit(more[0]!.result))._tag, "Failure")
      const released: Array<number> = []
      yield* client.inspect.counts
      for (const said of yield* Queue.takeAll(scheduler.said)) if (said._tag === "Release") released.push(...said.refs)
      assert.deepStrictEqual(released.sort(), [0, 1, 2])
      yield* scheduler.finish(3, 5)
      assert.strictEqual(yield* outside.result, 5)
    }))

  it.effect("gives nothing back outside of bodies", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const future = yield* client.submit(inc, 1)
      const fiber = yield* Effect.forkChild(future.result, { startImmediately: true })
      yield* scheduler.finish(0, 2)
      assert.deepStrictEqual(yield* Effect.exit(Fiber.join(fiber)), Exit.succeed(2))
      assert.isTrue(Result.isSuccess(yield* Effect.result(client.gather([future]))))
    }))
})
