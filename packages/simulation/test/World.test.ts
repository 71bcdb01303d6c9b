/** Runs: what follows from a seed, what is found out at once, and what an ended process does no more. */
import { assert, describe, it } from "@effect/vitest"
import { exitProcess } from "@skein/simulation/Body"
import { Deadlock, OutOfSteps, OutOfTime } from "@skein/simulation/Errors"
import * as World from "@skein/simulation/World"
import { Cause, Clock, Deferred, Effect, Exit, Fiber, Latch, Random, Ref } from "effect"

/** Fibers that race for everything that a seed decides, and what they saw. */
const contest = Effect.gen(function*() {
  const seen: Array<string> = []
  const runner = (name: string) =>
    Effect.gen(function*() {
      for (let i = 0; i < 5; i++) {
        seen.push(`${name}${i}`)
        yield* Effect.sleep(Math.floor((yield* Random.next) * 3))
      }
    })
  yield* Effect.all(["a", "b", "c", "d"].map(runner), { concurrency: "unbounded" })
  World.current().note("test", seen.join())
  return seen.join()
})

const failureOf = (exit: Exit.Exit<unknown, unknown>): unknown => Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined

/** What each strategy is tried with. */
const strategies = ["fifo", "lifo", "uniform", "pct", "starve"] as const

