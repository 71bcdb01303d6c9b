import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { runAs } from "@skein/protocol/CurrentTask"
import { isForTasks } from "@skein/protocol/ForTasks"
import { TaskContext } from "@skein/protocol/TaskContext"
import * as TaskImport from "@skein/protocol/TaskImport"

/** As in a worker, for as long as `effect` runs. */
const asWorker = <A, E>(effect: Effect.Effect<A, E>) => {
  const held = globalThis as { [flag: symbol]: unknown }
  const flag = Symbol.for("skein/ForTasks/1")
  return Effect.suspend(() => {
    held[flag] = true
    assert.isTrue(isForTasks())
    return Effect.ensuring(effect, Effect.sync(() => {
      held[flag] = false
    }))
  })
}
const task = { key: "k", attempt: 1, worker: "w", signal: new AbortController().signal }

describe("what starts a cluster", () => {
  it.effect("does so in a program", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* TaskImport.notForTasks(Effect.succeed(1)), 1)
    }))

  it.effect("waits for ever where a worker imports the program, not to be interrupted, and says where it was met", () =>
    asWorker(Effect.gen(function*() {
      const met: Array<TaskImport.Place | null> = []
      const forget = TaskImport.onStart((start) => met.push(start))
      const program = Effect.runFork(TaskImport.notForTasks(Effect.die("it began")))
      forget()
      assert.isUndefined(program.pollUnsafe())
      program.interruptUnsafe()
      assert.isUndefined(program.pollUnsafe())
      assert.strictEqual(met.length, 1)
      assert.match(met[0]!.url, /\/packages\/protocol\/test\/TaskImport\.test\.ts$/)
      assert.deepStrictEqual(TaskImport.starts().at(-1), met[0])
    })))

  it.effect("does so on a worker for bodies and their services", () =>
    asWorker(Effect.gen(function*() {
      const begins = () => TaskImport.notForTasks(Effect.succeed("began"))
      // A body is known by its context, one that has none by its call.
      const context = TaskContext.of({ ...task, secede: Effect.void, rejoin: Effect.void, seceded: <A, E, R>(effect: Effect.Effect<A, E, R>) => effect, reschedule: Effect.never } as unknown as TaskContext["Service"])
      assert.strictEqual(yield* Effect.provideService(begins(), TaskContext, context), "began")
      assert.strictEqual(runAs(task as Parameters<typeof runAs>[0], () => Effect.runSync(begins())), "began")
      assert.strictEqual(yield* TaskImport.ofTask(begins()), "began")
    })))

  it.effect("is no layer of contracts, though a module of tasks exports it", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(Effect.flip(Effect.sandbox(TaskImport.ofExport(TaskImport.notForTasks(Effect.void)))))
      assert.match(String(yield* Fiber.join(fiber)), /StartsCluster/)
    }))
})
