import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Logger, Option, Queue, Random, Scope } from "effect"
import { TestClock } from "effect/testing"
import {
  type ChildProcess,
  type ProcessExit,
  type ProcessSpec,
  ProcessSpawner,
  type Source,
  SpawnFailed
} from "@skein/runtime/nanny/ChildProcess"
import * as Nanny from "@skein/runtime/nanny/Nanny"
import { format, type Notice } from "@skein/runtime/nanny/Notices"
import * as Supervisor from "@skein/runtime/supervision/Supervisor"
import type { ExitReport } from "@skein/protocol/NannyRpcs"
import { RunId } from "@skein/protocol/Ids"

/** One process that exists only in the test. */
interface Puppet {
  readonly spec: ProcessSpec
  readonly signals: Array<string>
  readonly write: (source: Source, line: string) => void
  readonly notice: (notice: Notice) => void
  readonly die: (exit: ProcessExit) => Effect.Effect<void>
}

/** Processes that do as the test says. They obey SIGKILL; SIGTERM only if `obedient`. */
const makeStage = Effect.gen(function*() {
  const puppets = yield* Queue.unbounded<Puppet>()
  const stage = { alive: 0, obedient: true, refuse: undefined as string | undefined, memory: 0 }
  const spawner = ProcessSpawner.of({
    ownPid: Effect.succeed(1),
    spawn: Effect.fnUntraced(function*(spec, onLine) {
      if (stage.refuse !== undefined) return yield* new SpawnFailed({ entry: spec.entry, detail: stage.refuse })
      const exit = yield* Deferred.make<ProcessExit>()
      const signals: Array<string> = []
      stage.alive++
      const die = (how: ProcessExit) =>
        Effect.flatMap(Deferred.succeed(exit, how), (first) => Effect.sync(() => void (first && stage.alive--)))
      const child: ChildProcess = {
        pid: 100,
        signal: (signal) =>
          Effect.suspend(() => {
            signals.push(signal)
            return signal === "SIGKILL" || stage.obedient ? die({ code: null, signal }) : Effect.void
          }),
        exit: Deferred.await(exit),
        memory: Effect.sync(() => stage.memory === 0 ? Option.none() : Option.some({ bytes: stage.memory, peakBytes: stage.memory }))
      }
      yield* Effect.addFinalizer(() => child.signal("SIGKILL"))
      yield* Queue.offer(puppets, {
        spec,
        signals,
        write: onLine,
        notice: (notice) => onLine("notices", format(notice).trimEnd()),
        die
      })
      return child
    })
  })
  return { stage, next: Queue.take(puppets), layer: Layer.succeed(ProcessSpawner, spawner) }
})

/** A nanny under a supervisor, and what it told. */
const begin = (options: Partial<Nanny.Options> = {}, refuse?: string) =>
  Effect.gen(function*() {
    const stage = yield* makeStage
    stage.stage.refuse = refuse
    const told = yield* Queue.unbounded<ExitReport>()
    const lives: Array<string> = []
    const nanny = yield* Nanny.make({
      name: "w",
      entry: "file:///w.ts",
      config: { token: "secret" },
      onLife: (process) => Effect.sync(() => void lives.push(process)),
      onExit: (report) => Queue.offer(told, report),
      ...options
    })
    const scope = yield* Scope.make()
    const fiber = yield* Supervisor.supervise({ name: "top", strategy: "one-for-one", children: [nanny.child] }).pipe(
      Effect.provide(Layer.merge(stage.layer, Logger.layer([]))),
      Effect.forkIn(scope)
    )
    return { ...stage, told, lives, nanny, fiber }
  }).pipe(Random.withSeed("nanny"))

const running = (status: { readonly _tag: string }) => status._tag === "Running"

