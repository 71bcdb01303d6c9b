import { assert, describe, it } from "@effect/vitest"
import { ProcessId, WorkerId } from "@skein/protocol/Ids"
import { decodeFailure } from "@skein/protocol/Raised"
import * as Value from "@skein/protocol/Value"
import * as Bulk from "@skein/transport/Bulk"
import * as BulkServer from "@skein/transport/BulkServer"
import * as NodeHashing from "@skein/transport/node/Hashing"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import * as tasks from "./fixtures/tasks.ts"
import { cancel, codes, compute, free, Hole, id, peers, run } from "./utils/FakeScheduler.ts"
import * as Rig from "./utils/Rig.ts"

const inc = Rig.code((n: number) => n + 1)
const never = Rig.code(tasks.never)

/** Real threads start in real time, and slowly where every core is busy with tests. */
const threadsStart = 30_000

describe("a worker", () => {
  it.effect("introduces itself, with what it was told about itself and where it serves results", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.make()
      const { registration } = yield* rig.join("w0")
      assert.deepInclude(registration, {
        name: "w0",
        process: ProcessId.make("w0-life-1"),
        pid: 4242,
        host: "here",
        dataAddress: "inproc://w0",
        nthreads: 1,
        nfibers: 4,
        memoryLimitBytes: null,
        nanny: "nanny"
      })
      assert.deepStrictEqual(registration.holds, [])
    }))

  it.effect("computes a task, and a small result rides on the report", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.make()
      const worker = yield* rig.join("w0")
      yield* worker.tell(codes({ 1: inc }), compute({ id: 1, run: 1, args: [41] }))
      const report = yield* worker.report
      assert.strictEqual(report._tag, "Finished")
      if (report._tag === "Finished") assert.strictEqual(Rig.decoded(report.value), 42)
    }))

  it.effect("does what it is told even before its registration is answered", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.make({ greet: [codes({ 1: inc }), compute({ id: 1, run: 1, args: [1] })] })
      const worker = yield* rig.join("w0")
      assert.deepInclude(yield* worker.report, { _tag: "Finished", id: id(1) })
    }))

  it.effect("keeps a large result for whoever fetches it, by the run that computed it", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.make()
      const worker = yield* rig.join("w0")
      yield* worker.tell(codes({ 1: Rig.code(() => new Uint8Array(100_000).fill(7)) }), compute({ id: 1, run: 1 }))
      const report = yield* worker.report
      assert.isTrue(report._tag === "Finished" && report.value.length === 0 && report.nbytes > 100_000)
      const [found, missing] = yield* rig.bulk.fetch("inproc://w0", [{ id: 1, run: 1 }, { id: 1, run: 2 }])
      assert.isTrue(found?._tag === "Found" && (Rig.decoded(found.bytes) as Uint8Array)[99_999] === 7)
      assert.strictEqual(missing?._tag, "Missing")
      yield* worker.tell(free(1, 1))
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* rig.bulk.fetch("inproc://w0", [{ id: 1, run: 1 }]))[0]?._tag, "Missing")
    }))

  it.effect("computes tasks from a result that it holds itself", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.make()
      const worker = yield* rig.join("w0")
      yield* worker.tell(codes({ 1: inc }), compute({ id: 1, run: 1, args: [1] }))
      yield* worker.report
      yield* worker.tell(
        compute({ id: 2, run: 2, args: [new Hole(0)], dependencies: [{ id: 1, run: 1, at: [0] }] }),
        compute({ id: 3, run: 3, args: [new Hole(0)], dependencies: [{ id: 1, run: 1, at: [0] }] })
      )
      const reports = [yield* worker.report, yield* worker.report].filter((report) => report._tag === "Finished")
      assert.deepStrictEqual(reports.map((report) => [report.id, Rig.decoded(report.value)]), [[2, 3], [3, 3]])
    }))

  it.effect("reports a failure with the error itself", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.make()
      const worker = yield* rig.join("w0")
      yield* worker.tell(codes({ 1: Rig.code(() => { throw new TypeError("not today") }) }), compute({ id: 1, run: 1 }))
      const report = yield* worker.report
      assert.strictEqual(report._tag, "Failed")
      if (report._tag !== "Failed") return
      const cause = decodeFailure({ _tag: "Raised", body: report.failure }, { key: "k", task: "t" })
      assert.match(Cause.pretty(cause), /not today/)
    }))

  it.effect("runs a plain function in a thread, from its text or from its module", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.make()
      const worker = yield* rig.join("w0")
      yield* worker.tell(
        codes({ 1: Rig.code((n: number) => [n + 1, process.getBuiltinModule("node:worker_threads").isMainThread]), 2: Rig.code(tasks.triple) }),
        compute({ id: 1, run: 1, args: [1], isolation: "thread" }, { id: 2, run: 2, code: 2, args: [4], isolation: "thread" })
      )
      const reports = [yield* worker.report, yield* worker.report].filter((report) => report._tag === "Finished")
      assert.deepStrictEqual(reports.map((report) => Rig.decoded(report.value)), [[2, false], 12])
    }), threadsStart)

  it.effect("gives a thread values that travel under a codec's name", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.make()
      const worker = yield* rig.join("w0")
      yield* worker.tell(
        codes({ 1: Rig.code(tasks.point), 2: Rig.code((p: { x: number; y: number }) => p.constructor.name + p.x + p.y) }),
        compute(
          { id: 1, run: 1, args: [1, 2], isolation: "thread" },
          { id: 2, run: 2, code: 2, args: [new Hole(0)], isolation: "thread", dependencies: [{ id: 1, run: 1, at: [] }] }
        )
      )
      yield* worker.report
      const report = yield* worker.report
      assert.strictEqual(report._tag === "Finished" && Rig.decoded(report.value), "Point12")
    }), threadsStart)

  describe("gathers from a peer", () => {
    /** Two workers; the first holds task 1, run 1, of value 10. */
    const two = Effect.gen(function*() {
      const rig = yield* Rig.make()
      const first = yield* rig.join("w0")
      const second = yield* rig.join("w1")
      yield* first.tell(codes({ 1: inc }), compute({ id: 1, run: 1, args: [9] }))
      yield* first.report
      yield* second.tell(codes({ 1: inc }), peers({ worker: 0, address: "inproc://w0" }))
      return { ...rig, first, second }
    })

    it.effect("what a task needs, and tells of the replica", () =>
      Effect.gen(function*() {
        const { second } = yield* two
        yield* second.tell(compute({ id: 2, run: 2, args: [new Hole(0)], dependencies: [{ id: 1, run: 1, at: [0] }] }))
        assert.deepInclude(yield* second.report, { _tag: "ReplicasAdded", id: id(1), run: run(1) })
        const report = yield* second.report
        assert.strictEqual(report._tag === "Finished" && Rig.decoded(report.value), 11)
      }))

    it.effect("and says what the peer does not have, until it hears who has it", () =>
      Effect.gen(function*() {
        const { second } = yield* two
        yield* second.tell(compute({ id: 2, run: 3, args: [new Hole(0)], dependencies: [{ id: 1, run: 2, at: [0] }] }))
        assert.deepInclude(yield* second.report, { _tag: "Missing", id: id(1), run: run(2), peer: WorkerId.make(0) })
        assert.deepInclude(yield* second.report, { _tag: "HoldersAsked", id: id(1), run: run(2) })
      }))

    it.effect("and asks again later if the peer is busy", () =>
      Effect.gen(function*() {
        const rig = yield* Rig.make()
        const worker = yield* rig.join("w0")
        const asked = yield* Queue.unbounded<ReadonlyArray<Bulk.Wanted>>()
        const answers = [Bulk.busy, Bulk.found(Result.getOrThrow(Value.encode(10)))]
        const read = (wanted: ReadonlyArray<Bulk.Wanted>) => Effect.as(Queue.offer(asked, wanted), [answers.shift()!])
        yield* BulkServer.serve(yield* rig.network.listen("busy"), { authorize: () => Effect.void, read }).pipe(
          Effect.provide(NodeHashing.layer),
          Effect.forkScoped
        )
        yield* worker.tell(codes({ 1: inc }), peers({ worker: 9, address: "inproc://busy" }))
        yield* worker.tell(compute({ id: 2, run: 2, args: [new Hole(0)], dependencies: [{ id: 1, run: 1, at: [9] }] }))
        assert.deepStrictEqual(yield* Queue.take(asked), [{ id: 1, run: 1 }])
        // All who have it are busy, so perhaps the scheduler knows of more.
        assert.deepInclude(yield* worker.report, { _tag: "HoldersAsked", id: id(1) })
        yield* TestClock.adjust(150)
        assert.deepStrictEqual(yield* Queue.take(asked), [{ id: 1, run: 1 }])
        assert.deepInclude(yield* worker.report, { _tag: "ReplicasAdded", id: id(1) })
        const report = yield* worker.report
        assert.strictEqual(report._tag === "Finished" && Rig.decoded(report.value), 11)
      }))

    it.effect("and asks who else has it if the peer cannot be reached", () =>
      Effect.gen(function*() {
        const rig = yield* Rig.make()
        const worker = yield* rig.join("w0")
        yield* worker.tell(codes({ 1: inc }), peers({ worker: 9, address: "inproc://gone" }))
        yield* worker.tell(compute({ id: 2, run: 2, args: [new Hole(0)], dependencies: [{ id: 1, run: 1, at: [9] }] }))
        assert.deepInclude(yield* worker.report, { _tag: "HoldersAsked", id: id(1), run: run(1) })
      }))
  })

  describe("is asked to cancel", () => {
    it.effect("an Effect that runs: it says so when its finalizers are through", () =>
      Effect.gen(function*() {
        const rig = yield* Rig.make()
        const worker = yield* rig.join("w0")
        tasks.lives.length = 0
        yield* worker.tell(codes({ 1: never }), compute({ id: 1, run: 1 }))
        yield* Queue.take(tasks.begun)
        yield* worker.tell(cancel(1, 1))
        assert.deepInclude(yield* worker.report, { _tag: "Stopped", id: id(1), run: run(1) })
        assert.deepStrictEqual(tasks.lives, ["acquired", "released"])
      }))

    it.effect("an Effect that nobody knew for one and a thread was asked to run: its finalizers run all the same", () =>
      Effect.gen(function*() {
        const rig = yield* Rig.make()
        const worker = yield* rig.join("w0")
        tasks.lives.length = 0
        yield* worker.tell(codes({ 1: never }), compute({ id: 1, run: 1, isolation: "thread" }))
        yield* Queue.take(tasks.begun)
        yield* worker.tell(cancel(1, 1))
        assert.deepInclude(yield* worker.report, { _tag: "Stopped", id: id(1), run: run(1) })
        assert.deepStrictEqual(tasks.lives, ["acquired", "released"])
      }), threadsStart)

    it.effect("a plain function that spins: its thread is ended after 100 ms, and the next one computes", () =>
      Effect.gen(function*() {
        const rig = yield* Rig.make()
        const worker = yield* rig.join("w0")
        const spinning = Effect.runSync(Queue.unbounded<unknown>())
        const channel = yield* Effect.acquireRelease(Effect.sync(() => new BroadcastChannel("skein-test-spinning")), (channel) => Effect.sync(() => channel.close()))
        channel.onmessage = () => Queue.offerUnsafe(spinning, undefined)
        yield* worker.tell(
          codes({
            1: Rig.code(() => {
              new BroadcastChannel("skein-test-spinning").postMessage("begun")
              while (true) { /* for ever */ }
            }),
            2: Rig.code((n: number) => n + 1)
          }),
          compute({ id: 1, run: 2, isolation: "thread" })
        )
        yield* Queue.take(spinning)
        yield* worker.tell(cancel(1, 2))
        yield* TestClock.adjust(99)
        assert.strictEqual(yield* Queue.size(worker.reports), 0)
        yield* TestClock.adjust(1)
        assert.deepInclude(yield* worker.report, { _tag: "Stopped", id: id(1), run: run(2) })
        yield* worker.tell(compute({ id: 3, run: 3, code: 2, args: [1], isolation: "thread" }))
        assert.deepInclude(yield* worker.report, { _tag: "Finished", id: id(3) })
      }), threadsStart)

    it.effect("an Effect that will not end: after 1.1 s the nanny is asked to end the process", () =>
      Effect.gen(function*() {
        const rig = yield* Rig.make()
        const worker = yield* rig.join("w0")
        yield* worker.tell(codes({ 1: Rig.code(tasks.stubborn) }), compute({ id: 1, run: 1 }))
        yield* Queue.take(tasks.begun)
        yield* worker.tell(cancel(1, 1))
        yield* TestClock.adjust(1_099)
        assert.deepStrictEqual(rig.notices, [])
        yield* TestClock.adjust(1)
        assert.match(JSON.stringify(rig.notices), /endMe/)
        yield* Queue.offer(tasks.mayEnd, undefined)
      }))
  })

  it.effect("that has no process of its own leaves a body that will not end its slot", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.make()
      const worker = yield* rig.join("w0", { nanny: null, nfibers: 1 })
      yield* worker.tell(codes({ 1: Rig.code(tasks.stubborn), 2: inc }), compute({ id: 1, run: 1 }))
      yield* Queue.take(tasks.begun)
      yield* worker.tell(cancel(1, 1), compute({ id: 2, run: 2, code: 2, args: [1] }))
      yield* TestClock.adjust(5_000)
      assert.deepStrictEqual(rig.notices, [])
      assert.strictEqual(yield* Queue.size(worker.reports), 0)
      yield* Queue.offer(tasks.mayEnd, undefined)
      assert.deepInclude(yield* worker.report, { _tag: "Stopped", id: id(1) })
      assert.deepInclude(yield* worker.report, { _tag: "Finished", id: id(2) })
    }))

  it.effect("reports a body that ended its thread, and computes on in another", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.make()
      const worker = yield* rig.join("w0")
      yield* worker.tell(
        codes({ 1: Rig.code(() => process.exit(3)), 2: Rig.code((n: number) => n + 1) }),
        compute({ id: 1, run: 1, isolation: "thread" }, { id: 2, run: 2, code: 2, args: [1], isolation: "thread" })
      )
      const report = yield* worker.report
      assert.isTrue(report._tag === "Killed" && report.attempt.ended === "exit" && report.attempt.worker === "w0", JSON.stringify(report))
      assert.deepInclude(yield* worker.report, { _tag: "Finished", id: id(2) })
    }), threadsStart)

  it.effect("ends visibly when one of its loops has a defect", () =>
    Effect.gen(function*() {
      let healthy = true
      const rig = yield* Rig.make({ memoryBytes: Effect.suspend(() => healthy ? Effect.succeed(1) : Effect.die("a bug in the loop")) })
      const worker = yield* rig.join("w0")
      healthy = false
      yield* TestClock.adjust(1_000)
      assert.match((yield* Effect.flip(worker.tree.ended)).message, /child "connection"[^]*a bug in the loop/)
    }))

  it.effect("serves its results to nobody without the token", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.make()
      yield* rig.join("w0", { token: "secret" })
      assert.strictEqual((yield* Effect.flip(rig.bulk.fetch("inproc://w0", [{ id: 1, run: 1 }]))).reason, "Unauthorized")
    }))

  it.effect("notes the start and the end of a suspect, which it runs alone", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.make()
      const worker = yield* rig.join("w0")
      yield* worker.tell(codes({ 1: inc }), compute({ id: 1, run: 1, args: [1], alone: true }, { id: 2, run: 2, args: [1] }))
      yield* worker.report
      yield* worker.report
      assert.deepStrictEqual(rig.notices, [{ started: run(1) }, { ended: run(1) }])
    }))

  it.effect("reports its load as seldom as its session beats, and only if it has changed", () =>
    Effect.gen(function*() {
      let memory = 1_600
      const rig = yield* Rig.make({ memoryBytes: Effect.sync(() => memory), beatMs: 20_000 })
      const worker = yield* rig.join("w0")
      yield* Queue.take(worker.loads)
      memory = 2_000
      yield* TestClock.adjust(19_999)
      assert.strictEqual(yield* Queue.size(worker.loads), 0)
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* Queue.take(worker.loads)).memoryBytes, 2_000)
      memory = 2_125 // a sixteenth more
      yield* TestClock.adjust(60_000)
      assert.strictEqual(yield* Queue.size(worker.loads), 0)
      memory = 2_126
      yield* TestClock.adjust(20_000)
      assert.strictEqual((yield* Queue.take(worker.loads)).memoryBytes, 2_126)
    }))

  it.effect("reports its load every second in a small cluster", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.make()
      const worker = yield* rig.join("w0")
      assert.deepStrictEqual(yield* Queue.take(worker.loads), { _tag: "Load", memoryBytes: 1_000, managedBytes: 0 })
      yield* worker.tell(codes({ 1: Rig.code(() => new Uint8Array(1_000)) }), compute({ id: 1, run: 1 }))
      yield* worker.report
      yield* TestClock.adjust(1_000)
      const load = yield* Queue.take(worker.loads)
      assert.isTrue(load.managedBytes > 1_000)
    }))

  it.effect("tells what it knows of a task", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.make()
      const worker = yield* rig.join("w0")
      yield* worker.tell(codes({ 1: inc }), compute({ id: 1, run: 1, args: [1] }))
      yield* worker.report
      const story = yield* worker.rpc.Story({ id: id(1) })
      assert.match(story.map(({ line }) => line).join("\n"), /executing → memory/)
    }))

  it.effect("goes in good order when the scheduler sends it away", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.make()
      const worker = yield* rig.join("w0")
      yield* worker.rpc.Close({ reason: "scaled down" })
      yield* worker.tree.ended
      assert.strictEqual((yield* Effect.flip(worker.session.ended)).kind, "closed")
    }))

  it.effect("ends its session in good order when it is stopped, and its bodies with it", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.make()
      const scope = yield* Scope.make()
      const worker = yield* rig.join("w0").pipe(Scope.provide(scope))
      tasks.lives.length = 0
      yield* worker.tell(codes({ 1: never }), compute({ id: 1, run: 1 }))
      yield* Queue.take(tasks.begun)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* Effect.flip(worker.session.ended)).kind, "closed")
      assert.deepStrictEqual(tasks.lives, ["acquired", "released"])
    }))

  it.effect("goes on as it is after a broken connection, and what is said meanwhile arrives", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.make()
      const worker = yield* rig.join("w0")
      tasks.lives.length = 0
      yield* worker.tell(codes({ 1: inc, 2: never }), compute({ id: 1, run: 1, code: 2 }))
      yield* Queue.take(tasks.begun)
      yield* rig.breakConnections
      yield* worker.tell(compute({ id: 2, run: 2, args: [1] }))
      yield* TestClock.adjust(100)
      assert.deepInclude(yield* worker.report, { _tag: "Finished", id: id(2) })
      assert.deepStrictEqual(tasks.lives, ["acquired"])
      assert.strictEqual(yield* Queue.size(rig.scheduler.joins), 0)
    }))

  it.effect("registers anew when its session is over, with the results it still has, and stops what it was asked before", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.make({ adopt: ({ holds }) => holds.map(({ key }) => key === "key-1" ? 8 : -1) })
      const worker = yield* rig.join("w0")
      tasks.lives.length = 0
      yield* worker.tell(
        codes({ 1: inc, 2: never }),
        compute({ id: 1, run: 1, args: [1] }, { id: 2, run: 2, args: [2] }, { id: 3, run: 3, code: 2 })
      )
      yield* worker.report
      yield* worker.report
      yield* Queue.take(tasks.begun)
      yield* worker.session.end(Cause.fail("gone"))
      const again = yield* rig.scheduler.join
      assert.deepStrictEqual(again.registration.holds.map(({ key, run }) => [key, run]), [["key-1", 1], ["key-2", 2]])
      // What it keeps is found under its new id, by tasks and by peers; the rest is gone.
      yield* again.tell(codes({ 1: inc }), compute({ id: 9, run: 10, args: [new Hole(0)], dependencies: [{ id: 8, run: 1, at: [] }] }))
      let report = yield* again.report
      while (report._tag !== "Finished") report = yield* again.report
      assert.strictEqual(Rig.decoded(report.value), 3)
      const answers = yield* rig.bulk.fetch("inproc://w0", [{ id: 8, run: 1 }, { id: 1, run: 1 }, { id: 2, run: 2 }])
      assert.deepStrictEqual(answers.map(({ _tag }) => _tag), ["Found", "Missing", "Missing"])
      assert.deepStrictEqual(tasks.lives, ["acquired", "released"])
      assert.strictEqual(worker.tree.state().worker, WorkerId.make(1))
    }))

  it.effect("ends when the scheduler does not let it in any more", () =>
    Effect.gen(function*() {
      let refuse = false
      const rig = yield* Rig.make({ refuse: () => refuse })
      const worker = yield* rig.join("w0")
      refuse = true
      yield* worker.session.end(Cause.fail("gone"))
      const error = yield* Effect.flip(worker.tree.ended)
      assert.match(error.message, /child "connection"[^]*Unauthorized/)
    }))

  it.effect("gives up after a while when there is no scheduler", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.make()
      const starting = yield* Effect.forkChild(rig.start("w0", { scheduler: "inproc://nobody", connectMs: 3_000 }))
      for (let seconds = 0; seconds < 10; seconds++) yield* TestClock.adjust(1_000)
      const tree = yield* Fiber.join(starting)
      assert.isFalse(tree.registered.isOpen())
      assert.match((yield* Effect.flip(tree.ended)).message, /Refused|Timeout/)
    }))
})
