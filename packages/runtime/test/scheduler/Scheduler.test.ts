import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Rig from "./utils/Rig.ts"
import { code, declared, key, ref, task } from "./utils/make.ts"

const bytes = (...all: ReadonlyArray<number>) => new Uint8Array(all)

describe("Scheduler", () => {
  it.effect("takes a submission to a worker and its small result to the client", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.start()
      const worker = yield* Rig.registered(rig)
      const client = yield* Rig.client(rig)
      yield* client.rpc.Submit({ graph: { codes: [declared(code("inc"))], tasks: [task(5, "a", [], { args: bytes(1, 2) })], last: true } })
      const { codes } = yield* worker.next("Codes")
      const { rows: [asked] } = yield* worker.next("Compute")
      assert.deepStrictEqual(codes, [{ code: asked!.code, def: code("inc") }])
      assert.strictEqual(asked!.key, "a")
      assert.deepStrictEqual(asked!.args, bytes(1, 2))
      const { id, run } = asked!
      yield* worker.rpc.Report({ segments: [{ _tag: "Finished", rows: [{ id, run, nbytes: 3, ms: 1, value: bytes(7, 8, 9) }] }] })
      const { peers } = yield* client.next("Peers")
      const { rows } = yield* client.next("InMemory")
      assert.deepStrictEqual(peers, [{ worker: worker.worker, address: "inproc://worker" }])
      assert.deepStrictEqual(rows, [{ ref: ref(5), id, run, nbytes: 3, worker: worker.worker, value: bytes(7, 8, 9) }])
      assert.strictEqual(key("a"), asked!.key)
    }).pipe(Effect.provide(Rig.layer)))
})
