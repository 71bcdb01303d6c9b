/**
 * Programs run under many seeds: what is found, and how it is told.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Schema } from "effect"
import { Client } from "@skein/client/Client"
import { ClusterError } from "@skein/protocol/Errors"
import { TaskError } from "@skein/protocol/Failure"
import { Task } from "@skein/protocol/Task"
import { prepare, runCase, runSeed, runSeeds, type SeedsOptions, type SimFailed } from "@skein/simulation/testing/node/Seeds"
import type { Program } from "@skein/simulation/testing/Run"
import { Sim } from "@skein/simulation/testing/Sim"
import { story } from "@skein/simulation/testing/Story"
import { Json } from "@skein/simulation/Case"
import { readFileSync } from "node:fs"
import * as tasks from "./tasks.ts"

const again = (seed: number) => `again with ${seed}`
const MINUTES = 180_000

const failing = (program: () => Program, options: SeedsOptions): Promise<Error> =>
  runSeeds(program, options, again).then(() => assert.fail("it should have failed"), (error: Error) => error)

let paid = 0
const charge = Task.fn("charge", (customer: number) => Effect.gen(function*() {
  yield* Effect.sleep("300 millis")
  paid++
  yield* Effect.sleep("300 millis")
  return customer
}))
/** Takes for granted that a body runs once. */
const billing = Effect.gen(function*() {
  paid = 0
  const client = yield* Client
  yield* client.gather(yield* client.map(charge, [1, 2, 3, 4, 5, 6]))
  if (paid !== 6) return yield* Effect.die(new RangeError(`6 customers were charged ${paid} times`))
})

describe("runSeeds", () => {
  it("finds the one fault that a mistake needs, and keeps it in a file that shows it again", async () => {
    const error = await failing(() => billing, { seed: 1, seeds: 20, workers: 3, faults: "default" }) as SimFailed
    assert.match(error.message, /^RangeError failed under seed \d+\n {2}saw {5}RangeError: 6 customers were charged \d+ times/)
    assert.include(error.message, "again with")
    assert.lengthOf(error.smallest.faults, 1)
    assert.isAtMost(error.smallest.cluster.workers, 3)
    const kept = Schema.decodeUnknownSync(Json)(readFileSync(error.file, "utf8"))
    const prepared = await prepare(() => billing, { workers: 3, faults: "default" }, again)
    assert.strictEqual(runCase(prepared, kept).violation?.id, "RangeError")
  }, MINUTES)

  it("tells what is written once, of who wrote it", () => {
    const own = "    5.000 scheduler  writes level=WARN message=late"
    assert.deepStrictEqual(story([own, "    5.000 owner      writes [scheduler] level=WARN message=late", "    6.000 a->b 7 bytes"]), [own])
  })

  it("finds nothing wrong with the same program when nothing goes wrong", async () => {
    assert.strictEqual((await runSeeds(() => billing, { seed: 1, seeds: 5, workers: 3 }, again)).runs, 5)
  }, MINUTES)

  it("gives equal runs for equal seeds, and others for others", async () => {
    const prepared = await prepare(() => billing, { workers: 3, faults: "default" }, again)
    const hashes = [7, 7, 8].map((seed) => runSeed(prepared, seed).outcome.hash)
    assert.strictEqual(hashes[0], hashes[1])
    assert.notStrictEqual(hashes[0], hashes[2])
  }, MINUTES)

  it("says what always had to hold", async () => {
    const error = await failing(() => Effect.flatMap(Sim, (sim) => sim.always("the seed is even", sim.seed % 2 === 0)), { seed: 2, seeds: 3 })
    assert.match(error.message, /^always "the seed is even" failed under seed 3\n/)
  }, MINUTES)

  it("says what should have been seen and never was", async () => {
    const error = await failing(() => Effect.flatMap(Sim, (sim) => sim.sometimes("pigs fly", false)), { seed: 2, seeds: 3 })
    assert.strictEqual(error.message, "sometimes \"pigs fly\": not seen in any of the 3 seeds from 2\n  fix  more seeds, more faults, or the property")
  }, MINUTES)

  it("names who takes the time from the real clock, and where", async () => {
    const program = Effect.gen(function*() {
      yield* (yield* (yield* Client).submit(tasks.impure)).result
    })
    const error = await failing(() => program, { seed: 1, seeds: 1 })
    assert.match(error.message, /^escaped by Date\.now failed under seed 1\n/)
    assert.match(error.message, /at .*testing\/tasks\.ts/)
    assert.include(error.message, "use Effect's Clock")
  }, MINUTES)

  it("names who waits for a promise: an Effect, or an async function", async () => {
    for (const [task, name] of [[tasks.promises, "promises"], [tasks.asynchronous, "asynchronous"]] as const) {
      const error = await failing(() => Effect.flatMap(Client, (client) => Effect.flatMap(client.submit(task, 1), ({ result }) => result)), { seed: 1, seeds: 1 })
      assert.match(error.message, /^escaped by Promise\.then failed under seed 1\n/)
      assert.match(error.message, new RegExp(`at   the task ${name}\\b.* in the process worker-\\d`))
      assert.include(error.message, "make the body an Effect or a plain function")
    }
  }, MINUTES)

  it("reports at once a program that waits for what nobody will do", async () => {
    const error = await failing(() => Effect.never, { seed: 1, seeds: 1, maxVirtualTime: "1 minute" })
    assert.match(error.message, /^L1 failed under seed 1\n {2}saw {5}it had not ended after 60000 ms of virtual time/)
  }, MINUTES)

  it("ends every future of a scheduler that has crashed with SchedulerLost", async () => {
    const program = Effect.gen(function*() {
      const client = yield* Client
      const futures = yield* client.map(tasks.load, [1, 2, 3])
      yield* (yield* Sim).crashScheduler()
      for (const future of futures) {
        const exit = yield* Effect.exit(future.result)
        const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
        assert.strictEqual(error instanceof TaskError ? error.reason._tag : error, "SchedulerLost")
      }
    })
    assert.strictEqual((await runSeeds(() => program, { seed: 1, seeds: 10, workers: 2 }, again)).runs, 10)
  }, MINUTES)

  it("refuses options that it does not know, and values that make no sense", async () => {
    for (const [options, word] of [[{ worker: 3 }, "worker"], [{ seed: -1 }, "seed"], [{ faults: { workerCrsh: 1 } }, "workerCrsh"], [{ costs: { a: { failure: 2 } } }, "failure"], [{ network: { loss: 7 } }, "loss"]] as const) {
      const error = await failing(() => Effect.void, options as SeedsOptions)
      assert.instanceOf(error, ClusterError)
      assert.include(error.message, word)
    }
  })
})

