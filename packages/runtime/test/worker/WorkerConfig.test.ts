import { assert, describe, it } from "@effect/vitest"
import { ProcessId } from "@skein/protocol/Ids"
import * as NodeModules from "@skein/runtime/worker/node/NodeModules"
import { Modules } from "@skein/runtime/worker/Modules"
import * as WorkerConfig from "@skein/runtime/worker/WorkerConfig"
import * as Effect from "effect/Effect"

const config = {
  nanny: null,
  scheduler: "unix:/s.sock",
  token: null,
  listen: "tcp://127.0.0.1:0",
  host: "here",
  nthreads: 1,
  nfibers: 16,
  localDirectory: "/tmp"
}
const decode = (config: unknown) => WorkerConfig.decode({ process: ProcessId.make("w0-1"), name: "w0", config })

describe("WorkerConfig", () => {
  it.effect("fills in defaults, and takes name and process from the nanny", () =>
    Effect.gen(function*() {
      const decoded = yield* decode({ ...config, name: "somebody else" })
      assert.deepInclude(decoded, { name: "w0", process: ProcessId.make("w0-1"), code: "any", connectMs: 30_000, resumeMs: 5_000, loadEveryMs: 1_000 })
      assert.deepStrictEqual(decoded.tasks, [])
      assert.deepStrictEqual(decoded.resources, {})
    }))

  it.effect("refuses what is missing or makes no sense, by name", () =>
    Effect.gen(function*() {
      for (const [wrong, name] of [[{ ...config, nthreads: 0 }, "nthreads"], [{ ...config, scheduler: undefined }, "scheduler"], [{ ...config, code: "some" }, "code"], [{ ...config, resources: { GPU: -1 } }, "GPU"], [null, "nanny"]] as const) {
        assert.match(String(yield* Effect.flip(decode(wrong))), new RegExp(name))
      }
    }))
})

describe("NodeModules", () => {
  it.effect("names a module by its package and the path inside it", () =>
    Effect.gen(function*() {
      const modules = yield* Modules
      const url = new URL("./fixtures/tasks.ts", import.meta.url).href
      assert.strictEqual(modules.idOf(url), "@skein/runtime/test/worker/fixtures/tasks.ts")
      assert.property(yield* modules.load(url), "triple")
      assert.match((yield* Effect.flip(modules.load(new URL("./nowhere.ts", import.meta.url).href))).message, /nowhere\.ts could not be imported/)
    }).pipe(Effect.provide(NodeModules.layer)))
})