describe("a run", () => {
  for (const strategy of strategies) {
    it(`is the same for the same seed, under ${strategy}`, () => {
      const once = () => World.run({ seed: 7, trace: true, schedule: { strategy, preemption: 0.1, opsBeforeYield: 64 } }, contest)
      const [first, second] = [once(), once()]
      assert.deepStrictEqual(first, second)
      assert.isTrue(Exit.isSuccess(first.exit))
    })
  }

  it("is another for another seed", () => {
    const runs = Array.from({ length: 20 }, (_, seed) => World.run({ seed }, contest))
    assert.strictEqual(new Set(runs.map(({ hash }) => hash)).size, 20)
    assert.isAbove(new Set(runs.map(({ exit }) => String(exit))).size, 10)
  })

  it("is another under each strategy", () => {
    const seeds = Array.from({ length: 10 }, (_, seed) => seed)
    const hashes = strategies.map((strategy) =>
      seeds.map((seed) => World.run({ seed, schedule: { strategy, preemption: 0, opsBeforeYield: 2048 } }, contest).hash).join())
    assert.strictEqual(new Set(hashes).size, strategies.length)
  })

  it("finds by preemption what no order of whole steps shows", () => {
    const racing = Effect.gen(function*() {
      const shared = yield* Ref.make(0)
      const add = Effect.flatMap(Ref.get(shared), (before) => Effect.suspend(() => Ref.set(shared, before + 1)))
      yield* Effect.all([add, add, add], { concurrency: "unbounded" })
      return yield* Ref.get(shared)
    })
    const losses = (preemption: number) =>
      Array.from({ length: 200 }, (_, seed) => World.run({ seed, schedule: { strategy: "uniform", preemption, opsBeforeYield: 2048 } }, racing))
        .filter(({ exit }) => Exit.isSuccess(exit) && exit.value < 3).length
    assert.strictEqual(losses(0), 0)
    assert.isAbove(losses(0.2), 0)
  })

  it("takes no time of the real clock", () => {
    const { exit, virtualMs } = World.run({ seed: 1 }, Effect.as(Effect.sleep("7 days"), "done"))
    assert.deepStrictEqual(exit, Exit.succeed("done"))
    assert.strictEqual(virtualMs, 7 * 86_400_000)
  })

  it("that can make no progress is a deadlock, at once, and says what waits", () => {
    const { exit } = World.run({ seed: 3 }, Effect.gen(function*() {
      const never = yield* Deferred.make<void>()
      const gate = Latch.makeUnsafe(false)
      yield* Effect.forkChild(Effect.gen(function*() {
        yield* gate.await
      }))
      yield* Deferred.await(never)
    }))
    const failure = failureOf(exit)
    assert.instanceOf(failure, Deadlock)
    assert.strictEqual(failure.seed, 3)
    assert.isTrue(failure.waiting.every((line) => line.startsWith("driver: a fiber waits at ")), failure.message)
    assert.strictEqual(failure.waiting.filter((line) => line.includes("simulation/test/World.test.ts:")).length, 2, failure.message)
    assert.strictEqual(
      failure.message,
      [
        "SKEIN5001 the simulation is stuck: after 0 ms of virtual time nothing can run and no timer is set (seed 3)",
        "  What waits:",
        ...failure.waiting.map((line) => `    ${line}`),
        "  fix  see what would have had to wake one of them; the same seed gives the same run again"
      ].join("\n")
    )
  })

  it("that goes on for too long says so, in time and in steps", () => {
    const beating = Effect.forever(Effect.sleep(1000))
    const late = failureOf(World.run({ seed: 1, maxMs: 10_000 }, beating).exit)
    assert.instanceOf(late, OutOfTime)
    assert.match(late.message, /^SKEIN5001 the simulation is not done after 10000 ms of virtual time \(seed 1\)\n[^]+\n {2}fix {2}a greater `maxVirtualTime`, if all that is waited for would still come$/)
    const spinning = Effect.forever(Effect.yieldNow)
    const circling = failureOf(World.run({ seed: 1, maxSteps: 1000 }, spinning).exit)
    assert.instanceOf(circling, OutOfSteps)
    assert.match(circling.message, /^SKEIN5001 the simulation is not done after 1001 steps and 0 ms of virtual time \(seed 1\)\n[^]+\n {2}fix {2}see what runs in circles$/)
  })

  it("is ended by a check that fails, whatever else goes on", () => {
    const { exit } = World.run({ seed: 1 }, Effect.gen(function*() {
      const world = World.current()
      world.at(50, () => world.fail(new Error("the check")))
      yield* Effect.forever(Effect.sleep(10))
    }))
    assert.strictEqual(String(failureOf(exit)), "Error: the check")
  })

  it("cannot be begun inside another", () => {
    const { exit } = World.run({ seed: 1 }, Effect.sync(() => World.run({ seed: 2 }, Effect.void)))
    assert.include(String(failureOf(exit)), "cannot be nested")
    assert.deepStrictEqual(World.run({ seed: 1 }, Effect.succeed(1)).exit, Exit.succeed(1))
  })

  it("that is not the same twice is told by its first step that differs", () => {
    let runs = 0
    const differing = (options: { readonly record?: boolean }) => {
      const odd = runs++ % 2
      return World.run({ seed: 1, ...options }, Effect.gen(function*() {
        for (let i = 0; i < 5; i++) {
          yield* Effect.sleep(10)
          World.current().note("test", i === 3 && odd === 1 ? "something else" : `step ${i}`)
        }
      }))
    }
    const found = World.divergence(differing)
    assert.include(found?.first, "step 3")
    assert.include(found?.second, "something else")
    assert.isUndefined(World.divergence((options) => World.run({ seed: 1, ...options }, contest)))
  })
})

