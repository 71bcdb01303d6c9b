import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Deferred, Effect, Exit, Fiber, Latch, Logger, Option, Queue, Random, Schedule } from "effect"
import { TestClock } from "effect/testing"
import * as Supervisor from "@skein/runtime/supervision/Supervisor"

/** What happened, with the virtual second at which it did. */
const makeDiary = () => {
  const lines: Array<string> = []
  const write = (line: string) => Effect.map(Clock.currentTimeMillis, (ms) => void lines.push(`${ms / 1000} ${line}`))
  /** A life that writes when it begins and when its scope closes, around `body`. */
  const life = (id: string, body: Effect.Effect<unknown, unknown> = Effect.never) =>
    Effect.acquireRelease(write(`${id} up`), () => write(`${id} down`)).pipe(Effect.andThen(body))
  const taken = () => lines.splice(0)
  return { write, life, taken }
}

const after = (seconds: number, what: Effect.Effect<unknown, unknown>) => Effect.delay(what, seconds * 1000)

/** Ends of the given kinds, one per life, then lives for ever. */
const script = (...lives: ReadonlyArray<Effect.Effect<unknown, unknown>>) => {
  let count = 0
  return Effect.suspend(() => lives[count++] ?? Effect.never)
}

const seconds = (n: number) => TestClock.adjust(n * 1000)

/**
 * Runs it in a fiber of the test, from virtual time zero, and goes on once
 * everything there waits for something. The clock sees to that only for what
 * it has woken; hence the millisecond before.
 */
const begin = <A, E, R>(program: Effect.Effect<A, E, R>) =>
  TestClock.setTime(-1).pipe(
    Effect.andThen(Effect.forkChild(Effect.delay(program, 1), { startImmediately: true })),
    Effect.tap(() => TestClock.adjust(1))
  )

describe("strategies", () => {
  const three = (strategy: Supervisor.Strategy) =>
    Effect.gen(function*() {
      const diary = makeDiary()
      const b = script(after(2, Effect.fail("boom")))
      const fiber = yield* begin(Supervisor.supervise({
        name: "three",
        strategy,
        children: [
          { id: "a", start: diary.life("a") },
          { id: "b", start: diary.life("b", b) },
          { id: "c", start: diary.life("c") }
        ]
      }))
      yield* seconds(1)
      assert.deepStrictEqual(diary.taken(), ["0 a up", "0 b up", "0 c up"])
      yield* seconds(2)
      const restarted = diary.taken()
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(diary.taken(), ["3 c down", "3 b down", "3 a down"])
      return restarted
    })

  it.effect("one-for-one starts only the child that ended", () =>
    Effect.map(three("one-for-one"), (lines) => assert.deepStrictEqual(lines, ["2 b down", "2 b up"])))

  it.effect("rest-for-one restarts the child and those to its right, stopping right to left", () =>
    Effect.map(
      three("rest-for-one"),
      (lines) => assert.deepStrictEqual(lines, ["2 c down", "2 b down", "2 b up", "2 c up"])
    ))

  it.effect("one-for-all restarts everybody", () =>
    Effect.map(
      three("one-for-all"),
      (lines) =>
        assert.deepStrictEqual(lines, ["2 c down", "2 b down", "2 a down", "2 a up", "2 b up", "2 c up"])
    ))
})

