/** What the scheduler passes on of tasks' progress, to whom, and for how long it remembers. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Run, WorkerReport } from "@skein/protocol/WorkerRpcs"
import * as Rig from "./utils/Rig.ts"
import { code, declared, ref, task } from "./utils/make.ts"

const inc = [declared(code("inc"))]
const word = ({ id, run }: Run, done: number): WorkerReport => ({ _tag: "Progress", rows: [{ id, run, done, total: null, note: "" }] })
const finished = ({ id, run }: Run): WorkerReport => ({ _tag: "Finished", rows: [{ id, run, nbytes: 8, ms: 1, value: new Uint8Array(0) }] })

describe("progress", () => {
  it.effect("reaches who watches, the latest at once, as long as the run is the task's own", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.start()
      const worker = yield* Rig.registered(rig, "a")
      const client = yield* Rig.client(rig)
      yield* client.rpc.Submit({ graph: { codes: inc, tasks: [task(1, "k")], last: true } })
      const { rows: [row] } = yield* worker.next("Compute")
      const say = (done: number, of: Run = row!) => worker.rpc.Report({ segments: [word(of, done)] })
      yield* say(1)
      yield* say(2)
      yield* client.rpc.Watch({ ref: ref(1), on: true })
      assert.deepStrictEqual((yield* client.next("Progress")).rows, [{ ref: ref(1), done: 2, total: null, note: "" }])
      // Of another run, and of another worker's.
      yield* say(3, { ...row!, run: (row!.run + 1) as Run["run"] })
      yield* say(4)
      assert.deepStrictEqual((yield* client.next("Progress")).rows.map(({ done }) => done), [4])
      yield* worker.rpc.Report({ segments: [word(row!, 5), finished(row!)] })
      assert.deepStrictEqual((yield* client.next("Progress")).rows.map(({ done }) => done), [5])
      yield* client.next("InMemory")
      assert.strictEqual(rig.tree.desk.progress.size(), 2)
      yield* client.rpc.Release({ refs: [ref(1)] })
      yield* client.rpc.Counts()
      assert.strictEqual(rig.tree.desk.progress.size(), 0)
    }).pipe(Effect.provide(Rig.layer)))

  it.effect("reaches nobody who does not watch any more, or has gone", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.start()
      const worker = yield* Rig.registered(rig, "a")
      const [ann, bob] = [yield* Rig.client(rig), yield* Rig.client(rig)]
      for (const client of [ann, bob]) {
        yield* client.rpc.Submit({ graph: { codes: inc, tasks: [task(1, "k")], last: true } })
        yield* client.rpc.Watch({ ref: ref(1), on: true })
      }
      const { rows: [row] } = yield* worker.next("Compute")
      yield* ann.rpc.Watch({ ref: ref(1), on: false })
      yield* worker.rpc.Report({ segments: [word(row!, 1)] })
      assert.deepStrictEqual((yield* bob.next("Progress")).rows.map(({ done }) => done), [1])
      yield* bob.session.close
      yield* worker.rpc.Report({ segments: [finished(row!)] })
      // The first that ann hears of is the end.
      yield* ann.next("InMemory")
      yield* Effect.repeat(Effect.andThen(Effect.yieldNow, Effect.sync(rig.tree.desk.progress.size)), { until: (size) => size === 1 })
    }).pipe(Effect.provide(Rig.layer)))
})
