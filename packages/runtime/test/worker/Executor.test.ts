import { assert, describe, it } from "@effect/vitest"
import type { Event } from "@skein/core/worker/Event"
import type { CodeDef } from "@skein/protocol/Code"
import { CodeId, Key, RunId, TaskId } from "@skein/protocol/Ids"
import { decodeFailure } from "@skein/protocol/Raised"
import { TaskError } from "@skein/protocol/Failure"
import { TaskContext, TaskHoldings } from "@skein/protocol/TaskContext"
import * as Value from "@skein/protocol/Value"
import * as Body from "@skein/runtime/worker/Body"
import type { Code } from "@skein/runtime/worker/Code"
import * as DataStore from "@skein/runtime/worker/DataStore"
import * as Executor from "@skein/runtime/worker/Executor"
import type { Job, JobOutcome, Threads } from "@skein/runtime/worker/Threads"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"

/** What a thread pool was asked, answered by the test. */
const fakeThreads = Effect.gen(function*() {
  const jobs = yield* Queue.unbounded<Job>()
  const asked: Array<string> = []
  const listeners: Array<(outcome: JobOutcome) => void> = []
  const threads: Pick<Threads, "submit" | "cancel" | "terminate"> = {
    submit: (job, on) => {
      listeners.push(on)
      Queue.offerUnsafe(jobs, job)
    },
    cancel: (run) => void asked.push(`cancel ${run}`),
    terminate: (run) => void asked.push(`terminate ${run}`)
  }
  /** Of the first job that has none yet. */
  const end = (outcome: JobOutcome) => Effect.sync(() => listeners.shift()!(outcome))
  return { threads, jobs, asked, end }
})

/** An executor whose code 1 is the given function. */
const make = Effect.fnUntraced(function*(f: (...args: ReadonlyArray<any>) => unknown) {
  const events = yield* Queue.unbounded<Event>()
  const store = DataStore.make()
  const fake = yield* fakeThreads
  const def: CodeDef = {
    digest: "d",
    name: "task",
    kind: "function",
    text: null,
    module: null,
    moduleFirst: false,
    body: "unknown",
    isolation: "fiber",
    version: 1
  }
  const code: Code = { body: () => Effect.succeed(Body.ofFunction(f)), forThread: Effect.succeed, settled: Effect.void }
  const words: Array<string> = []
  const executor: Executor.Executor = yield* Executor.make({
    worker: "w0",
    progress: {
      said: (id, run, { done }) => void words.push(`${id}/${run}: ${done}`),
      ended: (run) => void words.push(`${run} ends`)
    },
    held: (task, ms) => void words.push(`${task} held the loop for ${Math.round(ms)} ms`),
    store,
    code,
    threads: fake.threads,
    defOf: (id) => id === 1 ? def : undefined,
    emit: (event) => Queue.offerUnsafe(events, event),
    wake: () => executor.begin()
  })
  /** Asks for it, and leaves its beginning to a later `begin`. */
  const ask = (options: Asking = {}) =>
    Effect.sync(() => executor.execute({
      _tag: "Execute",
      id: TaskId.make(7),
      run: RunId.make(options.run ?? 1),
      key: Key.make("k"),
      code: CodeId.make(options.code ?? 1),
      args: Result.getOrThrow(Value.encodeList(options.args ?? [], { hole: (value) => value instanceof Hole ? value.index : undefined })),
      isolation: options.thread === true ? "thread" : "fiber",
      attempt: 2,
      dependencies: (options.dependencies ?? []).map((id) => TaskId.make(id)),
      ...(options.timed === true ? { timed: true } : {})
    }))
  const execute = (options?: Asking) => Effect.andThen(ask(options), Effect.sync(executor.begin))
  const stored = () => Result.getOrThrow(Value.decode(store.latest(TaskId.make(7))!))
  return { executor, ask, execute, events, next: Queue.take(events), store, stored, words, ...fake }
})

interface Asking {
  readonly run?: number
  readonly args?: ReadonlyArray<unknown>
  readonly thread?: boolean
  readonly timed?: boolean
  readonly code?: number
  readonly dependencies?: ReadonlyArray<number>
}