describe("restart types", () => {
  const lives = (restart: Supervisor.Restart, end: Effect.Effect<unknown, unknown>) =>
    Effect.gen(function*() {
      const diary = makeDiary()
      yield* begin(Supervisor.supervise({
        name: "one",
        strategy: "one-for-all",
        children: [{ id: "a", start: diary.life("a", script(after(1, end))), restart }, { id: "b", start: diary.life("b") }]
      }))
      yield* seconds(2)
      return diary.taken().filter((line) => line.endsWith("up")).length
    })

  it.effect("a permanent child comes back from a success", () =>
    Effect.map(lives("permanent", Effect.void), (n) => assert.strictEqual(n, 4)))
  it.effect("a transient child stays away after a success, and its siblings live on", () =>
    Effect.map(lives("transient", Effect.void), (n) => assert.strictEqual(n, 2)))
  it.effect("a transient child comes back from a failure", () =>
    Effect.map(lives("transient", Effect.fail("x")), (n) => assert.strictEqual(n, 4)))
  it.effect("a transient child comes back from a defect", () =>
    Effect.map(lives("transient", Effect.die("x")), (n) => assert.strictEqual(n, 4)))
  it.effect("a transient child comes back from an interruption that was not the supervisor's", () =>
    Effect.map(lives("transient", Effect.interrupt), (n) => assert.strictEqual(n, 4)))
  it.effect("a temporary child never comes back, and its siblings live on", () =>
    Effect.map(lives("temporary", Effect.die("x")), (n) => assert.strictEqual(n, 2)))

  it.effect("a group's restart brings back the transient that had finished, but no temporary", () =>
    Effect.gen(function*() {
      const diary = makeDiary()
      yield* begin(Supervisor.supervise({
        name: "group",
        strategy: "one-for-all",
        children: [
          { id: "temporary", start: diary.life("temporary"), restart: "temporary" },
          { id: "transient", start: diary.life("transient", Effect.void), restart: "transient" },
          { id: "failing", start: diary.life("failing", script(after(1, Effect.fail("x")))) }
        ]
      }))
      yield* TestClock.adjust(999)
      diary.taken()
      yield* seconds(1)
      assert.deepStrictEqual(diary.taken(), [
        "1 failing down",
        "1 temporary down",
        "1 transient up",
        "1 failing up",
        "1 transient down"
      ])
    }))
})

describe("intensity", () => {
  const failing = (everySeconds: number, options: Partial<Supervisor.Options<never>>) =>
    Supervisor.supervise({
      name: "top",
      strategy: "one-for-one",
      children: [{ id: "bad", start: after(everySeconds, Effect.fail("boom")) }],
      ...options
    })

  it.effect("gives up at the second restart within five seconds, naming the child and its cause", () =>
    Effect.gen(function*() {
      const fiber = yield* begin(failing(2, {}))
      yield* seconds(3)
      assert.isUndefined(fiber.pollUnsafe())
      yield* seconds(1)
      const error = yield* Effect.flip(Fiber.join(fiber))
      assert.strictEqual(error.child, "bad")
      assert.strictEqual(error.reason, "too-many-restarts")
      assert.strictEqual(error.restarts, 2)
      assert.deepStrictEqual(Cause.findErrorOption(error.cause), Option.some("boom"))
      assert.include(error.message, "\"bad\" ended once more after 1 restarts")
    }))

  it.effect("never gives up when the restarts are further apart than the period", () =>
    Effect.gen(function*() {
      const fiber = yield* begin(failing(6, {}))
      yield* seconds(600)
      assert.isUndefined(fiber.pollUnsafe())
    }))

  it.effect("counts to the intensity asked for", () =>
    Effect.gen(function*() {
      const fiber = yield* begin(failing(1, { intensity: 5, period: "60 seconds" }))
      yield* seconds(5)
      assert.isUndefined(fiber.pollUnsafe())
      yield* seconds(1)
      assert.strictEqual((yield* Effect.flip(Fiber.join(fiber))).restarts, 6)
    }))

  it.effect("stops every child, right to left, before it gives up", () =>
    Effect.gen(function*() {
      const diary = makeDiary()
      const exit = yield* Effect.exit(Supervisor.supervise({
        name: "top",
        strategy: "one-for-one",
        intensity: 0,
        children: [
          { id: "a", start: diary.life("a") },
          { id: "b", start: diary.life("b") },
          { id: "bad", start: diary.life("bad", Effect.fail("x")) }
        ]
      }))
      assert.isTrue(Exit.isFailure(exit))
      assert.deepStrictEqual(diary.taken(), ["0 a up", "0 b up", "0 bad up", "0 bad down", "0 b down", "0 a down"])
    }))

  it.effect("escalates through two levels: the middle one is restarted whole, then the top gives up", () =>
    Effect.gen(function*() {
      const diary = makeDiary()
      const middle = Supervisor.supervise({
        name: "middle",
        strategy: "one-for-one",
        children: [
          { id: "good", start: diary.life("good") },
          { id: "bad", start: after(1, Effect.die("boom")) }
        ]
      })
      const fiber = yield* begin(Supervisor.supervise({
        name: "top",
        strategy: "one-for-one",
        children: [{ id: "middle", start: middle }]
      }))
      yield* seconds(2)
      assert.deepStrictEqual(diary.taken(), ["0 good up", "2 good down", "2 good up"])
      yield* seconds(2)
      const error = yield* Effect.flip(Fiber.join(fiber))
      assert.strictEqual(error.supervisor, "top")
      const inner = Option.getOrThrow(Cause.findErrorOption(error.cause))
      assert.instanceOf(inner, Supervisor.SupervisorShutdown)
      assert.strictEqual(inner.child, "bad")
      assert.strictEqual(Cause.squash(inner.cause), "boom")
      assert.deepStrictEqual(diary.taken(), ["4 good down"])
    }))
})