describe("costs", () => {
  it("lets a modelled task take virtual time and give bytes, without running its body", async () => {
    const body = Task.fn("expensive", (_: number): Uint8Array => {
      throw new Error("the body of a modelled task must not run")
    })
    const program = Effect.gen(function*() {
      const client = yield* Client
      const sim = yield* Sim
      const began = yield* sim.virtualMs
      const values = yield* client.gather(yield* client.map(body, [1, 2, 3]))
      assert.deepStrictEqual(values.map((value) => value.length), [100_000, 100_000, 100_000])
      assert.isAbove((yield* sim.virtualMs) - began, 3_600_000)
    })
    await runSeeds(() => program, { seed: 1, seeds: 3, workers: 3, maxVirtualTime: "10 hours", costs: { expensive: { duration: { min: "1 hour", max: "2 hours" }, nbytes: 100_000 } } }, again)
  }, MINUTES)

  it("lets as many attempts of a modelled task fail as it is told, and none for the oracle", async () => {
    const flaky = Task.fn("flaky", (n: number) => n)
    const program = Effect.gen(function*() {
      const client = yield* Client
      const sim = yield* Sim
      const future = yield* client.submit(flaky, 1)
      const answer = yield* sim.oracle(future)
      assert.isTrue(Exit.isSuccess(answer))
      yield* sim.sometimes("it failed", Exit.isFailure(yield* Effect.exit(future.result)))
      yield* sim.sometimes("it did not fail", Exit.isSuccess(yield* Effect.exit(future.result)))
    })
    await runSeeds(() => program, { seed: 1, seeds: 12, costs: { flaky: { failure: 0.5 } } }, again)
  }, MINUTES)
})

describe("Sim", () => {
  it("kills, pauses and cuts off workers by hand, and the work is done all the same", async () => {
    const program = Effect.gen(function*() {
      const client = yield* Client
      const sim = yield* Sim
      const futures = yield* client.map(tasks.load, Array.from({ length: 12 }, (_, n) => n))
      yield* Effect.sleep("100 millis")
      const victim = yield* sim.kill("random")
      assert.match(victim, /^worker-\d$/)
      yield* sim.pause("worker-0", "3 seconds")
      yield* sim.partition(["worker-1"], ["scheduler"], { heal: "10 seconds" })
      yield* sim.restart("worker-2")
      assert.lengthOf(yield* client.gather(futures), 12)
      assert.isTrue((yield* sim.trace).some((line) => line.includes(`${victim} `) && line.includes("SIGKILL")))
    })
    await runSeeds(() => program, { seed: 1, seeds: 5, workers: 3 }, again)
  }, MINUTES)

  it("says which parts there are when another is named", async () => {
    const error = await failing(() => Effect.flatMap(Sim, (sim) => sim.kill("worker-9")), { seed: 1, seeds: 1, workers: 2 })
    assert.include(error.message, "the simulated cluster has no \"worker-9\"; it has scheduler, worker-0, client-0")
  }, MINUTES)
})