describe("a process", () => {
  /** Begins another process, in which something is open. */
  const opening = Effect.gen(function*() {
    const world = World.current()
    const process = world.begin("other")
    const seen: Array<string> = []
    const running = process.run(Effect.scoped(Effect.gen(function*() {
      yield* Effect.acquireRelease(Effect.sync(() => void seen.push("opened")), () => Effect.sync(() => void seen.push("closed")))
      yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(10), Effect.sync(() => void seen.push("beat")))))
      yield* Effect.sleep(1000)
      return "done"
    })))
    yield* Effect.sleep(25)
    return { process, running, seen, world }
  })

  it("that crashes runs no finalizer, takes no step and sets no timer off", () => {
    const { exit } = World.run({ seed: 1 }, Effect.gen(function*() {
      const { process, running, seen, world } = yield* opening
      process.crash()
      const outcome = yield* running.exit
      yield* Effect.sleep(5000)
      assert.deepStrictEqual(seen, ["opened", "beat", "beat"])
      assert.strictEqual((failureOf(outcome) as { readonly _tag: string })._tag, "ProcessGone")
      assert.deepStrictEqual(process.ending, { code: null, signal: "SIGKILL" })
      assert.strictEqual(world.now, 5025)
    }))
    assert.deepStrictEqual(exit, Exit.void)
  })

  it("that ends itself within a step stops there", () => {
    const { exit } = World.run({ seed: 1 }, Effect.gen(function*() {
      const process = World.current().begin("other")
      const seen: Array<string> = []
      const running = process.run(Effect.gen(function*() {
        yield* Effect.sync(() => exitProcess(3))
        seen.push("after")
      }).pipe(Effect.ensuring(Effect.sync(() => void seen.push("finalizer")))))
      yield* running.exit
      assert.deepStrictEqual(seen, [])
      assert.deepStrictEqual(process.ending, { code: 3, signal: null })
    }))
    assert.deepStrictEqual(exit, Exit.void)
  })

  it("that is interrupted closes in order", () => {
    const { exit } = World.run({ seed: 1 }, Effect.gen(function*() {
      const { running, seen } = yield* opening
      running.interrupt()
      yield* running.exit
      assert.strictEqual(seen.at(-1), "closed")
    }))
    assert.deepStrictEqual(exit, Exit.void)
  })

  it("that stands still does nothing meanwhile, and goes on where it was", () => {
    const { exit } = World.run({ seed: 1 }, Effect.gen(function*() {
      const { process, running, seen, world } = yield* opening
      process.pause(400)
      yield* Effect.sleep(390)
      assert.deepStrictEqual(seen, ["opened", "beat", "beat"])
      yield* Effect.sleep(30)
      assert.isAbove(seen.length, 3)
      assert.deepStrictEqual(yield* running.exit, Exit.succeed("done"))
      assert.strictEqual(world.now, 1000)
    }))
    assert.deepStrictEqual(exit, Exit.void)
  })

  it("has clocks of its own: the wall clock jumps, the monotonic one does not, and both run at its rate", () => {
    const { exit } = World.run({ seed: 1, epochMs: 1_000_000 }, Effect.gen(function*() {
      const process = World.current().begin("other")
      const both = Effect.map(Effect.all([Clock.currentTimeMillis, Clock.monotonicTimeNanos]), ([wall, monotonic]) => [wall, Number(monotonic) / 1e6])
      const read = Effect.map(Effect.suspend(() => process.run(both).exit), (exit) => Exit.isSuccess(exit) ? exit.value : [])
      assert.deepStrictEqual(yield* read, [1_000_000, 0])
      process.jump(-5000)
      yield* Effect.sleep(100)
      assert.deepStrictEqual(yield* read, [995_100, 100])
      process.skew(2)
      yield* Effect.sleep(100)
      assert.deepStrictEqual(yield* read, [995_300, 300])
      const slept = process.run(Effect.sleep(100))
      yield* slept.exit
      assert.strictEqual(World.current().now, 250)
      assert.strictEqual(yield* Clock.currentTimeMillis, 1_000_250)
    }))
    assert.deepStrictEqual(exit, Exit.void)
  })

  it("draws what follows from the seed and its name", () => {
    const draws = (seed: number, name: string) =>
      World.run({ seed }, Effect.suspend(() => World.current().begin(name).run(Effect.all([Random.next, Random.nextIntBetween(0, 1000)])).exit)).exit
    assert.deepStrictEqual(draws(1, "a"), draws(1, "a"))
    assert.notDeepEqual(draws(1, "a"), draws(1, "b"))
    assert.notDeepEqual(draws(1, "a"), draws(2, "a"))
  })

  it("may be waited for from another, also by a fiber that gives up waiting", () => {
    const { exit } = World.run({ seed: 1 }, Effect.gen(function*() {
      const { running } = yield* opening
      const impatient = yield* Effect.forkChild(running.exit)
      yield* Effect.sleep(1)
      yield* Fiber.interrupt(impatient)
      assert.deepStrictEqual(yield* running.exit, Exit.succeed("done"))
      assert.deepStrictEqual(running.poll(), Exit.succeed("done"))
    }))
    assert.deepStrictEqual(exit, Exit.void)
  })
})