describe("being up", () => {
  it.effect("starts the next child only after the former is up", () =>
    Effect.gen(function*() {
      const diary = makeDiary()
      const started = yield* Latch.make()
      const all = yield* Latch.make()
      yield* begin(Supervisor.supervise({
        name: "tree",
        strategy: "rest-for-one",
        started: all,
        children: [
          { id: "a", start: diary.life("a", Effect.andThen(after(3, started.open), Effect.never)), started },
          { id: "b", start: diary.life("b") }
        ]
      }))
      yield* seconds(2)
      assert.deepStrictEqual(diary.taken(), ["0 a up"])
      assert.isFalse(all.isOpen())
      yield* seconds(1)
      assert.deepStrictEqual(diary.taken(), ["3 b up"])
      assert.isTrue(all.isOpen())
    }))

  it.effect("asks a restarted child to come up anew before those to its right start again", () =>
    Effect.gen(function*() {
      const diary = makeDiary()
      const started = yield* Latch.make()
      const body = Effect.andThen(after(1, started.open), script(after(1, Effect.fail("x"))))
      yield* begin(Supervisor.supervise({
        name: "tree",
        strategy: "rest-for-one",
        children: [{ id: "a", start: diary.life("a", body), started }, { id: "b", start: diary.life("b") }]
      }))
      yield* seconds(5)
      assert.deepStrictEqual(diary.taken(), ["0 a up", "1 b up", "2 b down", "2 a down", "2 a up", "3 b up"])
    }))

  it.effect("a child that ends before it is up is restarted, and nobody to its right started meanwhile", () =>
    Effect.gen(function*() {
      const diary = makeDiary()
      const started = yield* Latch.make()
      const body = script(after(1, Effect.fail("x")), Effect.andThen(started.open, Effect.never))
      yield* begin(Supervisor.supervise({
        name: "tree",
        strategy: "one-for-one",
        children: [{ id: "a", start: diary.life("a", body), started }, { id: "b", start: diary.life("b") }]
      }))
      yield* seconds(5)
      assert.deepStrictEqual(diary.taken(), ["0 a up", "1 a down", "1 a up", "1 b up"])
    }))

  it.effect("heeds the end of an earlier child while a later one is coming up", () =>
    Effect.gen(function*() {
      const diary = makeDiary()
      const started = yield* Latch.make()
      yield* begin(Supervisor.supervise({
        name: "tree",
        strategy: "rest-for-one",
        children: [
          { id: "a", start: diary.life("a", script(after(1, Effect.fail("x")))) },
          { id: "slow", start: diary.life("slow"), started }
        ]
      }))
      yield* seconds(5)
      assert.deepStrictEqual(diary.taken(), ["0 a up", "0 slow up", "1 slow down", "1 a down", "1 a up", "1 slow up"])
    }))

  it.effect("stopping while a child is coming up stops what has started, and nothing more starts", () =>
    Effect.gen(function*() {
      const diary = makeDiary()
      const started = yield* Latch.make()
      const fiber = yield* begin(Supervisor.supervise({
        name: "tree",
        strategy: "rest-for-one",
        children: [
          { id: "a", start: diary.life("a") },
          { id: "slow", start: diary.life("slow"), started },
          { id: "c", start: diary.life("c") }
        ]
      }))
      yield* seconds(1)
      yield* Fiber.interrupt(fiber)
      yield* started.open
      yield* seconds(1)
      assert.deepStrictEqual(diary.taken(), ["0 a up", "0 slow up", "1 slow down", "1 a down"])
    }))
})

