import { assert, describe, it } from "@effect/vitest"
import { ProcessId } from "@skein/protocol/Ids"
import * as Value from "@skein/protocol/Value"
import * as Bulk from "@skein/transport/Bulk"
import * as BulkServer from "@skein/transport/BulkServer"
import { Network } from "@skein/transport/Memory"
import * as BulkClient from "@skein/transport/BulkClient"
import * as Connect from "@skein/transport/node/Connect"
import * as NodeHashing from "@skein/transport/node/Hashing"
import * as Unix from "@skein/transport/node/Unix"
import { ProcessSpawner } from "@skein/runtime/nanny/ChildProcess"
import * as NodeProcesses from "@skein/runtime/node/NodeProcesses"
import type { WorkerConfigEncoded } from "@skein/runtime/worker/WorkerConfig"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Result from "effect/Result"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as FakeScheduler from "./utils/FakeScheduler.ts"
import { cancel, codes, compute, Hole, id, peers } from "./utils/FakeScheduler.ts"
import * as Rig from "./utils/Rig.ts"

const entry = new URL("../../src/worker/main.ts", import.meta.url).href

/** A worker's process, as its nanny would start it, before a fake scheduler on a unix socket. */
const start = Effect.gen(function*() {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "skein-worker-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  )
  const scheduler = yield* FakeScheduler.make(yield* Unix.listen(join(folder, "s.sock")))
  const config: Omit<WorkerConfigEncoded, "name" | "process"> = {
    nanny: "nanny",
    scheduler: `unix:${join(folder, "s.sock")}`,
    token: null,
    listen: `unix:${join(folder, "w.sock")}`,
    host: "here",
    nthreads: 1,
    nfibers: 4,
    localDirectory: folder,
    tasks: [Rig.tasksUrl]
  }
  const input = { process: ProcessId.make("w0-1"), name: "w0", parent: process.pid, config }
  const notices = yield* Queue.unbounded<unknown>()
  const lines: Array<string> = []
  const printed = yield* Queue.unbounded<string>()
  const spawner = yield* ProcessSpawner
  const child = yield* spawner.spawn({ entry, nodeArgs: [], image: [], env: {}, input: JSON.stringify(input) }, (source, line) => {
    if (source === "notices") Queue.offerUnsafe(notices, JSON.parse(line))
    else if (source === "stdout") Queue.offerUnsafe(printed, line)
    else lines.push(line)
  })
  const worker = yield* scheduler.join
  return { ...worker, folder, child, notice: Queue.take(notices), printed: Queue.take(printed), lines }
})

const bulk = BulkClient.make({
  connect: (address) => Effect.provide(Connect.connectTo(address), Network.layer),
  greeting: { role: "client", name: "test" }
}).pipe(Effect.provide(NodeHashing.layer))

/** Real processes start in real time, and slowly where every core is busy with tests. */
const processesStart = 60_000

