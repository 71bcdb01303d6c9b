import { assert, describe, it } from "@effect/vitest"
import { WorkerId } from "@skein/protocol/Ids"
import * as BulkClient from "@skein/transport/BulkClient"
import { Network } from "@skein/transport/Memory"
import * as NodeHashing from "@skein/transport/node/Hashing"
import { Host } from "@skein/runtime/worker/Host"
import * as NodeSockets from "@skein/runtime/worker/node/NodeSockets"
import * as ZeroWorkers from "@skein/runtime/worker/zero/ZeroWorkers"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as FakeScheduler from "../utils/FakeScheduler.ts"
import { cancel, compute, free, id, run } from "../utils/FakeScheduler.ts"
import { decoded } from "../utils/Rig.ts"

/** Zero workers that have registered with a scheduler that a test plays. */
const start = Effect.fnUntraced(function*(count: number) {
  const context = yield* Layer.build(Network.layer)
  const network = Context.get(context, Network)
  const scheduler = yield* FakeScheduler.make(yield* network.listen("scheduler"))
  const services = Layer.mergeAll(
    NodeHashing.layer,
    Layer.succeed(Host, { pid: 4242, memoryBytes: Effect.succeed(1_000), cpuMs: undefined }),
    Layer.provide(NodeSockets.layer, Layer.succeedContext(context))
  )
  const workers = yield* Effect.provide(
    ZeroWorkers.start({ count, name: "zero", scheduler: "inproc://scheduler", listen: "inproc://data", host: "here" }),
    services
  )
  const bulk = yield* BulkClient.make({
    connect: (address) => Effect.succeed(network.connect(address.slice("inproc://".length))),
    greeting: { role: "client", name: "test" }
  }).pipe(Effect.provide(NodeHashing.layer))
  return { scheduler, workers, bulk, network, context }
})
const one = Effect.gen(function*() {
  const { scheduler, ...rest } = yield* start(1)
  return { ...rest, ...(yield* scheduler.join) }
})
const holding = (task: number, ofRun: number) => ({ id: task, run: ofRun, at: [7] })

