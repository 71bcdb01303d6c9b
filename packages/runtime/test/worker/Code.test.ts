import { assert, describe, it } from "@effect/vitest"
import type { CodeDef } from "@skein/protocol/Code"
import { digestOf, moduleIdOf } from "@skein/protocol/Code"
import { fnEntry } from "@skein/protocol/Task"
import * as Result from "effect/Result"
import * as Value from "@skein/protocol/Value"
import * as NodeHashing from "@skein/transport/node/Hashing"
import * as Body from "@skein/runtime/worker/Body"
import * as Code from "@skein/runtime/worker/Code"
import { inThread as asInThread } from "@skein/runtime/worker/ThreadCode"
import * as NodeModules from "@skein/runtime/worker/node/NodeModules"
import * as ThreadCode from "@skein/runtime/worker/ThreadCode"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import * as otherTasks from "./fixtures/otherTasks.ts"
import * as tasks from "./fixtures/tasks.ts"

const Live = Layer.mergeAll(NodeHashing.layer, NodeModules.layer)
const tasksUrl = new URL("./fixtures/tasks.ts", import.meta.url).href
const pendingUrl = new URL("./fixtures/pending.ts", import.meta.url).href

/** What a client would say of a task. */
const defOf = (task: unknown, more: Partial<CodeDef> = {}): CodeDef => {
  const entry = fnEntry(task)!
  return { ...define({ name: entry.name, module: entry.module, text: entry.text }), ...more }
}
const define = (
  { module: url, name = "anonymous", text }: { readonly name?: string; readonly module: string | null; readonly text: string }
): CodeDef => {
  const module = url === null ? null : { id: moduleIdOf(url, NodeModules.packageAt), url }
  const digest = digestOf({ name, module: module?.id ?? null, text, version: 1 }, NodeHashing.node.sha256)
  return { digest, name, kind: "function", text, module, moduleFirst: false, body: "unknown", isolation: "fiber", version: 1 }
}
const contract = (version: number): CodeDef => ({
  digest: `contract-${version}`,
  name: "Fetch",
  kind: "contract",
  text: null,
  module: null,
  moduleFirst: false,
  body: "effect",
  isolation: "fiber",
  version
})

const make = (options: Partial<Code.Options> = {}) => Code.make({ worker: "w0", tasks: [], allow: "any", ...options })
/** Runs a body as the executor does, and gives its value as it travels, or what it raised. */
const run = Effect.fnUntraced(function*(code: Code.Code, def: CodeDef, ...args: ReadonlyArray<unknown>) {
  const begun = Body.begin(yield* code.body(def), Result.getOrThrow(Value.encodeList(args)), [], code.settled, yield* Clock.Clock, asInThread({ key: def.name, attempt: 1, worker: "w0" }))
  const ending = Effect.isEffect(begun) ? yield* begun : begun
  if (ending._tag === "Failed") return ending.raised
  return Result.getOrThrow(Value.decode(ending.value, { named: (name, encoded) => new Value.Named(name, encoded) }))
})