describe("stopping", () => {
  it.effect("a child that fails while being stopped starts nobody and hides nothing", () =>
    Effect.gen(function*() {
      const logged: Array<string> = []
      const diary = makeDiary()
      const fiber = yield* begin(Supervisor.supervise({
        name: "tree",
        strategy: "one-for-one",
        children: [
          { id: "a", start: diary.life("a") },
          { id: "b", start: Effect.onInterrupt(diary.life("b"), () => Effect.die("while stopping")) }
        ]
      }).pipe(Effect.provide(collectLogs(logged))))
      yield* seconds(1)
      yield* Fiber.interrupt(fiber)
      yield* seconds(10)
      assert.deepStrictEqual(diary.taken(), ["0 a up", "0 b up", "1 b down", "1 a down"])
      assert.deepStrictEqual(logged.map((line) => line.split("\n")[0]), ["child \"b\" failed while it was being stopped"])
      assert.include(logged[0], "while stopping")
    }))

  it.effect("a child ending by itself while another is being stopped starts nobody", () =>
    Effect.gen(function*() {
      const diary = makeDiary()
      const fiber = yield* begin(Supervisor.supervise({
        name: "tree",
        strategy: "one-for-one",
        children: [
          { id: "a", start: diary.life("a", after(2, Effect.fail("x"))) },
          { id: "b", start: Effect.onInterrupt(diary.life("b"), () => Effect.sleep("3 seconds")) }
        ]
      }))
      yield* seconds(1)
      const stopping = yield* Effect.forkChild(Fiber.interrupt(fiber))
      yield* seconds(10)
      yield* Fiber.join(stopping)
      assert.deepStrictEqual(diary.taken(), ["0 a up", "0 b up", "4 b down", "4 a down"])
    }))

  it.effect("abandons a child that will not stop within its bound, and says so", () =>
    Effect.gen(function*() {
      const logged: Array<string> = []
      const diary = makeDiary()
      const fiber = yield* begin(Supervisor.supervise({
        name: "tree",
        strategy: "one-for-one",
        children: [
          { id: "a", start: diary.life("a") },
          { id: "stuck", start: Effect.onInterrupt(diary.life("stuck"), () => Effect.never), shutdown: "2 seconds" }
        ]
      }).pipe(Effect.provide(collectLogs(logged))))
      yield* seconds(1)
      const stopping = yield* Effect.forkChild(Fiber.interrupt(fiber))
      yield* seconds(2)
      yield* Fiber.join(stopping)
      assert.deepStrictEqual(diary.taken(), ["0 a up", "0 stuck up", "3 a down"])
      assert.deepStrictEqual(logged, ["child \"stuck\" did not stop within 2s; what is left of it is abandoned"])
    }))

  it.effect("escalates instead of starting a second life beside one that will not stop", () =>
    Effect.gen(function*() {
      const fiber = yield* begin(Supervisor.supervise({
        name: "tree",
        strategy: "one-for-all",
        children: [
          { id: "bad", start: after(1, Effect.fail("x")) },
          { id: "stuck", start: Effect.onInterrupt(Effect.never, () => Effect.never) }
        ]
      }))
      yield* seconds(6)
      const error = yield* Effect.flip(Fiber.join(fiber))
      assert.strictEqual(error.reason, "would-not-stop")
      assert.strictEqual(error.child, "stuck")
    }))

  it.effect("leaves neither fibers nor finalizers behind after many restarts", () =>
    Effect.gen(function*() {
      let alive = 0
      let lives = 0
      const child = Effect.acquireRelease(
        Effect.sync(() => {
          alive++
          lives++
        }),
        () => Effect.sync(() => void alive--)
      ).pipe(
        Effect.andThen(Effect.forkScoped(Effect.ensuring(Effect.never, Effect.sync(() => void alive--)))),
        Effect.tap(() => Effect.sync(() => void alive++)),
        Effect.andThen(after(1, Effect.fail("again")))
      )
      const fiber = yield* begin(Supervisor.supervise({
        name: "tree",
        strategy: "one-for-one",
        intensity: 100,
        period: "60 seconds",
        children: ["a", "b", "c"].map((id) => ({ id, start: child }))
      }).pipe(Effect.provide(Logger.layer([]))))
      yield* Effect.forEach(Array.from({ length: 20 }), () => seconds(1))
      assert.strictEqual(lives, 63)
      assert.strictEqual(alive, 6)
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(alive, 0)
    }))

  it.effect("a child interrupted before it began is stopped all the same", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(Supervisor.supervise({
        name: "tree",
        strategy: "one-for-one",
        children: [{ id: "a", start: Effect.never }]
      }), { startImmediately: true })
      yield* Fiber.interrupt(fiber)
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(fiber)))
    }))
})