describe("zero workers", () => {
  it.effect("register one by one, each a worker with a process of its own", () =>
    Effect.gen(function*() {
      const { scheduler, workers } = yield* start(3)
      const joined = [yield* scheduler.join, yield* scheduler.join, yield* scheduler.join].map(({ registration }) => registration)
      assert.deepStrictEqual(joined.map(({ name }) => name).sort(), ["zero-0", "zero-1", "zero-2"])
      assert.strictEqual(new Set(joined.map(({ process }) => process)).size, 3)
      for (const { dataAddress, nthreads } of joined) assert.deepStrictEqual({ dataAddress, nthreads }, { dataAddress: workers.dataAddress, nthreads: 1 })
    }))

  it.effect("register all, however many there are, though only some call at once", () =>
    Effect.gen(function*() {
      const { scheduler } = yield* start(80)
      const names = new Set<string>()
      for (let n = 0; n < 80; n++) names.add((yield* scheduler.join).registration.name)
      assert.strictEqual(names.size, 80)
    }))

  it.effect("have finished a task as soon as it is asked for, and its result rides on the report", () =>
    Effect.gen(function*() {
      const worker = yield* one
      yield* worker.tell(compute({ id: 1, run: 1 }, { id: 2, run: 2 }))
      for (const n of [1, 2]) {
        const report = yield* worker.report
        assert.deepInclude(report, { _tag: "Finished", id: id(n), run: run(n) })
        assert.strictEqual(report._tag === "Finished" && decoded(report.value), 0)
      }
    }))

  it.effect("say that they have an input that they lacked, once, before the tasks that need it are done", () =>
    Effect.gen(function*() {
      const worker = yield* one
      yield* worker.tell(compute({ id: 2, run: 2, dependencies: [holding(1, 1)] }, { id: 3, run: 3, dependencies: [holding(1, 1)] }))
      assert.deepStrictEqual(yield* worker.report, { _tag: "ReplicasAdded", id: id(1), run: run(1), nbytes: 8 })
      assert.deepInclude(yield* worker.report, { _tag: "Finished", id: id(2) })
      assert.deepInclude(yield* worker.report, { _tag: "Finished", id: id(3) })
    }))

  it.effect("have their own results, until these are freed", () =>
    Effect.gen(function*() {
      const worker = yield* one
      yield* worker.tell(compute({ id: 1, run: 1 }), compute({ id: 2, run: 2, dependencies: [holding(1, 1)] }))
      assert.deepInclude(yield* worker.report, { _tag: "Finished", id: id(1) })
      assert.deepInclude(yield* worker.report, { _tag: "Finished", id: id(2) })
      yield* worker.tell(free(1, 1), compute({ id: 3, run: 3, dependencies: [holding(1, 1)] }))
      assert.deepInclude(yield* worker.report, { _tag: "ReplicasAdded", id: id(1) })
    }))

  it.effect("keep a result whose id is freed for an older run", () =>
    Effect.gen(function*() {
      const worker = yield* one
      yield* worker.tell(compute({ id: 1, run: 5 }), free(1, 4), compute({ id: 2, run: 6, dependencies: [holding(1, 5)] }))
      assert.deepInclude(yield* worker.report, { _tag: "Finished", id: id(1) })
      assert.deepInclude(yield* worker.report, { _tag: "Finished", id: id(2) })
    }))

  it.effect("give nothing back, for everything has run, and nothing of what is cancelled runs", () =>
    Effect.gen(function*() {
      const worker = yield* one
      yield* worker.tell(compute({ id: 1, run: 1 }), { _tag: "TakeBack", rows: [{ id: id(1), run: run(1) }] }, cancel(1, 1))
      yield* worker.report
      assert.deepStrictEqual(yield* worker.report, { _tag: "TakeBack", id: id(1), run: run(1), returned: false })
      assert.deepStrictEqual(yield* worker.report, { _tag: "Stopped", id: id(1), run: run(1) })
    }))

  it.effect("answer a question for data with the same value", () =>
    Effect.gen(function*() {
      const { bulk, registration } = yield* one
      const [found] = yield* bulk.fetch(registration.dataAddress, [{ id: 9, run: 9 }])
      assert.isTrue(found?._tag === "Found" && decoded(found.bytes) === 0)
    }))

  it.effect("end once all of them are sent away", () =>
    Effect.gen(function*() {
      const { scheduler, workers } = yield* start(2)
      for (const { rpc } of [yield* scheduler.join, yield* scheduler.join]) yield* rpc.Close({ reason: "enough" })
      yield* workers.ended
      assert.strictEqual(Queue.sizeUnsafe(scheduler.joins), 0)
    }))

  it.effect("come back as new incarnations, which hold nothing", () =>
    Effect.gen(function*() {
      const { scheduler } = yield* start(1)
      const first = yield* scheduler.join
      yield* first.tell(compute({ id: 1, run: 1 }))
      yield* first.report
      yield* first.session.close
      const second = yield* scheduler.join
      assert.strictEqual(second.registration.process, first.registration.process)
      assert.strictEqual(second.worker, WorkerId.make(1))
      yield* second.tell(compute({ id: 2, run: 2, dependencies: [holding(1, 1)] }))
      assert.deepInclude(yield* second.report, { _tag: "ReplicasAdded", id: id(1) })
    }))

  it.effect("fail if there is nobody to register with", () =>
    Effect.gen(function*() {
      const services = Layer.mergeAll(
        NodeHashing.layer,
        Layer.succeed(Host, { pid: 1, memoryBytes: Effect.succeed(0), cpuMs: undefined }),
        Layer.provide(NodeSockets.layer, Network.layer)
      )
      const options = { count: 2, name: "zero", scheduler: "nonsense", listen: "inproc://data", host: "here" }
      const exit = yield* Effect.exit(Effect.provide(ZeroWorkers.start(options), services))
      assert.isTrue(Exit.isFailure(exit))
      assert.match(String(exit), /nonsense/)
    }))
})
