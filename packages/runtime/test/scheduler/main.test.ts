import { assert, describe, it } from "@effect/vitest"
import { Effect, Queue } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { ExitReport } from "@skein/protocol/NannyRpcs"
import * as Nanny from "@skein/runtime/nanny/Nanny"
import * as NodeProcesses from "@skein/runtime/node/NodeProcesses"
import { supervise } from "@skein/runtime/supervision/Supervisor"
import * as Unix from "@skein/transport/node/Unix"
import * as Rig from "./utils/Rig.ts"
import { code, declared, ref, task } from "./utils/make.ts"

const entry = new URL("../../src/scheduler/main.ts", import.meta.url).href

/** A directory that is gone with the test. */
const directory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "skein-scheduler-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** A scheduler's process under a nanny, which runs until the scope closes. */
const process = Effect.fnUntraced(function*(config: Record<string, string | number>) {
  const exits = yield* Queue.unbounded<ExitReport>()
  const nanny = yield* Nanny.make({
    name: "scheduler",
    entry,
    config,
    policy: { restart: "temporary", intensity: 0 },
    onExit: (report) => Effect.asVoid(Queue.offer(exits, report))
  })
  yield* Effect.forkScoped(supervise({ name: "test", strategy: "one-for-one", children: [nanny.child] }))
  return { nanny, exits }
})

describe("the scheduler's process", () => {
  it.live("serves a client and a worker over a unix socket, and ends in good order", () =>
    Effect.gen(function*() {
      const path = join(yield* directory, "scheduler.sock")
      const { exits, nanny } = yield* process({ protocol: "unix", path, token: "secret" })
      assert.strictEqual(yield* nanny.ready, `unix:${path}`)

      const connect = { token: "secret", connect: Effect.orDie(Unix.connect(path)) }
      const worker = yield* Rig.registered(connect)
      const client = yield* Rig.client(connect)
      yield* client.rpc.Submit({ graph: { codes: [declared(code("inc"))], tasks: [task(1, "a")], last: true } })
      const { rows: [asked] } = yield* worker.next("Compute")
      const { id, run } = asked!
      yield* worker.rpc.Report({ segments: [{ _tag: "Finished", rows: [{ id, run, nbytes: 1, ms: 1, value: new Uint8Array([5]) }] }] })
      const { rows: [news] } = yield* client.next("InMemory")
      assert.strictEqual(news!.ref, ref(1))
      assert.deepStrictEqual(news!.value, new Uint8Array([5]))

      yield* nanny.stop
      const why = yield* Rig.endOf(client.session)
      assert.strictEqual(why.kind, "closed")
      const report = yield* Queue.take(exits)
      assert.strictEqual(report.ended, "closed")
      assert.include(report.detail, "0")
    }).pipe(Effect.provide([Rig.layer, NodeProcesses.layer])))

  it.live("refuses to start where others could reach it without a token, and says so", () =>
    Effect.gen(function*() {
      const { exits } = yield* process({ protocol: "tcp", host: "0.0.0.0", port: 0 })
      const report = yield* Queue.take(exits)
      assert.strictEqual(report.ended, "exit")
      assert.include(report.detail, "1")
      assert.include(report.logTail.join("\n"), `"token" is missing`)
    }).pipe(Effect.provide([Rig.layer, NodeProcesses.layer])))
})
