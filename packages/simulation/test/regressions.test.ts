/**
 * What simulation has found, each by its name, as small as it could be told.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { Client } from "@skein/client/Client"
import { inFiber } from "@skein/simulation/cases/Work"
import * as SimCluster from "@skein/simulation/SimCluster"
import * as World from "@skein/simulation/World"

/** Runs it under a few seeds; fails with what the run failed with. */
const underSeeds = <A, E>(body: (cluster: SimCluster.SimCluster) => Effect.Effect<A, E>, options: SimCluster.SimClusterOptions = { workers: 1, slots: 1 }) => {
  for (let seed = 0; seed < 10; seed++) {
    const { exit } = World.run({ seed, maxMs: 300_000 }, Effect.flatMap(SimCluster.make(options), body))
    assert.isTrue(Exit.isSuccess(exit), `seed ${seed}: ${String(exit)}`)
  }
}

describe("a cluster whose scheduler has ended", () => {
  it("refuses to be scaled up instead of waiting for workers that can never register, and can be shut down", () =>
    underSeeds(Effect.fnUntraced(function*(cluster) {
      cluster.inject({ _tag: "SchedulerCrash", at: 0 })
      const exit = yield* cluster.scale(3)
      assert.isTrue(Exit.isFailure(exit))
      assert.include(String(exit), "the scheduler has ended")
      yield* cluster.shutdown
      assert.deepStrictEqual(cluster.leftovers(), [])
    })))
})

describe("a cluster that is being scaled up", () => {
  it("can be shut down though the new workers do not come up", () =>
    underSeeds(Effect.fnUntraced(function*(cluster) {
      cluster.inject({ _tag: "SpawnFailure", at: 0, worker: "worker-1", times: 1_000 })
      yield* Effect.forkChild(cluster.scale(2))
      yield* Effect.sleep(100)
      const before = cluster.world.now
      yield* cluster.shutdown
      assert.isBelow(cluster.world.now - before, 3_000)
      assert.deepStrictEqual(cluster.leftovers(), [])
    })))
})

describe("a wall clock that is set back an hour", () => {
  it("does not keep a nanny from starting its worker again", () =>
    underSeeds(Effect.fnUntraced(function*(cluster) {
      cluster.inject({ _tag: "WorkerCrash", at: 0, worker: "worker-0" })
      yield* Effect.sleep(10)
      cluster.inject({ _tag: "ClockJump", at: 0, part: "nanny-0", byMs: -3_600_000 })
      const before = cluster.world.now
      while (cluster.workers().size === 0) yield* Effect.sleep(100)
      assert.isBelow(cluster.world.now - before, 10_000)
      yield* cluster.shutdown
    })))

  it("does not end the session of a worker whose body ran meanwhile, nor leave it without slots", () =>
    underSeeds(Effect.fnUntraced(function*(cluster) {
      const [client] = cluster.clients
      const results = client!.run(Effect.gen(function*() {
        const service = yield* Client
        const spec = (id: number) => ({ id, durationMs: 50, bytes: 0, body: { _tag: "Succeeds" as const } })
        const futures = yield* Effect.forEach([1, 2, 3, 4], (id) => service.with({ isolation: "fiber" }).submit(inFiber, spec(id), []))
        return (yield* service.gather(futures)).length
      }))
      yield* Effect.sleep(60)
      cluster.inject({ _tag: "ClockJump", at: 0, part: "worker-0", byMs: -3_600_000 })
      assert.deepStrictEqual(yield* results.exit, Exit.succeed(4))
      assert.isFalse([...yield* cluster.logs].some(([, lines]) => lines.some((line) => line.includes("protocol"))))
      yield* cluster.shutdown
    })))
})

describe("a task that waits behind a body that does not end", () => {
  it("moves to a worker that has nothing to do, however short all others of its kind were", () =>
    underSeeds(Effect.fnUntraced(function*(cluster) {
      const [client] = cluster.clients
      const result = client!.run(Effect.gen(function*() {
        const service = (yield* Client).with({ isolation: "fiber" })
        const spec = (id: number) => ({ id, durationMs: 0, bytes: 0, body: { _tag: "Succeeds" as const } })
        yield* (yield* service.submit(inFiber, spec(1), [])).result
        yield* service.submit(inFiber, { ...spec(2), body: { _tag: "NeverEnds" as const } }, [])
        const waits = yield* service.submit(inFiber, spec(3), [])
        yield* Effect.sleep(10)
        yield* Effect.orDie(cluster.scale(2))
        return yield* Effect.timeout(waits.await, 1_000)
      }))
      assert.isTrue(Exit.isSuccess(yield* result.exit))
      yield* cluster.shutdown
    })))
})