class Hole {
  readonly index: number
  constructor(index: number) {
    this.index = index
  }
}

const run1 = RunId.make(1)

/** The error that a client would see. */
const errorOf = (event: Event): unknown => {
  assert.strictEqual(event._tag, "ExecuteFailed")
  if (event._tag !== "ExecuteFailed") return undefined
  return Option.getOrThrow(Cause.findErrorOption(decodeFailure({ _tag: "Raised", body: event.failure }, { key: "k", task: "task" })))
}
const reasonOf = (event: Event): TaskError["reason"] => {
  const error = errorOf(event)
  assert.instanceOf(error, TaskError)
  return (error as TaskError).reason
}

describe("Executor", () => {
  for (
    const [kind, body] of [
      ["a plain value", (a: number, b: number) => a + b],
      ["an Effect", (a: number, b: number) => Effect.succeed(a + b)],
      ["a promise", async (a: number, b: number) => a + b]
    ] as const
  ) {
    it.effect(`keeps the result of a body that gives ${kind}, and tells of it`, () =>
      Effect.gen(function*() {
        const { execute, next, stored } = yield* make(body)
        yield* execute({ args: [1, 2] })
        const event = yield* next
        assert.strictEqual(event._tag, "ExecuteSucceeded")
        if (event._tag === "ExecuteSucceeded") assert.deepStrictEqual([event.id, event.run, event.inline], [7, 1, true])
        assert.strictEqual(stored(), 3)
      }))
  }

  it.effect("fills holes with the dependencies' values as they were when it was asked, and with copies of them", () =>
    Effect.gen(function*() {
      const seen: Array<Array<number>> = []
      const { execute, next, store, stored } = yield* make((a: Array<number>, { b }: { b: Array<number> }) => {
        a.push(9)
        seen.push(b)
        return [a, b]
      })
      const bytes = Result.getOrThrow(Value.encode([1, 2]))
      store.put({ id: TaskId.make(3), run: RunId.make(1), key: null, bytes }, store.generation())
      yield* execute({ args: [new Hole(0), { b: new Hole(0) }], dependencies: [3] })
      store.drop(TaskId.make(3), RunId.make(1))
      assert.strictEqual((yield* next)._tag, "ExecuteSucceeded")
      assert.deepStrictEqual(stored(), [[1, 2, 9], [1, 2]])
    }))

  it.effect("reports a typed failure as the task's own, and a throw as a defect with its stack", () =>
    Effect.gen(function*() {
      const failing = yield* make(() => Effect.fail({ _tag: "NotFound", url: "x" }))
      yield* failing.execute()
      const failed = yield* failing.next
      assert.deepStrictEqual(errorOf(failed), { _tag: "NotFound", url: "x" })
      assert.isTrue(failed._tag === "ExecuteFailed" && failed.retryable)
      for (const body of [() => { throw new Error("boom") }, async () => { throw new Error("boom") }, () => Effect.die(new Error("boom"))]) {
        const throwing = yield* make(body)
        yield* throwing.execute()
        const reason = reasonOf(yield* throwing.next)
        assert.strictEqual(reason._tag, "TaskDefect")
        if (reason._tag === "TaskDefect") assert.match(`${reason.remoteStack} ${reason.worker}`, /boom[^]* w0$/)
      }
      assert.strictEqual(failing.store.size(), 0)
    }))

  it.effect("reports a result that cannot travel, with the path to what is wrong, as not worth repeating", () =>
    Effect.gen(function*() {
      const { execute, next } = yield* make(() => ({ connection: { socket: () => 1 } }))
      yield* execute()
      const event = yield* next
      assert.deepInclude(reasonOf(event), { _tag: "ResultInvalid", path: ["connection", "socket"], worker: "w0" })
      assert.isTrue(event._tag === "ExecuteFailed" && !event.retryable)
    }))

  it.effect("reports code that it was not told of", () =>
    Effect.gen(function*() {
      const { execute, next } = yield* make(() => 1)
      yield* execute({ code: 2 })
      const reason = reasonOf(yield* next)
      assert.match(String(reason.message), /did not run: w0 does not know task "k.*"\n  The text that came with it is of no use: the scheduler has not said what code 2 is/)
    }))

  it.effect("reports a body that interrupted itself, and is not stopped by it", () =>
    Effect.gen(function*() {
      const { execute, next } = yield* make(() => Effect.interrupt)
      yield* execute()
      assert.match(String(reasonOf(yield* next).message), /interrupted itself/)
    }))

  it.effect("says that an interrupted body has stopped once its finalizers are through, and not before", () =>
    Effect.gen(function*() {
      const begun = yield* Deferred.make<void>()
      const cleaning = yield* Deferred.make<void>()
      const mayEnd = yield* Deferred.make<void>()
      const { events, execute, executor, next, store } = yield* make(() =>
        Effect.gen(function*() {
          yield* Effect.addFinalizer(() => Effect.andThen(Deferred.succeed(cleaning, undefined), Deferred.await(mayEnd)))
          yield* Deferred.succeed(begun, undefined)
          return yield* Effect.never
        })
      )
      yield* execute()
      yield* Deferred.await(begun)
      executor.interrupt(run1)
      yield* Deferred.await(cleaning)
      assert.strictEqual(yield* Queue.size(events), 0)
      assert.strictEqual(executor.executing(), 1)
      yield* Deferred.succeed(mayEnd, undefined)
      assert.deepInclude(yield* next, { _tag: "ExecuteStopped", run: run1 })
      assert.deepStrictEqual([executor.executing(), store.size()], [0, 0])
    }))

  it.effect("stops a body that has not begun, which then never begins", () =>
    Effect.gen(function*() {
      let begun = false
      const { execute, executor, next } = yield* make(() => Effect.sync(() => { begun = true }))
      yield* execute()
      executor.interrupt(run1)
      assert.strictEqual((yield* next)._tag, "ExecuteStopped")
      assert.isFalse(begun)
    }))

  it.effect("waits for the promise of an interrupted body, for that cannot be stopped, and drops its value", () =>
    Effect.gen(function*() {
      let resolve = (_: number) => {}
      const begun = yield* Deferred.make<void>()
      const { events, execute, executor, next, store } = yield* make(() => {
        Deferred.doneUnsafe(begun, Exit.void)
        return new Promise((done) => { resolve = done })
      })
      yield* execute()
      yield* Deferred.await(begun)
      executor.interrupt(run1)
      yield* Effect.yieldNow
      assert.strictEqual(yield* Queue.size(events), 0)
      resolve(1)
      assert.strictEqual((yield* next)._tag, "ExecuteStopped")
      assert.strictEqual(store.size(), 0)
    }))

  it.effect("interrupts what runs when it is closed, and tells nobody", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const begun = yield* Deferred.make<void>()
      let released = false
      const { events, execute } = yield* make(() =>
        Effect.acquireUseRelease(Deferred.succeed(begun, undefined), () => Effect.never, () => Effect.sync(() => { released = true }))
      ).pipe(Scope.provide(scope))
      yield* execute()
      yield* Deferred.await(begun)
      yield* Scope.close(scope, Exit.void)
      assert.isTrue(released)
      assert.strictEqual(yield* Queue.size(events), 0)
    }))

  it.effect("keeps nothing of a body that was begun before results got new ids", () =>
    Effect.gen(function*() {
      const mayEnd = yield* Deferred.make<void>()
      const { execute, next, store } = yield* make(() => Deferred.await(mayEnd))
      yield* execute()
      store.adopt([])
      yield* Deferred.succeed(mayEnd, undefined)
      assert.strictEqual((yield* next)._tag, "ExecuteSucceeded")
      assert.strictEqual(store.size(), 0)
    }))

  it.effect("gives a thread the encoded arguments and inputs, and takes over its outcome", () =>
    Effect.gen(function*() {
      const { execute, jobs, next, end, store, stored } = yield* make(() => 0)
      store.put({ id: TaskId.make(3), run: RunId.make(1), key: null, bytes: new Uint8Array([1]) }, store.generation())
      yield* execute({ thread: true, dependencies: [3] })
      const job = yield* Queue.take(jobs)
      assert.deepStrictEqual([job.run, job.key, job.attempt, job.inputs.length], [1, "k", 2, 1])
      yield* end({ _tag: "Succeeded", value: Result.getOrThrow(Value.encode(5)), ms: 12 })
      assert.deepInclude(yield* next, { _tag: "ExecuteSucceeded", ms: 12 })
      assert.strictEqual(stored(), 5)
    }))

  it.effect("runs a function as a fiber that a thread found to give an Effect, and the next time at once", () =>
    Effect.gen(function*() {
      const { execute, jobs, next, end, stored } = yield* make(() => Effect.succeed(8))
      yield* execute({ thread: true })
      yield* Queue.take(jobs)
      yield* end({ _tag: "Failed", failure: new Uint8Array(0), retryable: false, ms: 1 })
      assert.strictEqual((yield* next)._tag, "ExecuteSucceeded")
      assert.strictEqual(stored(), 8)
      yield* execute({ thread: true, run: 2 })
      assert.strictEqual((yield* next)._tag, "ExecuteSucceeded")
      assert.strictEqual(yield* Queue.size(jobs), 0)
    }))

  it.effect("does not begin it as a fiber if it was interrupted meanwhile", () =>
    Effect.gen(function*() {
      let begun = false
      const { execute, executor, jobs, next, end } = yield* make(() => Effect.sync(() => { begun = true }))
      yield* execute({ thread: true })
      yield* Queue.take(jobs)
      executor.interrupt(run1)
      yield* end({ _tag: "Failed", failure: new Uint8Array(0), retryable: false, ms: 1 })
      assert.strictEqual((yield* next)._tag, "ExecuteStopped")
      assert.isFalse(begun)
    }))

  it.effect("tells of a body that ended its thread, as an attempt of this worker", () =>
    Effect.gen(function*() {
      const { end, execute, jobs, next } = yield* make(() => 0)
      yield* execute({ thread: true })
      yield* Queue.take(jobs)
      yield* end({ _tag: "Exited", code: 3, detail: "the thread ended with code 3" })
      const event = yield* next
      assert.isTrue(event._tag === "ExecuteExited" && event.attempt.ended === "exit" && event.attempt.worker === "w0")
    }))

  it.effect("takes a job out of the queue of a thread first, and ends the thread when it is told to", () =>
    Effect.gen(function*() {
      const { asked, events, execute, executor, jobs, next, end } = yield* make(() => 0)
      yield* execute({ thread: true })
      yield* Queue.take(jobs)
      executor.interrupt(run1)
      assert.deepStrictEqual(asked, ["cancel 1"])
      assert.strictEqual(yield* Queue.size(events), 0)
      executor.terminate(run1)
      assert.deepStrictEqual(asked, ["cancel 1", "terminate 1"])
      // Even if it was done in the same moment: nobody waits for the value any more.
      yield* end({ _tag: "Succeeded", value: new Uint8Array(1), ms: 1 })
      assert.strictEqual((yield* next)._tag, "ExecuteStopped")
    }))

  it.effect("gives back what a thread has not begun, and says so of what it has", () =>
    Effect.gen(function*() {
      const { end, events, execute, executor, jobs, next, threads } = yield* make(() => 0)
      yield* execute({ thread: true })
      yield* Queue.take(jobs)
      executor.retract(TaskId.make(7), run1)
      assert.deepInclude(yield* next, { _tag: "ExecuteRetracted", id: TaskId.make(7), run: run1, retracted: false })
      Object.assign(threads, { cancel: () => Effect.runSync(end({ _tag: "Stopped", begun: false })) })
      executor.retract(TaskId.make(7), run1)
      assert.deepInclude(yield* next, { _tag: "ExecuteRetracted", retracted: true })
      executor.retract(TaskId.make(7), run1)
      assert.deepInclude(yield* next, { _tag: "ExecuteRetracted", retracted: false })
      assert.deepStrictEqual([executor.executing(), yield* Queue.size(events)], [0, 0])
    }))

  it.effect("gives back what was asked for in the same turn, which then never begins", () =>
    Effect.gen(function*() {
      const { ask, execute, executor, jobs, next } = yield* make(() => 0)
      yield* ask({ thread: true })
      executor.retract(TaskId.make(7), run1)
      assert.deepInclude(yield* next, { _tag: "ExecuteRetracted", retracted: true })
      yield* execute({ thread: true, run: 2 })
      assert.strictEqual((yield* Queue.take(jobs)).run, RunId.make(2))
    }))

  it.effect("begins a short body in the step that asks for it, and one that it does not know when what was said before has left", () =>
    Effect.gen(function*() {
      const { events, execute, next } = yield* make(() => 0)
      yield* execute()
      assert.strictEqual(yield* Queue.size(events), 0)
      assert.strictEqual((yield* next)._tag, "ExecuteSucceeded")
      yield* execute({ run: 2 })
      assert.strictEqual(yield* Queue.size(events), 1)
    }))

  it.live("takes a body that held the event loop the last time for one that it does not know", () =>
    Effect.gen(function*() {
      let spins = 0
      const { events, execute, next } = yield* make(() => {
        const until = performance.now() + spins
        while (performance.now() < until) continue
      })
      for (spins of [0, 1, 0]) {
        yield* execute()
        yield* next
      }
      yield* execute()
      assert.strictEqual(yield* Queue.size(events), 1)
      yield* next
      spins = 1
      yield* execute()
      yield* next
      yield* execute()
      assert.strictEqual(yield* Queue.size(events), 0)
    }))

  it.effect("ends with a defect of its own", () =>
    Effect.gen(function*() {
      const { execute, executor, store } = yield* make(() => 0)
      Object.assign(store, { put: () => { throw new Error("a bug") } })
      yield* execute()
      assert.isTrue(Exit.hasDies(yield* Effect.exit(executor.failed)))
    }))

  it.effect("shows a body its task: as a service, and where there is no context to read as the current one", () =>
    Effect.gen(function*() {
      for (
        const body of [
          () => TaskContext.pipe(Effect.map(({ attempt, key, worker }) => [key, attempt, worker])),
          () => [TaskContext.current()!.key, TaskContext.current()!.attempt, TaskContext.current()!.worker],
          async () => [TaskContext.current()!.key, TaskContext.current()!.attempt, TaskContext.current()!.worker]
        ]
      ) {
        const { execute, next, stored } = yield* make(body)
        yield* execute()
        assert.strictEqual((yield* next)._tag, "ExecuteSucceeded")
        assert.deepStrictEqual(stored(), ["k", 2, "w0"])
        assert.isUndefined(TaskContext.current())
      }
    }))

  it.effect("tells that a body gives its slot back, and lets it go on when it has one again", () =>
    Effect.gen(function*() {
      const { executor, execute, next, stored } = yield* make(() => Effect.flatMap(TaskContext, (task) => task.seceded(Effect.succeed(5))))
      yield* execute()
      assert.deepStrictEqual([yield* next, yield* next].map(({ _tag }) => _tag), ["ExecuteSeceded", "ExecuteRejoined"])
      executor.resume(run1)
      assert.strictEqual((yield* next)._tag, "ExecuteSucceeded")
      assert.strictEqual(stored(), 5)
    }))

  it.effect("aborts the signal of an async body that is interrupted, and waits for its end", () =>
    Effect.gen(function*() {
      const begun = yield* Deferred.make<void>()
      const { executor, execute, events, next } = yield* make(async () => {
        const { signal } = TaskContext.current()!
        Deferred.doneUnsafe(begun, Exit.void)
        if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve))
      })
      yield* execute()
      yield* Deferred.await(begun)
      assert.strictEqual(Queue.sizeUnsafe(events), 0)
      executor.interrupt(run1)
      assert.strictEqual((yield* next)._tag, "ExecuteStopped")
    }))

  it.effect("reports a body that asks to be placed again as that, finalizers run, and not as failed", () =>
    Effect.gen(function*() {
      const closed: Array<string> = []
      const { execute, next } = yield* make(() =>
        Effect.gen(function*() {
          yield* Effect.addFinalizer(() => Effect.sync(() => closed.push("finalizer")))
          return yield* (yield* TaskContext).reschedule
        }))
      yield* execute()
      assert.strictEqual((yield* next)._tag, "ExecuteRescheduled")
      assert.deepStrictEqual(closed, ["finalizer"])
    }))

  it.effect("gives up what a body holds when it has ended", () =>
    Effect.gen(function*() {
      const given: Array<string> = []
      const { execute, next } = yield* make(() =>
        Effect.gen(function*() {
          const holdings = yield* TaskHoldings
          holdings.add(() => void given.push("given up"))
          yield* Effect.addFinalizer(() => Effect.sync(() => given.push("finalizer")))
        }))
      yield* execute()
      yield* next
      assert.deepStrictEqual(given, ["finalizer", "given up"])
    }))

  it.effect("tells that a body begins whose time is limited, in a fiber and in a thread, and of no other", () =>
    Effect.gen(function*() {
      const { end, execute, jobs, next } = yield* make(() => 1)
      yield* execute({ timed: true })
      assert.deepStrictEqual([yield* next, yield* next].map(({ _tag }) => _tag), ["ExecuteBegun", "ExecuteSucceeded"])
      yield* execute({ run: 2 })
      assert.strictEqual((yield* next)._tag, "ExecuteSucceeded")
      yield* execute({ run: 3, thread: true, timed: true })
      const job = yield* Queue.take(jobs)
      assert.isTrue(job.timed)
      job.on?.begun(job.run)
      yield* end({ _tag: "Succeeded", value: new Uint8Array(0), ms: 1 })
      const begun = yield* next
      assert.deepInclude(begun, { _tag: "ExecuteBegun", run: RunId.make(3) })
      assert.strictEqual((yield* next)._tag, "ExecuteSucceeded")
    }).pipe(Effect.scoped))

  it.effect("passes on what bodies say of themselves, in a fiber and in a thread, until they end", () =>
    Effect.gen(function*() {
      const kept: Array<(done: number) => void> = []
      const { end, execute, jobs, next, words } = yield* make(() => {
        const task = TaskContext.current()
        task?.progress(1)
        if (task !== undefined) kept.push(task.progress)
      })
      yield* execute()
      yield* next
      kept[0]?.(2)
      yield* execute({ run: 2, thread: true })
      const job = yield* Queue.take(jobs)
      job.on?.progress(job.run, { done: 3, total: undefined, note: "" })
      yield* end({ _tag: "Succeeded", value: new Uint8Array(0), ms: 1 })
      job.on?.progress(job.run, { done: 4, total: undefined, note: "" })
      assert.deepStrictEqual(words, ["7/1: 1", "1 ends", "7/2: 3", "2 ends"])
    }).pipe(Effect.scoped))

  it.effect("notes a body whose first step held the event loop, whatever kind it is, and none that waited", () =>
    Effect.gen(function*() {
      const clock = yield* Clock.Clock
      let lateMs = 0
      const late: Clock.Clock = Object.assign(Object.create(clock), {
        monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe() + BigInt(lateMs) * 1_000_000n
      })
      const computes = (ms: number) => void (lateMs += ms)
      const kinds = [
        () => computes(3_000),
        () => Effect.andThen(Effect.sync(() => computes(4_000)), Effect.yieldNow),
        async () => computes(5_000),
        () => computes(2_900),
        () => Effect.sync(() => computes(2_900))
      ]
      const { execute, next, words } = yield* Effect.provideService(make((kind: number) => kinds[kind]!()), Clock.Clock, late)
      for (const kind of kinds.keys()) {
        yield* execute({ run: kind, args: [kind] })
        yield* next
      }
      assert.deepStrictEqual(words.filter((word) => word.includes("held")), [3_000, 4_000, 5_000].map((ms) => `task held the loop for ${ms} ms`))
    }).pipe(Effect.scoped))
})
