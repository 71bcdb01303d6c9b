/**
 * What a cluster has logged, for a client that did not start it.
 */
import { assert, describe, it } from "@effect/vitest"
import { ProcessId } from "@skein/protocol/Ids"
import { fitting } from "@skein/runtime/scheduler/Logs"
import { Effect } from "effect"
import * as Rig from "./utils/Rig.ts"

describe("the logs of a cluster", () => {
  it.effect("are the scheduler's own lines, and those that nannies keep", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.start()
      const client = yield* Rig.client(rig)
      const nannies = yield* Effect.all([Rig.nanny(rig, "n0"), Rig.nanny(rig, "n1")])
      for (const [index, { rpc }] of nannies.entries()) yield* rpc.Watching({ process: ProcessId.make(`p/${index}`) })
      // A client that says nonsense is worth a line.
      const evil = yield* Rig.client(rig, "evil")
      yield* evil.rpc.Release({ refs: [99 as never] })
      yield* Rig.endOf(evil.session)
      const [scheduler, ...workers] = yield* client.rpc.Logs()
      assert.strictEqual(scheduler?.name, "scheduler")
      assert.match(scheduler!.lines.join("\n"), /level=WARN .*the session of client \\"evil\\" is over/)
      assert.deepStrictEqual(workers, [{ name: "a worker of n0", lines: ["one", "two"] }, { name: "a worker of n1", lines: ["one", "two"] }])
    }).pipe(Effect.provide(Rig.layer)))

  it("keep to a size, of which each part has the same share: the latest lines that fit", () => {
    const logs = [{ name: "a", lines: ["aaaa", "bb", "cc"] }, { name: "b", lines: ["d"] }, { name: "c", lines: [] }]
    assert.deepStrictEqual(fitting(logs, 1_000), logs)
    assert.deepStrictEqual(fitting(logs, 3 * 6), [{ name: "a", lines: ["bb", "cc"] }, { name: "b", lines: ["d"] }, { name: "c", lines: [] }])
    assert.deepStrictEqual(fitting(logs, 0).map(({ lines }) => lines), [[], [], []])
    assert.deepStrictEqual(fitting([], 10), [])
  })
})
