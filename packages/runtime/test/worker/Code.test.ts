import { assert, describe, it } from "@effect/vitest"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import type { CodeDef } from "@skein/protocol/Code"
import { digestOf, moduleIdOf } from "@skein/protocol/Code"
import * as ForTasks from "@skein/protocol/ForTasks"
import * as TaskImport from "@skein/protocol/TaskImport"
import { fnEntry } from "@skein/protocol/Task"
import * as Result from "effect/Result"
import * as Value from "@skein/protocol/Value"
import * as NodeHashing from "@skein/transport/node/Hashing"
import * as Body from "@skein/runtime/worker/Body"
import * as Code from "@skein/runtime/worker/Code"
import { because } from "@skein/runtime/worker/CodeUnknown"
import { ModuleFailed, Modules } from "@skein/runtime/worker/Modules"
import { inThread as asInThread } from "@skein/runtime/worker/ThreadCode"
import * as NodeModules from "@skein/runtime/worker/node/NodeModules"
import * as ThreadCode from "@skein/runtime/worker/ThreadCode"
import { decodeFailure } from "@skein/protocol/Raised"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
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
  { captures, module: url, name = "anonymous", text }: { readonly name?: string; readonly module: string | null; readonly text: string; readonly captures?: Uint8Array }
): CodeDef => {
  const module = url === null ? null : { id: moduleIdOf(url, NodeModules.packageAt), url }
  const digest = digestOf({ name, module: module?.id ?? null, text, version: 1, captures }, NodeHashing.node.sha256)
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
  const begun = Body.begin(yield* code.body(def), Result.getOrThrow(Value.encodeList(args)), [], code.settled, yield* Clock.Clock, asInThread({ run: 1, key: def.name, attempt: 1, worker: "w0", tell: () => {} }))
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
      assert.strictEqual(error.message, `SKEIN1002 w0 does not know task "anonymous"
  The text that came with it is of no use: it is not what its digest says
  fix    submit it with the same version of skein as the cluster's`)
      assert.match((yield* Effect.flip(code.forThread(def))).message, /digest/)
    }).pipe(Effect.provide(Live)))

  it.effect("says what it does not know, and what was tried", () =>
    Effect.gen(function*() {
      const code = yield* make()
      const error = yield* Effect.flip(code.body({ ...define({ name: "nobody's", module: null, text: "x" }), text: null }))
      assert.strictEqual(error.message, `SKEIN1002 w0 does not know task "nobody's"
  Its text does not say everything, and nobody knows the module in which it was made.
  fix    name it:  Task.fn("nobody's", …, { module: import.meta.url })`)
      assert.match((yield* Effect.flip(code.body(define({ module: null, text: "no function at all" })))).message, /no function/)
    }).pipe(Effect.provide(Live)))

  it.effect("takes no text where modules only are allowed", () =>
    Effect.gen(function*() {
      const code = yield* make({ allow: "modules-only", tasks: [tasksUrl] })
      assert.strictEqual((yield* Effect.flip(code.body(define({ module: null, text: "(n) => n + 1" })))).message, `SKEIN1002 w0 does not know task "anonymous"
  It takes tasks from its own modules only (\`--code modules-only\`), and none of them makes this one.
  fix    start the worker with the module that does:  skein worker ADDRESS --code modules-only --tasks FILE`)
      // Nor any module that a client names.
      const elsewhere = { ...defOf(otherTasks.plusOne, { text: null }), name: "never imported" }
      assert.match((yield* Effect.flip(code.body(elsewhere))).message, /own modules only/)
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
      const late = yield* Effect.forkChild(Effect.flip(code.body({ ...define({ name: "late", module: pendingUrl, text: "" }), text: null })), { startImmediately: true })
      yield* TestClock.adjust(500)
      assert.strictEqual((yield* Fiber.join(late)).message, `SKEIN1002 w0 does not know task "late"
  It is still importing pending.ts, which has not made the task so far.
  fix    define "late" before whatever takes so long there`)
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
      assert.strictEqual((yield* Effect.flip(code.body(contract(3)))).message, `SKEIN1002 w0 does not know task "Fetch" (version 3)
  It knows Fetch version 2.
  fix    start workers with the module that exports its layer: \`tasks\` of the cluster, or  skein worker ADDRESS --tasks FILE`)
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(tasks.built, { times: before.times + 1, released: before.released + 1 })
    }).pipe(Effect.provide(Live)))

  it.effect("builds no exported layer that starts a cluster, and warns of none", () =>
    Effect.gen(function*() {
      const logged: Array<string> = []
      const logger = Logger.make<unknown, void>(({ logLevel, message }) => void logged.push(`${logLevel} ${String(message)}`))
      yield* Effect.gen(function*() {
        const code = yield* make({ tasks: [new URL("./fixtures/otherTasks.ts", import.meta.url).href] })
        yield* code.settled
        assert.strictEqual(yield* run(code, defOf(otherTasks.plusOne, { text: null }), 1), 2.5)
      }).pipe(Effect.provide(Logger.layer([logger])), Effect.provideService(References.MinimumLogLevel, "Debug"))
      assert.deepStrictEqual(logged.filter((line) => !/^Debug .*the layer "ClusterLive" of .* starts a cluster or a client of one, and is not built here/.test(line)), [])
      assert.strictEqual(logged.length, 1)
    }).pipe(Effect.provide(Live)))

  it.effect("refuses a payload that is not what the contract takes", () =>
    Effect.gen(function*() {
      const code = yield* make({ tasks: [tasksUrl] })
      const raised = yield* run(code, contract(2), "encoded", { url: 7 })
      assert.match(String((raised as { readonly defect: unknown }).defect), /url/)
    }).pipe(Effect.provide(Live)))

  it.effect("imports the module that a task was made in, where nobody has told it of that", () =>
    Effect.gen(function*() {
      const code = yield* make()
      const url = new URL("./fixtures/ontime.ts", import.meta.url).href
      // As the transpiler of these tests writes it.
      const def = { ...define({ name: "onTime", module: url, text: "(n) => n + offset" }), text: null }
      assert.strictEqual(yield* run(code, def, 1), 101)
      assert.deepStrictEqual(yield* inThread(yield* code.forThread(def), 1), 101)
      // It was not named as one of tasks, so its layers are nobody's but the program's.
      yield* code.settled
      assert.deepStrictEqual((yield* Effect.promise(() => import("./fixtures/ontime.ts"))).built, [])
    }).pipe(Effect.provide(Live)))

  it.effect("finds the module of a client with another checkout in its own, by the package's name", () =>
    Effect.gen(function*() {
      const folder = yield* Effect.acquireRelease(Effect.sync(() => mkdtempSync(join(tmpdir(), "p6-"))), (folder) => Effect.sync(() => rmSync(folder, { recursive: true })))
      const checkout = (at: string, packageName: string) => {
        mkdirSync(join(folder, at, "src"), { recursive: true })
        writeFileSync(join(folder, at, "package.json"), JSON.stringify({ name: packageName, type: "module" }))
        const file = pathToFileURL(join(folder, at, "src/tasks.mjs")).href
        writeFileSync(new URL(file), `import { Task } from ${JSON.stringify(import.meta.resolve("@skein/protocol/Task"))}\nexport const here = Task.fn("here", (n) => import.meta.url.length * 0 + n)\n`)
        return file
      }
      const client = define({ name: "here", module: checkout("client/app", "the-app"), text: "(n) => import.meta.url.length * 0 + n" })
      const [own, installed] = [checkout("worker/app", "the-app"), checkout("other/node_modules/the-app", "the-app")]
      checkout("stranger/app", "some-app")
      // The client is on another machine: its files are not here.
      rmSync(join(folder, "client"), { recursive: true })
      const locatedIn = (project: string) =>
        Effect.map(Modules, ({ locate }) => locate(client.module!)).pipe(Effect.provide(NodeModules.layerIn(pathToFileURL(join(folder, project)))))
      assert.deepStrictEqual(yield* Effect.all(["worker/app/src/", "other/src/", "stranger/app/"].map(locatedIn)), [own, installed, undefined])
      yield* Effect.gen(function*() {
        assert.strictEqual(client.module!.id, "the-app/src/tasks.mjs")
        assert.strictEqual(yield* run(yield* make(), { ...client, text: null }, 5), 5)
      }).pipe(Effect.provide(Layer.merge(NodeHashing.layer, NodeModules.layerIn(pathToFileURL(join(folder, "worker/app/"))))))
    }))

  it.effect("takes the module that a task names before its text, and its text before the module that it was made in", () =>
    Effect.gen(function*() {
      const url = new URL("./fixtures/ontime.ts", import.meta.url).href
      const imported: Array<string> = []
      const modules = Layer.effect(Modules, Effect.map(Modules, (node) => ({ ...node, load: (url: string) => Effect.suspend(() => (imported.push(url), node.load(url))) }))).pipe(Layer.provide(NodeModules.layer))
      yield* Effect.gen(function*() {
        const code = yield* make()
        const whole = define({ name: "notThere", module: url, text: "(n) => n + 1" })
        assert.strictEqual(yield* run(code, whole, 1), 2)
        assert.deepStrictEqual(imported, [])
        assert.strictEqual(yield* run(yield* make(), { ...whole, moduleFirst: true }, 1), 2)
        assert.deepStrictEqual(imported, [url])
      }).pipe(Effect.provide(Layer.merge(NodeHashing.layer, modules)))
    }))

  it.effect("gives a text the values that it captures, and its own name", () =>
    Effect.gen(function*() {
      const code = yield* make()
      const bytes = (record: object) => Result.getOrThrow(Value.encode(record))
      const captures = bytes({ rate: 3, ids: new Map([["a", 1n]]) })
      const text = "(n) => n < 1 ? ids.size : rate + scaled(n - 1)"
      const def = { ...define({ name: "scaled", module: null, text, captures }), captures }
      assert.strictEqual(yield* run(code, def, 2), 7)
      assert.deepStrictEqual(yield* inThread(yield* code.forThread(def), 2), 7)
      const others = yield* Effect.flip(code.body({ ...def, digest: def.digest.replace(/^./, "g") }))
      assert.match(others.message, /not what its digest says/)
      // A name that no variable can have stands in no text; a global keeps its meaning.
      assert.strictEqual(yield* run(code, define({ name: "delete", module: null, text: "(o) => { delete o.a; return Object.keys(o).length }" }), { a: 1 }), 0)
      assert.strictEqual(yield* run(code, define({ name: "parseInt", module: null, text: "(s) => parseInt(s)" }), "12px"), 12)
    }).pipe(Effect.provide(Live)))

  it.effect("builds a body's services once, for as long as the worker lives, and again after they failed", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const code = yield* make({ tasks: [tasksUrl] }).pipe(Scope.provide(scope))
      const def = defOf(tasks.fromDb, { text: null })
      const log = tasks.db
      log.fails = true
      const raised = yield* run(code, def, 1) as Effect.Effect<{ readonly defect: Error }>
      assert.strictEqual(raised.defect.message, `SKEIN1015 the services of task "fromDb" could not be built on w0
  Error: no database at db:5432
  They are the layer in \`services\` of its definition, which each worker builds for itself.
  fix    see what the layer needs where the worker runs; the next attempt builds it anew`)
      log.fails = false
      assert.deepStrictEqual(yield* Effect.all([run(code, def, 1), run(code, def, 2), run(code, defOf(tasks.alsoFromDb, { text: null }), 3)], { concurrency: 3 }), [11, 12, 13])
      assert.deepStrictEqual(log.events, ["failed", "opened"])
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(log.events, ["failed", "opened", "closed"])
      assert.strictEqual((yield* Effect.flip((yield* make({ tasks: [tasksUrl] })).forThread(def))).message, `SKEIN1002 w0 does not know task "fromDb"
  Its \`services\` are built in the worker's process, where no thread finds what it gives.
  fix    leave \`isolation: "thread"\` out`)
    }).pipe(Effect.provide(Live)))

  it.effect("says of a module what became of its import", () =>
    Effect.gen(function*() {
      const code = yield* make()
      const missing = (name: string, file: string) =>
        Effect.map(Effect.flip(code.body({ ...define({ name, module: new URL(file, import.meta.url).href, text: "" }), text: null })), ({ message }) => message)
      assert.strictEqual(yield* missing("nowhere", "./fixtures/ontime.ts"), `SKEIN1002 w0 does not know task "nowhere"
  It imported ontime.ts, which does not make the task while it is imported.
  fix 1  define "nowhere" at the top level of ontime.ts, not in a function that is called later
  fix 2  the same version of ontime.ts for the client and its workers`)
      assert.strictEqual(yield* missing("broken", "./fixtures/throws.ts"), `SKEIN1002 w0 does not know task "broken"
  It could not import throws.ts: Error: no such environment
  fix    see that \`node throws.ts\` runs where the worker does`)
      assert.strictEqual(yield* missing("gone", "./fixtures/gone.ts"), `SKEIN1002 w0 does not know task "gone"
  It comes from @skein/runtime/test/worker/fixtures/gone.ts, and this worker has no such file.
  fix 1  start the worker in a checkout of the package:  cd PACKAGE && skein worker ADDRESS
  fix 2  name the file:  skein worker ADDRESS --tasks PATH/gone.ts`)
    }).pipe(Effect.provide(Live)))

  it.effect("says of a task that a module makes only after it has started a cluster that it is not reached", () =>
    Effect.gen(function*() {
      const url = new URL("./fixtures/starts.ts", import.meta.url).href
      ForTasks.begin()
      const met = yield* Deferred.make<void>()
      yield* Effect.acquireRelease(Effect.sync(() => TaskImport.onStart(() => Deferred.doneUnsafe(met, Exit.void))), (forget) => Effect.sync(forget))
      const code = yield* make()
      const early = define({ name: "beforeStart", module: url, text: "(n) => n - 1" })
      const late = yield* Effect.forkChild(Effect.flip(code.body({ ...define({ name: "late", module: url, text: "" }), text: null })), { startImmediately: true })
      assert.strictEqual(yield* run(code, { ...early, text: null }, 1), 0)
      yield* Deferred.await(met)
      yield* TestClock.adjust(200)
      assert.strictEqual((yield* Fiber.join(late)).message, `SKEIN4001 w0 imported starts.ts for task "late" and did not find it
  starts.ts:9 starts a cluster; what comes after it is not reached on workers.
  fix 1  define "late" above line 9
  fix 2  move tasks to tasks.ts and import them`)
      // Nor by a thread, which imports the module in its turn.
      const inVain = yield* inThread({ ...define({ name: "late", module: url, text: "" }), moduleFirst: true })
      const cause = decodeFailure({ _tag: "Raised", body: (inVain as { readonly failure: Uint8Array }).failure }, { key: "late-1", task: "late" })
      assert.match(String(Cause.squash(cause)), /SKEIN4001 late-1 did not run: w0 imported starts\.ts for task "late" and did not find it\n/)
      // Its exports are never reached, and so no layer among them.
      assert.strictEqual((yield* Effect.flip(code.body(contract(1)))).message, `SKEIN1002 w0 does not know task "Fetch" (version 1)
  It knows no layer of it.
  starts.ts:9 starts a cluster; a layer is found once its module has been imported to the end, so it belongs into another.
  fix    start workers with the module that exports its layer: \`tasks\` of the cluster, or  skein worker ADDRESS --tasks FILE`)
    }).pipe(Effect.provide(Live)))

  it("says which syntax Node cannot run, and what to write instead", () => {
    const failed = (syntax: string) =>
      because({ _tag: "ModuleFailed", module: "file:///app/tasks.ts", failed: new ModuleFailed({ url: "", cause: new Error(), unsupported: { place: "/app/colors.ts:3", syntax } }) }, { task: "paint", worker: "w0" }).message
    assert.strictEqual(failed("TypeScript enum is not supported in strip-only mode"), `SKEIN4002 w0 cannot import tasks.ts for task "paint"
  colors.ts:3 uses \`enum\`; Node strips types, and cannot run what is more than a type.
  fix 1  an object: \`const Color = { Red: "red" } as const\`; \`erasableSyntaxOnly\` in tsconfig.json shows all such places
  fix 2  build it first, and name the .js file`)
    for (const syntax of ["parameter property", "namespace", "import equals declaration"]) {
      assert.match(failed(`TypeScript ${syntax} is not supported in strip-only mode`), /^SKEIN4002 .*\n {2}colors\.ts:3 uses (a parameter property|`namespace`|`import … = require\(…\)`); /)
    }
  })

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
    const job = { run: 1, key: "k", attempt: 1, worker: "w0", args: Result.getOrThrow(Value.encodeList(args)), inputs: [], tell: () => {} }
    const outcome = await body(job)
    return outcome._tag === "Succeeded" ? Result.getOrThrow(Value.decode(outcome.value)) : outcome
  })
