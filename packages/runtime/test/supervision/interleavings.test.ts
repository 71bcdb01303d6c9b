/** The supervisor, the nanny and the thread pool with fibers stopped at random points: nothing hangs, nothing is left. */
import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Latch, Logger, Random, Schedule } from "effect"
import type { CodeDef } from "@skein/protocol/Code"
import { RunId } from "@skein/protocol/Ids"
import { type ProcessExit, ProcessSpawner, SpawnFailed } from "@skein/runtime/nanny/ChildProcess"
import * as Nanny from "@skein/runtime/nanny/Nanny"
import { format } from "@skein/runtime/nanny/Notices"
import * as Supervisor from "@skein/runtime/supervision/Supervisor"
import { begun, queued, type ToThread } from "@skein/runtime/worker/ThreadMessages"
import * as Threads from "@skein/runtime/worker/Threads"
import { Sim } from "@skein/simulation/Sim"

/** 1,000 were tried once. */
const seeds = Array.from({ length: 200 }, (_, i) => i + 1)

const each = <A>(program: (seed: number) => Effect.Effect<A, unknown>) => {
  for (const seed of seeds) {
    const quiet = Effect.provide(program(seed), Logger.layer([]))
    const exit = new Sim({ seed, preemption: seed % 2 === 0 ? 0.1 : 0.02 }).run(quiet)
    assert.isTrue(Exit.isSuccess(exit), `seed ${seed}: ${String(exit)}`)
  }
}

const sleepUpTo = (ms: number) => Effect.flatMap(Random.nextBetween(0, ms), (ms) => Effect.sleep(ms))

it("a supervisor whose children end as they like is interrupted at any time and leaves nothing", { timeout: 60_000 }, () => {
  each((seed) =>
    Effect.gen(function*() {
      let alive = 0
      const holding = Effect.acquireRelease(Effect.sync(() => void alive++), () => Effect.andThen(sleepUpTo(3), Effect.sync(() => void alive--)))
      const child = (id: string): Supervisor.Child => {
        const started = Latch.makeUnsafe()
        const ends = Effect.flatMap(Random.next, (draw) => draw < 0.3 ? Effect.fail("x") : draw < 0.5 ? Effect.die("y") : draw < 0.6 ? Effect.void : Effect.never)
        return {
          id,
          started,
          restart: (["permanent", "transient", "temporary"] as const)[seed % 3]!,
          start: holding.pipe(
            Effect.andThen(sleepUpTo(5)),
            Effect.andThen(started.open),
            Effect.andThen(sleepUpTo(20)),
            Effect.andThen(ends)
          )
        }
      }
      const fiber = yield* Effect.forkChild(Supervisor.supervise({
        name: "s",
        strategy: (["one-for-one", "one-for-all", "rest-for-one"] as const)[(seed >> 2) % 3]!,
        intensity: 5,
        period: "100 millis",
        children: ["a", "b", "c"].map(child),
        ...((seed & 1) === 0 ? {} : { backoff: Schedule.jittered(Schedule.spaced("10 millis")) })
      }))
      yield* sleepUpTo(200)
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(alive, 0)
    })
  )
})

it("a nanny is stopped, ended and interrupted at any time, and its child is gone", { timeout: 60_000 }, () => {
  each((seed) =>
    Effect.gen(function*() {
      let alive = 0
      let most = 0
      let reports = 0
      let lives = 0
      const spawn: ProcessSpawner["Service"]["spawn"] = Effect.fnUntraced(function*(spec, onLine) {
        yield* sleepUpTo(5)
        if ((yield* Random.next) < 0.1) return yield* new SpawnFailed({ entry: spec.entry, detail: "no" })
        const exit = yield* Deferred.make<ProcessExit>()
        alive++
        lives++
        most = Math.max(most, alive)
        const die = (how: ProcessExit) =>
          Effect.sync(() => void (Deferred.doneUnsafe(exit, Effect.succeed(how)) && alive--))
        const signal = (signal: "SIGTERM" | "SIGKILL") =>
          Effect.flatMap(Random.next, (draw) => signal === "SIGKILL" || draw < 0.5 ? die({ code: null, signal }) : Effect.void)
        yield* Effect.addFinalizer(() => die({ code: null, signal: "SIGKILL" }))
        yield* sleepUpTo(30).pipe(
          Effect.andThen(Effect.sync(() => onLine("notices", format({ ready: null }).trimEnd()))),
          Effect.andThen(sleepUpTo(100)),
          Effect.andThen(die({ code: 1, signal: null })),
          Effect.forkScoped
        )
        return { pid: 1, signal, exit: Deferred.await(exit), memory: Effect.succeedNone }
      })
      const nanny = yield* Nanny.make({
        name: "n",
        entry: "file:///n.ts",
        config: null,
        policy: { stopWithinMs: 50, readyWithinMs: 40, backoffMs: 5, intensity: 3 },
        onExit: () => Effect.sync(() => void reports++)
      })
      const fiber = yield* Supervisor.supervise({ name: "s", strategy: "one-for-one", children: [nanny.child] }).pipe(
        Effect.provideService(ProcessSpawner, ProcessSpawner.of({ spawn, ownPid: Effect.succeed(1) })),
        Effect.forkChild
      )
      for (let i = 0; i < seed % 5; i++) {
        yield* sleepUpTo(60)
        const draw = yield* Random.next
        if (draw < 0.3) {
          yield* nanny.stop
          assert.strictEqual(alive, 0)
          yield* nanny.start
        } else if (draw < 0.6) yield* nanny.endNow("test")
      }
      yield* sleepUpTo(60)
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual([alive, reports], [0, lives])
      assert.isAtMost(most, 1)
    })
  )
})