describe("back-off", () => {
  it.effect("waits as the schedule says, longer each time, and begins anew after a long life", () =>
    Effect.gen(function*() {
      const diary = makeDiary()
      yield* begin(Supervisor.supervise({
        name: "tree",
        strategy: "one-for-one",
        intensity: 10,
        backoff: Schedule.exponential("1 second"),
        children: [{
          id: "a",
          start: diary.life("a", script(Effect.fail(1), Effect.fail(2), after(10, Effect.fail(3)), Effect.never))
        }]
      }))
      yield* Effect.forEach(Array.from({ length: 30 }), () => seconds(1))
      assert.deepStrictEqual(diary.taken().filter((line) => line.endsWith("up")), ["0 a up", "1 a up", "3 a up", "14 a up"])
    }))

  it.effect("one child's wait does not hold up another's restart", () =>
    Effect.gen(function*() {
      const diary = makeDiary()
      yield* begin(Supervisor.supervise({
        name: "tree",
        strategy: "one-for-one",
        intensity: 10,
        backoff: Schedule.spaced("10 seconds"),
        children: [
          { id: "late", start: diary.life("late", script(after(4, Effect.fail("x")))) },
          { id: "early", start: diary.life("early", script(after(1, Effect.fail("x")))) }
        ]
      }))
      yield* Effect.forEach(Array.from({ length: 20 }), () => seconds(1))
      assert.deepStrictEqual(diary.taken(), [
        "0 late up",
        "0 early up",
        "1 early down",
        "4 late down",
        "11 early up",
        "14 late up"
      ])
    }))

  it.effect("is spread by jitter, drawn from the Random service", () =>
    Effect.gen(function*() {
      const ups = yield* Queue.unbounded<number>()
      yield* begin(Supervisor.supervise({
        name: "tree",
        strategy: "one-for-one",
        intensity: 10,
        backoff: Schedule.jittered(Schedule.spaced("10 seconds")),
        children: [{
          id: "a",
          start: Effect.flatMap(Clock.currentTimeMillis, (ms) => Queue.offer(ups, ms)).pipe(
            Effect.andThen(script(Effect.fail("x")))
          )
        }]
      }).pipe(Random.withSeed("fixed")))
      yield* seconds(20)
      const [first, second] = yield* Queue.takeAll(ups)
      assert.strictEqual(first, 0)
      assert.isDefined(second)
      assert.isTrue(second! >= 8_000 && second! <= 12_000 && second !== 10_000, String(second))
    }))

  it.effect("gives up when the schedule ends", () =>
    Effect.gen(function*() {
      const fiber = yield* begin(Supervisor.supervise({
        name: "tree",
        strategy: "one-for-one",
        intensity: 100,
        backoff: Schedule.recurs(2),
        children: [{ id: "a", start: Effect.fail("x") }]
      }))
      const error = yield* Effect.flip(Fiber.join(fiber))
      assert.strictEqual(error.reason, "backoff-ended")
    }))

  it.effect("stopping during the wait starts nobody", () =>
    Effect.gen(function*() {
      const diary = makeDiary()
      const fiber = yield* begin(Supervisor.supervise({
        name: "tree",
        strategy: "one-for-one",
        backoff: Schedule.spaced("10 seconds"),
        children: [{ id: "a", start: diary.life("a", Effect.fail("x")) }]
      }))
      yield* seconds(1)
      yield* Fiber.interrupt(fiber)
      yield* seconds(20)
      assert.deepStrictEqual(diary.taken(), ["0 a up", "0 a down"])
    }))
})

it.effect("logs a defect with the ids of the child and the supervisor", () =>
  Effect.gen(function*() {
    const logged: Array<string> = []
    const done = yield* Deferred.make<void>()
    yield* begin(Supervisor.supervise({
      name: "tree",
      strategy: "one-for-one",
      children: [{ id: "a", start: script(Effect.die("boom"), Deferred.succeed(done, undefined)) }]
    }).pipe(Effect.provide(collectLogs(logged))))
    yield* Deferred.await(done)
    assert.match(logged[0] ?? "", /^child "a" ended with a failure\n.*boom/s)
  }))

const collectLogs = (into: Array<string>) =>
  Logger.layer([
    Logger.make(({ message, cause }) => {
      const text = Array.isArray(message) ? message.map((part) => Cause.isCause(part) ? "" : String(part)).join("") : String(message)
      into.push(cause.reasons.length === 0 ? text : `${text}\n${Cause.pretty(cause)}`)
    })
  ])