describe("Code", () => {
  it.effect("finds a task by digest among those that its modules have made, though it sends no text", () =>
    Effect.gen(function*() {
      const code = yield* make({ tasks: [tasksUrl] })
      assert.strictEqual(yield* run(code, defOf(tasks.triple, { text: null }), 4), 12)
    }).pipe(Effect.provide(Live)))

  it.effect("tells Effect bodies apart that have the same text", () =>
    Effect.gen(function*() {
      assert.strictEqual(fnEntry(tasks.plusOne)!.text, fnEntry(tasks.plusTwo)!.text)
      const code = yield* make({ tasks: [tasksUrl] })
      assert.strictEqual(yield* run(code, defOf(tasks.plusOne, { text: null }), 1), 2)
      assert.strictEqual(yield* run(code, defOf(tasks.plusTwo, { text: null }), 1), 3)
    }).pipe(Effect.provide(Live)))

  it.effect("runs its own copy of a task whose text the client's compiler has changed, and of no other module's task of that name", () =>
    Effect.gen(function*() {
      const code = yield* make({ tasks: [tasksUrl], allow: "modules-only" })
      const elsewhere = { ...defOf(tasks.triple, { text: null }), digest: "compiled otherwise" }
      assert.strictEqual(yield* run(code, elsewhere, 4), 12)
      assert.strictEqual((yield* code.forThread({ ...elsewhere, digest: "once more" })).text, fnEntry(tasks.triple)!.text)
      const other = { ...elsewhere, digest: "of another module", module: { id: "other/tasks.ts", url: "file:///other/tasks.ts" } }
      assert.strictEqual((yield* Effect.flip(code.body(other)))._tag, "CodeUnknown")
    }).pipe(Effect.provide(Live)))

  it.effect("tells tasks apart that have the same name and text in two modules", () =>
    Effect.gen(function*() {
      const code = yield* make({ tasks: [tasksUrl, new URL("./fixtures/otherTasks.ts", import.meta.url).href] })
      assert.strictEqual(yield* run(code, defOf(otherTasks.plusOne, { text: null }), 1), 2.5)
      assert.strictEqual(yield* run(code, defOf(tasks.plusOne, { text: null }), 1), 2)
    }).pipe(Effect.provide(Live)))

  it.effect("runs a function from its own text, in each of the forms that functions are written in", () =>
    Effect.gen(function*() {
      const code = yield* make()
      for (const text of ["(n) => n + 1", "n => n + 1 // to the end of the line", "function (n) { return n + 1 }", "function named(n) { return n + 1 }",
        "async (n) => n + 1", "method(n) { return n + 1 }", "async method(n) { return n + 1 }"]) {
        assert.strictEqual(yield* run(code, define({ module: null, text }), 1), 2, text)
      }
    }).pipe(Effect.provide(Live)))

  it.effect("does not run a text under another's digest", () =>
    Effect.gen(function*() {
      const code = yield* make()
      const def = { ...define({ module: null, text: "(n) => n + 1" }), text: "(n) => n + 2" }
      const error = yield* Effect.flip(code.body(def))
      assert.match(error.message, /SKEIN1002 no code for task "anonymous" on worker w0[^]*digest/)
      assert.match((yield* Effect.flip(code.forThread(def))).message, /digest/)
    }).pipe(Effect.provide(Live)))

  it.effect("says what it does not know, and what was tried", () =>
    Effect.gen(function*() {
      const code = yield* make()
      const error = yield* Effect.flip(code.body({ ...define({ name: "nobody's", module: null, text: "x" }), text: null }))
      assert.match(error.message, /SKEIN1002[^]*"nobody's"[^]*does not say everything[^]*fix/)
      assert.match((yield* Effect.flip(code.body(define({ module: null, text: "no function at all" })))).message, /no function/)
    }).pipe(Effect.provide(Live)))

  it.effect("takes no text where modules only are allowed", () =>
    Effect.gen(function*() {
      const code = yield* make({ allow: "modules-only", tasks: [tasksUrl] })
      assert.match((yield* Effect.flip(code.body(define({ module: null, text: "(n) => n + 1" })))).message, /modules-only/)
      assert.strictEqual(yield* run(code, defOf(tasks.triple), 4), 12)
    }).pipe(Effect.provide(Live)))

  it.effect("does not wait for the end of an import that never ends", () =>
    Effect.gen(function*() {
      const code = yield* make({ tasks: [pendingUrl] })
      // As the transpiler of these tests writes it.
      const def = define({ name: "early", module: pendingUrl, text: "(n) => n - 1" })
      assert.strictEqual(yield* run(code, { ...def, text: null }, 1), 0)
    }).pipe(Effect.provide(Live)))

  it.effect("waits no longer than its limit for code that does not come", () =>
    Effect.gen(function*() {
      const code = yield* make({ tasks: [pendingUrl], waitMs: 500 })
      const asking = yield* Effect.forkChild(Effect.flip(code.body(contract(7))), { startImmediately: true })
      yield* TestClock.adjust(499)
      assert.isUndefined(asking.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* Fiber.join(asking))._tag, "CodeUnknown")
    }).pipe(Effect.provide(Live)))

  it.effect("lets values travel under the name of their task's codec", () =>
    Effect.gen(function*() {
      const code = yield* make({ tasks: [tasksUrl] })
      const value = yield* run(code, defOf(tasks.point), 1, 2)
      assert.deepStrictEqual(value, new Value.Named("point/success", { x: 1, y: 2 }))
    }).pipe(Effect.provide(Live)))

  it.effect("finds contracts by name and version among exported layers, each built once and released with the worker", () =>
    Effect.gen(function*() {
      const before = { ...tasks.built }
      const scope = yield* Scope.make()
      const code = yield* make({ tasks: [tasksUrl] }).pipe(Scope.provide(scope))
      const fetched = yield* Effect.all([run(code, contract(2), "encoded", { url: "abc" }), run(code, contract(2), "raw", { url: "abcd" })])
      assert.deepStrictEqual(fetched, [new Value.Named("Fetch@2/success", { x: 3, y: 0 }), new Value.Named("Fetch@2/success", { x: 4, y: 0 })])
      assert.deepStrictEqual(yield* run(code, contract(2), "encoded", { url: "" }), {
        _tag: "Error",
        error: new Value.Named("Fetch@2/error", { _tag: "NotFound", url: "" })
      })
      assert.match((yield* Effect.flip(code.body(contract(3)))).message, /knows version 2 of the contract, not version 3/)
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(tasks.built, { times: before.times + 1, released: before.released + 1 })
    }).pipe(Effect.provide(Live)))

  it.effect("refuses a payload that is not what the contract takes", () =>
    Effect.gen(function*() {
      const code = yield* make({ tasks: [tasksUrl] })
      const raised = yield* run(code, contract(2), "encoded", { url: 7 })
      assert.match(String((raised as { readonly defect: unknown }).defect), /url/)
    }).pipe(Effect.provide(Live)))

  it.effect("sends a thread the text where that says everything, and else the module", () =>
    Effect.gen(function*() {
      const code = yield* make({ tasks: [tasksUrl] })
      const text = yield* code.forThread(define({ module: null, text: "(n) => n + 1" }))
      assert.isFalse(text.moduleFirst)
      assert.deepStrictEqual(yield* inThread(text, 1), 2)
      const module = yield* code.forThread(defOf(tasks.triple, { text: null }))
      assert.isTrue(module.moduleFirst)
      assert.deepStrictEqual(yield* inThread(module, 4), 12)
      // Its text would say everything but how its value travels.
      assert.isTrue((yield* code.forThread(defOf(tasks.point))).moduleFirst)
      assert.match((yield* Effect.flip(code.forThread(contract(2)))).message, /isolation/)
    }).pipe(Effect.provide(Live)))
})

/** As a thread would run it. */
const inThread = (def: CodeDef, ...args: ReadonlyArray<unknown>) =>
  Effect.promise(async () => {
    const body = await ThreadCode.prepare(def)
    const job = { run: 1, key: "k", attempt: 1, worker: "w0", args: Result.getOrThrow(Value.encodeList(args)), inputs: [] }
    const outcome = await body(job)
    return outcome._tag === "Succeeded" ? Result.getOrThrow(Value.decode(outcome.value)) : outcome
  })