describe("a worker's process", () => {
  it.live("registers, says that it is ready, computes in fibers and threads, serves results, and ends in good order on SIGTERM", () =>
    Effect.gen(function*() {
      const worker = yield* start
      assert.deepInclude(worker.registration, { name: "w0", process: ProcessId.make("w0-1"), pid: worker.child.pid })
      assert.deepStrictEqual(yield* worker.notice, { ready: worker.registration.dataAddress })
      yield* worker.tell(
        codes({ 1: Rig.code((n: number) => n + 1), 2: Rig.code(() => new Uint8Array(1 << 20).fill(3)) }),
        compute({ id: 1, run: 1, args: [1] })
      )
      const first = yield* worker.report
      assert.strictEqual(first._tag === "Finished" && Rig.decoded(first.value), 2)
      yield* worker.tell(compute({ id: 2, run: 2, args: [2], isolation: "thread" }, { id: 3, run: 3, code: 2, isolation: "thread", alone: true }))
      const second = yield* worker.report
      assert.strictEqual(second._tag === "Finished" && Rig.decoded(second.value), 3, JSON.stringify(second))
      assert.deepInclude(yield* worker.report, { _tag: "Finished", id: id(3) })
      assert.deepStrictEqual([yield* worker.notice, yield* worker.notice], [{ started: 3 }, { ended: 3 }])
      const [answer] = yield* (yield* bulk).fetch(worker.registration.dataAddress, [{ id: 3, run: 3 }])
      assert.isTrue(answer?._tag === "Found" && (Rig.decoded(answer.bytes) as Uint8Array)[1_000_000] === 3)

      yield* worker.child.signal("SIGTERM")
      assert.strictEqual((yield* Effect.flip(worker.session.ended)).kind, "closed")
      assert.deepStrictEqual(yield* worker.child.exit, { code: 0, signal: null }, worker.lines.join("\n"))
      assert.isFalse(existsSync(join(worker.folder, "w.sock")))
    }).pipe(Effect.provide([NodeProcesses.layer, NodeHashing.layer])), processesStart)

  it.live("gathers a large result from another worker's process", () =>
    Effect.gen(function*() {
      const worker = yield* start
      const reads = yield* Queue.unbounded<number>()
      yield* BulkServer.serve(yield* Unix.listen(join(worker.folder, "peer.sock")), {
        authorize: () => Effect.void,
        read: ([wanted]) => Effect.as(Queue.offer(reads, wanted!.id), [Bulk.found(Result.getOrThrow(Value.encode(new Uint8Array(5 << 20).fill(9))))])
      }).pipe(Effect.forkScoped)
      yield* worker.tell(
        codes({ 1: Rig.code((bytes: Uint8Array) => bytes.reduce((sum, byte) => sum + byte, 0)) }),
        peers({ worker: 9, address: `unix:${join(worker.folder, "peer.sock")}` }),
        compute({ id: 2, run: 2, args: [new Hole(0)], dependencies: [{ id: 1, run: 1, at: [9] }] })
      )
      assert.deepInclude(yield* worker.report, { _tag: "ReplicasAdded", id: id(1) })
      const report = yield* worker.report
      assert.strictEqual(report._tag === "Finished" && Rig.decoded(report.value), 9 * (5 << 20))
      assert.strictEqual(yield* Queue.take(reads), 1)
    }).pipe(Effect.provide([NodeProcesses.layer, NodeHashing.layer])), processesStart)

  it.live("asks its nanny for its end when a body will not stop", () =>
    Effect.gen(function*() {
      const worker = yield* start
      assert.property(yield* worker.notice, "ready")
      yield* worker.tell(
        codes({ 1: Rig.code(() => new Promise(() => process.stdout.write("begun\n"))) }),
        compute({ id: 1, run: 1 })
      )
      assert.strictEqual(yield* worker.printed, "begun")
      yield* worker.tell(cancel(1, 1))
      assert.match(JSON.stringify(yield* worker.notice), /endMe/)
    }).pipe(Effect.provide([NodeProcesses.layer, NodeHashing.layer])), processesStart)

  it.live("outlives a promise that a body left behind, and says so", () =>
    Effect.gen(function*() {
      const worker = yield* start
      yield* worker.tell(
        codes({
          1: Rig.code(() => { void Promise.reject(new Error("left behind")); return 1 }),
          2: Rig.code((n: number) => new Promise((resolve) => setTimeout(() => resolve(n + 1), 20)))
        }),
        compute({ id: 1, run: 1 }, { id: 2, run: 2, code: 2, args: [1] })
      )
      assert.deepInclude(yield* worker.report, { _tag: "Finished", id: id(1) })
      assert.deepInclude(yield* worker.report, { _tag: "Finished", id: id(2) })
      yield* worker.child.signal("SIGTERM")
      assert.deepStrictEqual(yield* worker.child.exit, { code: 0, signal: null })
      assert.match(worker.lines.join("\n"), /left behind/)
    }).pipe(Effect.provide([NodeProcesses.layer, NodeHashing.layer])), processesStart)

  it.live("ends a plain function that spins, with its thread, and computes on", () =>
    Effect.gen(function*() {
      const worker = yield* start
      yield* worker.tell(
        codes({ 1: Rig.code(() => { process.getBuiltinModule("node:fs").writeSync(1, "begun\n"); while (true) { /* for ever */ } }), 2: Rig.code((n: number) => n + 1) }),
        compute({ id: 1, run: 1, isolation: "thread" })
      )
      assert.strictEqual(yield* worker.printed, "begun")
      yield* worker.tell(cancel(1, 1), compute({ id: 2, run: 2, code: 2, args: [1], isolation: "thread" }))
      assert.deepInclude(yield* worker.report, { _tag: "Stopped", id: id(1) })
      assert.deepInclude(yield* worker.report, { _tag: "Finished", id: id(2) })
    }).pipe(Effect.provide([NodeProcesses.layer, NodeHashing.layer])), processesStart)

  it.live("ends with exit code 1, and says why, when nobody is there to work for", () =>
    Effect.gen(function*() {
      const spawner = yield* ProcessSpawner
      const lines: Array<string> = []
      const config = {
        nanny: null, scheduler: "unix:/nowhere/s.sock", token: null, listen: "tcp://127.0.0.1:0", host: "here", nthreads: 1, nfibers: 1, localDirectory: "/tmp",
        connectMs: 200
      }
      const input = JSON.stringify({ process: "w0-1", name: "w0", parent: process.pid, config })
      const child = yield* spawner.spawn({ entry, nodeArgs: [], image: [], env: {}, input }, (_, line) => void lines.push(line))
      assert.deepStrictEqual(yield* child.exit, { code: 1, signal: null })
      assert.match(lines.join("\n"), /Could not connect/)
    }).pipe(Effect.provide(NodeProcesses.layer)), processesStart)

  it.live("ends with exit code 0 when the scheduler sends it away, though a body left a timer running", () =>
    Effect.gen(function*() {
      const worker = yield* start
      yield* worker.tell(codes({ 1: Rig.code(() => { setInterval(() => {}, 1_000); return 1 }) }), compute({ id: 1, run: 1 }))
      yield* worker.report
      yield* worker.rpc.Close({ reason: "scaled down" })
      assert.deepStrictEqual(yield* worker.child.exit, { code: 0, signal: null }, worker.lines.join("\n"))
    }).pipe(Effect.provide([NodeProcesses.layer, NodeHashing.layer])), processesStart)
})