describe("one life", () => {
  it.effect("the child gets its id, its name, its parent and its config on its input, and nothing in its environment", () =>
    Effect.gen(function*() {
      const { next, nanny, lives } = yield* begin({ env: { FLAG: "1" }, nodeArgs: ["--expose-gc"] })
      const { spec } = yield* next
      const process = yield* nanny.process
      assert.deepStrictEqual(JSON.parse(spec.input), { process, name: "w", parent: 1, config: { token: "secret" } })
      assert.isTrue(spec.input.endsWith("\n"))
      assert.deepStrictEqual([spec.env, spec.nodeArgs], [{ FLAG: "1" }, ["--expose-gc"]])
      assert.match(process, /^w-[0-9a-z]+\/1$/)
      assert.deepStrictEqual(lives, [process])
    }))

  it.effect("is up when it says so, and what it says is handed on", () =>
    Effect.gen(function*() {
      const { next, nanny } = yield* begin()
      const ready = yield* Effect.forkChild(nanny.ready)
      const child = yield* next
      assert.isUndefined(ready.pollUnsafe())
      child.notice({ ready: { address: "unix:/x" } })
      assert.deepStrictEqual(yield* Fiber.join(ready), { address: "unix:/x" })
      assert.deepStrictEqual(yield* nanny.pid, Option.some(100))
    }))

  it.effect("its end is reported with suspects, memory and last lines, and the next life begins after the report", () =>
    Effect.gen(function*() {
      const { next, nanny, told, stage, lives } = yield* begin()
      const child = yield* next
      child.notice({ ready: null })
      child.notice({ started: RunId.make(1) })
      child.notice({ started: RunId.make(2) })
      child.notice({ ended: RunId.make(1) })
      child.write("stdout", "hello")
      child.write("stderr", "ouch")
      yield* nanny.awaitStatus(running)
      stage.memory = 5_000
      yield* TestClock.adjust("1 second")
      yield* child.die({ code: null, signal: "SIGSEGV" })
      assert.deepStrictEqual(yield* Queue.take(told), {
        process: (yield* nanny.process),
        ended: "signal",
        detail: "signal SIGSEGV",
        peakMemoryBytes: 5_000,
        logTail: ["hello", "ouch"],
        started: [RunId.make(2)],
        ranMs: [1_000]
      })
      yield* TestClock.adjust("1 second")
      const second = yield* next
      second.write("stdout", "again")
      yield* second.die({ code: 0, signal: null })
      assert.deepStrictEqual((yield* Queue.take(told)).logTail, ["again"])
      assert.deepStrictEqual(lives.map((id) => id.split("/")[1]), ["1", "2"])
      assert.deepStrictEqual((yield* nanny.logs).map((line) => `${line.source} ${line.text}`), ["stdout hello", "stderr ouch", "stdout again"])
    }))
})

describe("many lives", () => {
  it.effect("a child that cannot be started is tried again later, and given up with its last words (test_nanny.py::test_worker_start_exception)", () =>
    Effect.gen(function*() {
      const { nanny } = yield* begin({}, "no more processes")
      yield* nanny.awaitStatus((status) => status._tag === "BackingOff")
      yield* TestClock.adjust("30 seconds")
      const error = yield* Effect.flip(nanny.ready)
      assert.include(error.message, "no more processes")
      assert.include(error.message, "crashed 6 times within 60 s")
    }))

  it.effect("a given-up child starts again when asked to", () =>
    Effect.gen(function*() {
      const { next, nanny } = yield* begin({ policy: { intensity: 0 } })
      yield* Effect.flatMap(next, (child) => child.die({ code: 1, signal: null }))
      yield* nanny.awaitStatus((status) => status._tag === "GivenUp")
      yield* nanny.start
      yield* next
      assert.strictEqual((yield* nanny.status)._tag, "Starting")
    }))

  it.effect("ready waits for the next life when the present one dies before it is up", () =>
    Effect.gen(function*() {
      const { next, nanny } = yield* begin()
      const ready = yield* Effect.forkChild(nanny.ready)
      yield* Effect.flatMap(next, (child) => child.die({ code: 1, signal: null }))
      yield* nanny.awaitStatus((status) => status._tag === "BackingOff")
      yield* TestClock.adjust("1 second")
      const second = yield* next
      second.notice({ ready: 2 })
      assert.strictEqual(yield* Fiber.join(ready), 2)
    }))

  it.effect("endNow kills at once, blames nobody, and the next life begins without a wait", () =>
    Effect.gen(function*() {
      const { next, nanny, told } = yield* begin()
      const child = yield* next
      child.notice({ ready: null })
      yield* nanny.awaitStatus(running)
      yield* nanny.endNow("a thread is stuck")
      assert.strictEqual((yield* Queue.take(told)).ended, "closed")
      assert.deepStrictEqual(child.signals[0], "SIGKILL")
      yield* next
    }))

  it.effect("a child that asks to be ended is, and one that writes nonsense too", () =>
    Effect.gen(function*() {
      const { next, told } = yield* begin()
      const child = yield* next
      child.notice({ endMe: "execSync" })
      assert.include((yield* Queue.take(told)).detail, "execSync")
      const second = yield* next
      second.write("notices", "{\"oops\":1}")
      assert.include((yield* Queue.take(told)).detail, "wrote to its notices what is none: {\"oops\":1}")
    }))

  it.effect("a flood of notices ends the child instead of filling its nanny", () =>
    Effect.gen(function*() {
      const { next, told } = yield* begin()
      const child = yield* next
      for (let run = 0; run < 12_000; run++) child.notice({ started: RunId.make(run) })
      const report = yield* Queue.take(told)
      assert.include(report.detail, "faster than they are read")
      assert.isAtMost(report.started.length, 1_024)
    }))
})