it("every job of a pool ends, whatever its threads do and whoever takes it back", { timeout: 60_000 }, () => {
  each((seed) =>
    Effect.gen(function*() {
      let alive = 0
      const began = new Map<number, number>()
      const context = yield* Effect.context()
      /** A thread that begins, finishes, ends and obeys at random moments. */
      const start: Threads.ThreadSpawner["Service"]["start"] = (claims, on) => {
        alive++
        const inbox: Array<ToThread["jobs"][number]> = []
        const wake = Latch.makeUnsafe()
        const gone = Deferred.makeUnsafe<void>()
        const exit = () => {
          if (!Deferred.doneUnsafe(gone, Effect.void)) return
          alive--
          on.exit(1, "gone")
        }
        const body = Effect.gen(function*() {
          yield* sleepUpTo(5)
          if ((yield* Random.next) < 0.1) return exit()
          on.message({ _tag: "Up" })
          while (true) {
            const job = inbox.shift()
            if (job === undefined) {
              yield* wake.close
              yield* wake.await
              continue
            }
            if (Atomics.compareExchange(claims, job.cell, queued, begun) !== queued) {
              on.message({ _tag: "Skipped", cell: job.cell })
              continue
            }
            began.set(job.run, (began.get(job.run) ?? 0) + 1)
            yield* sleepUpTo(5)
            if ((yield* Random.next) < 0.05) return exit()
            on.message({ _tag: "Succeeded", run: job.run, value: new Uint8Array(0), ms: 0 })
          }
        })
        Effect.runForkWith(context)(Effect.raceFirst(body, Deferred.await(gone)))
        return {
          post: (message) => {
            inbox.push(...message.jobs)
            wake.openUnsafe()
          },
          terminate: () => void Effect.runForkWith(context)(Effect.andThen(sleepUpTo(3), Effect.sync(exit)))
        }
      }
      yield* Effect.scoped(Effect.gen(function*() {
        const threads = yield* Threads.make({ nthreads: 1 + seed % 3 })
        const code: CodeDef = { digest: "d", name: "f", kind: "function", text: "", module: null, isolation: "thread", version: 1, moduleFirst: false, body: "unknown" }
        const runs = Array.from({ length: 30 }, (_, run) => RunId.make(run))
        const fibers = yield* Effect.forEach(runs, (run) =>
          Effect.forkChild(Effect.andThen(sleepUpTo(30), threads.run({ run, code, key: "k", attempt: 1, args: new Uint8Array(0), inputs: [] }))))
        for (const run of runs) {
          const draw = yield* Random.next
          if (draw < 0.1) threads.cancel(run)
          else if (draw < 0.2) threads.terminate(run)
          else if (draw < 0.25) yield* Effect.forkChild(Fiber.interrupt(fibers[run]!))
          yield* sleepUpTo(3)
        }
        for (const [run, fiber] of fibers.entries()) {
          const exit = yield* Fiber.await(fiber)
          if (Exit.isSuccess(exit) && exit.value._tag === "Stopped" && !exit.value.begun) assert.isUndefined(began.get(run), `run ${run}`)
          if (Exit.isSuccess(exit) && exit.value._tag === "Succeeded") assert.isAbove(began.get(run) ?? 0, 0)
        }
        assert.deepStrictEqual(yield* threads.executing, [])
      })).pipe(Effect.provideService(Threads.ThreadSpawner, Threads.ThreadSpawner.of({ start })))
      assert.strictEqual(alive, 0)
    })
  )
})