describe("stopping", () => {
  it.effect("the end of the nanny is the end of its child, in order", () =>
    Effect.gen(function*() {
      const { next, fiber, stage, told, nanny } = yield* begin()
      const child = yield* next
      child.notice({ ready: null })
      yield* nanny.awaitStatus(running)
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(child.signals[0], "SIGTERM")
      assert.strictEqual(stage.alive, 0)
      assert.strictEqual((yield* Queue.take(told)).ended, "closed")
      assert.strictEqual((yield* nanny.status)._tag, "Stopped")
    }))

  it.effect("a child that ignores SIGTERM is killed after the bound, within the supervisor's patience", () =>
    Effect.gen(function*() {
      const { next, fiber, stage } = yield* begin({ policy: { stopWithinMs: 3_000 } })
      stage.obedient = false
      const child = yield* next
      const stopping = yield* Effect.forkChild(Fiber.interrupt(fiber), { startImmediately: true })
      yield* TestClock.adjust(2_999)
      assert.deepStrictEqual(child.signals, ["SIGTERM"])
      yield* TestClock.adjust(1)
      yield* Fiber.join(stopping)
      assert.strictEqual(child.signals[1], "SIGKILL")
      assert.strictEqual(stage.alive, 0)
    }))

  it.effect("a stopped child stays away until it is started again", () =>
    Effect.gen(function*() {
      const { next, nanny, stage } = yield* begin()
      yield* next
      yield* nanny.stop
      assert.strictEqual(stage.alive, 0)
      assert.deepStrictEqual(yield* nanny.pid, Option.none())
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(stage.alive, 0)
      yield* nanny.start
      yield* next
      assert.strictEqual(stage.alive, 1)
    }))

  it.effect("one that was stopped before its nanny ran does not start, and is stopped in order at its very start", () =>
    Effect.gen(function*() {
      const { layer, stage } = yield* makeStage
      const nanny = yield* Nanny.make({ name: "w", entry: "file:///w.ts", config: null })
      yield* nanny.stop
      yield* Effect.forkChild(Effect.scoped(Effect.provide(nanny.child.start, layer)))
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(stage.alive, 0)
      yield* nanny.start
      yield* nanny.awaitStatus((status) => status._tag === "Starting")
    }))

  it.effect("stopping between two lives starts nobody", () =>
    Effect.gen(function*() {
      const { next, nanny, fiber, stage } = yield* begin()
      yield* Effect.flatMap(next, (child) => child.die({ code: 1, signal: null }))
      yield* nanny.awaitStatus((status) => status._tag === "BackingOff")
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(stage.alive, 0)
    }))
})

it.effect("a defect in what the owner hands in breaks the nanny visibly, and its supervisor starts it again", () =>
  Effect.gen(function*() {
    let count = 0
    const { next, stage, fiber } = yield* begin({
      onExit: () => count++ < 2 ? Effect.die("owner's bug") : Effect.void
    })
    yield* Effect.flatMap(next, (child) => child.die({ code: 1, signal: null }))
    const second = yield* next
    assert.strictEqual(stage.alive, 1)
    yield* second.die({ code: 1, signal: null })
    const exit = yield* Fiber.await(fiber)
    assert.isTrue(Exit.isFailure(exit) && String(exit.cause).includes("owner's bug"))
    assert.strictEqual(stage.alive, 0)
  }))
