import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Result, Schema } from "effect"
import { functionSource } from "@skein/client/node/functionSource"
import type { FunctionSource } from "@skein/client/Platform"
import { NotShippable } from "@skein/protocol/Errors"
import { fnEntry, Task } from "@skein/protocol/Task"
import * as Value from "@skein/protocol/Value"
import * as NodeHashing from "@skein/transport/node/Hashing"
import { frameOf } from "../../src/internal/codeFrame.ts"
import { makeCodes } from "../../src/internal/code.ts"

const codes = () => makeCodes({ sha256: NodeHashing.node.sha256, packageAt: (folder) => folder.endsWith("/packages/client/") ? "@skein/client" : undefined })
const defOf = (task: object) => Result.getOrThrow(codes()(task)).def
const refusal = (task: object) => {
  const found = codes()(task)
  return Result.isFailure(found) ? found.failure.message : assert.fail(`it was taken: ${String(task)}`)
}
/** A function that no test runner rewrites. */
const unwritten = (text: string): (...args: ReadonlyArray<any>) => unknown => new Function(`return (${text})`)()
/** As in a REPL, where nobody knows the module. */
const homeless = (name: string, body: (...args: ReadonlyArray<any>) => unknown, options: object = {}) => {
  const task = Task.fn(name, body, options)
  Object.assign(fnEntry(task)!, { module: null })
  return task
}

const rate = 2
class Counter {
  static twice(n: number) {
    return 2 * n
  }
  readonly step = 1
  next(n: number) {
    return n + this.step
  }
  plus(n: number) {
    return n + 1
  }
  get double() {
    return (n: number) => 2 * n
  }
}
class Db extends Context.Service<Db, { readonly size: number }>()("test/Db") {}

describe("a function is sent as its text", () => {
  const factorial = (n: number): number => n < 2 ? 1 : n * factorial(n - 1)
  it("if that says everything, in whatever form it is written", () => {
    for (const f of [(n: number) => n + 1, async (n: number) => n, function(n: number) { return n }, function named(n: number): number { return n < 1 ? 0 : named(n - 1) },
      Counter.twice, new Counter().plus, { short(n: number) { return n } }.short, factorial, () => (() => 1)(), unwritten("async (s) => (await import(s)).default + await import('sharp')")]) {
      const def = defOf(f)
      assert.strictEqual(def.text, Function.prototype.toString.call(f))
      assert.isNull(def.module)
    }
    assert.deepStrictEqual([defOf((n: number) => n).name, defOf(factorial).name], ["anonymous", "factorial"])
  })

  it("with the values that it captures, which are part of its digest", () => {
    const scaled = (factor: number) => Task.fn("scaled", (n: number) => n * rate, { captures: { rate: factor } })
    const [two, three] = [defOf(scaled(2)), defOf(scaled(3))]
    assert.strictEqual(two.text, fnEntry(scaled(2))!.text)
    assert.deepStrictEqual([two, three].map(({ captures }) => Result.getOrThrow(Value.decode(captures!))), [{ rate: 2 }, { rate: 3 }])
    assert.notStrictEqual(two.digest, three.digest)
    assert.isFalse("captures" in defOf(Task.fn("whole", (n: number) => n)))
  })

  it("and else comes from the module that it was made in, as it does with codecs and services", () => {
    const Count = Schema.Struct({ n: Schema.Number })
    for (const task of [
      Task.fn("outer", (n: number) => n * rate),
      Task.fn("typed", (n: number) => ({ n }), { success: Count }),
      Task.fn("served", (n: number) => Effect.map(Db, ({ size }) => n * size), { services: Layer.succeed(Db, { size: 2 }) }),
      Task.fn("effect", Effect.fn(function*(n: number) { return yield* Effect.succeed(n) })),
      Task.fn("untraced", Effect.fnUntraced(function*(n: number) { return yield* Effect.succeed(n) })),
      Task.fn("gen", (n: number) => Effect.gen(function*() { return yield* Effect.succeed(n) })),
      Task.fn("builtIn", Math.max),
      Task.fn("bound", Counter.twice.bind(Counter)),
      Task.fn("beside", unwritten("async (n) => [n, await import('./code.test.ts')]")),
      Task.fn("meta", (n: number) => n + import.meta.url.length),
      Task.fn("default", (n: number, by = rate) => n * by)
    ]) {
      const { module, text } = defOf(task)
      assert.isNull(text, task.name)
      assert.strictEqual(module?.id, "@skein/client/test/internal/code.test.ts", task.name)
    }
    assert.strictEqual(defOf(Task.fn("served too", (n: number) => Effect.map(Db, ({ size }) => n * size), { services: Layer.succeed(Db, { size: 2 }) })).isolation, "fiber")
  })

  it("and has no thread, if what it needs is built in the worker's process", () => {
    const fiberOnly = (task: object) => Result.getOrThrow(codes()(task)).fiberOnly
    const served = Task.fn("servedHere", (n: number) => Effect.map(Db, ({ size }) => n * size), { services: Layer.succeed(Db, { size: 2 }) })
    assert.deepStrictEqual([fiberOnly(served), fiberOnly(Task.make("Contract", {})), fiberOnly(Task.fn("plain", (n: number) => n)), fiberOnly((n: number) => n)], [true, true, false, false])
  })

  it("and is looked at once, however often it is submitted", () => {
    let looked = 0
    const codeOf = makeCodes({ sha256: (bytes) => (looked++, NodeHashing.node.sha256(bytes)), packageAt: () => undefined })
    const task = Task.fn("once", (n: number) => n * rate, { captures: { rate } })
    for (let i = 0; i < 3; i++) codeOf(task)
    for (let i = 0; i < 3; i++) codeOf((n: number) => n + 1)
    assert.strictEqual(looked, 2)
  })
})

describe("a function is refused", () => {
  it("for the names it does not carry, with what to do", () => {
    assert.strictEqual(refusal((n: number) => n * rate), `cannot send this function to a worker: it uses a name it does not carry: rate
  Workers run a copy of the function's text, so \`rate\` would be undefined there.

  fix 1  pass them:      client.submit((…, rate) => …, …, rate)
  fix 2  carry a value:  Task.fn("name", …, { captures: { rate } })
  fix 3  use a module:   export const name = Task.fn("name", …)   at the top level of a module, which workers import`)
    const encodeAll = (n: number) => [rate, Counter, n]
    assert.include(refusal(encodeAll), "it uses 2 names it does not carry: rate, Counter\n")
    assert.include(refusal(encodeAll), "so `rate` and `Counter` would be undefined there.\n")
    assert.include(refusal(encodeAll), "export const encodeAll = Task.fn(\"encodeAll\", …)")
  })

  it("for names that no value can stand for", () => {
    assert.strictEqual(refusal(new Counter().next), `cannot send this function to a worker: it uses a name it does not carry: this
  Workers call it alone, so there \`this\` would be undefined.

  fix    pass the data:  a function of what it takes from its object, as an argument`)
    assert.include(new NotShippable({ names: ["import.meta"] }).message, "so `import.meta` would be undefined there.\n\n  fix    use a module:")
    assert.include(refusal(unwritten("async (n) => [n, await import('./code.test.ts')]")), "so `\"./code.test.ts\"` would not be found there.\n\n  fix    use a module:")
    // Its module would not help it.
    assert.include(refusal(Task.fn("next", new Counter().next)), "uses a name it does not carry: this\n")
  })

  it("for what a tool made of it", () => {
    const message = (name: string) => new NotShippable({ names: [name] }).message.split("\n").slice(1).join("\n")
    const fix = "\n\n  fix    use a module:   export const name = Task.fn(\"name\", …)   at the top level of a module, which workers import"
    assert.strictEqual(message("__vite_ssr_import_0__"), `  vitest rewrote an import; put the task in a module, or use Sim, which runs in-process.${fix}`)
    assert.strictEqual(message("cov_1x2y"), `  Istanbul's coverage instrumented it; use V8 coverage.${fix}`)
    assert.strictEqual(message("__awaiter"), `  It was compiled with a helper; target ES2022 or later.${fix}`)
    assert.strictEqual(message("__name"), `  It was compiled with a helper; target ES2022 or later.${fix}`)
  })

  it("for being no function that a worker could call", () => {
    const module = "use a module:   export const name = Task.fn(\"name\", …)   at the top level of a module, which workers import"
    const refused = (what: string, why: string, ...fixes: ReadonlyArray<string>) =>
      `cannot send this function to a worker: ${what}\n  ${why}\n\n${fixes.map((fix, i) => `  fix ${fixes.length > 1 ? i + 1 : " "}  ${fix}`).join("\n")}`
    const generated = refused("it is a generator function", "What it gives is an iterator, which stays where it was made.",
      "as an Effect:   Task.fn(\"name\", Effect.fn(function*(…) { … }))", "as a list:      (…) => Array.from(…)")
    assert.strictEqual(refusal(function*() { yield 1 }), generated)
    assert.strictEqual(refusal(async function*() { yield 1 }), generated)
    assert.strictEqual(refusal(Task.fn("steps", function*() { yield 1 })), generated.replaceAll("\"name\"", "\"steps\""))
    assert.strictEqual(refusal(Counter), refused("it is a class", "Workers call functions, and a class wants `new`.", "wrap it:        a function that makes an instance, and gives what is needed of it"))
    assert.strictEqual(refusal(Object.getOwnPropertyDescriptor(Counter.prototype, "double")!.get!),
      refused("it is a getter or a setter", "Its text is no function by itself.", "wrap it:        (…) => …, which calls it", module))
    assert.strictEqual(refusal(Math.max), refused("it is built in", "It has no text that could travel.", "wrap it:        a function that calls it, such as (...args) => Math.max(...args)"))
    assert.strictEqual(refusal(Counter.twice.bind(Counter)),
      refused("it is bound", "What it is bound to stays here, and it has no text of its own.", "pass them:      what it is bound to, as arguments", module))
    assert.strictEqual(refusal(Effect.fn(function*(n: number) { return yield* Effect.succeed(n) })),
      refused("its text is not its own", "Bodies made by Effect.fn all have the same text, so it cannot travel.", module))
  })

  it("as anything is that is no task at all", () => {
    assert.strictEqual(refusal(new Counter()), "the option `task` is not valid: expected a function, a task made by Task.fn, or one made by Task.make\n  fix  change or remove it")
  })

  it("if it needs its module, and nobody knows that", () => {
    assert.include(refusal(homeless("lost", Effect.fn(function*(n: number) { return yield* Effect.succeed(n) }))), "its text is not its own\n")
    assert.strictEqual(refusal(homeless("typed", (n: number) => n, { success: Schema.Number })), `cannot send this function to a worker: nobody knows the module of task "typed"
  What belongs to it beside its text, a codec or services, workers find in its module only.

  fix    name it:        Task.fn("typed", …, { module: import.meta.url })`)
    // By its own name it may call itself.
    assert.isNotNull(defOf(homeless("countDown", (n: number): number => n < 1 ? 0 : countDown(n - 1))).text)
  })

  it("if another was made by the same function, and a worker could take one for the other", () => {
    const times = (k: number) => Task.fn("timesK", (n: number) => n * k)
    const [two] = [times(2), times(3)]
    assert.strictEqual(refusal(two), `cannot send this function to a worker: another task has the name "timesK", the same text, and another body
  Both were made by one function and differ in what that closed over; a worker could take one for the other.

  fix 1  carry a value:  Task.fn("timesK", …, { captures: { k } })
  fix 2  other names:    one of its own for each`)
    const carried = (k: number) => Task.fn("carriedK", (n: number) => n * k, { captures: { k } })
    const [four] = [carried(4), carried(5)]
    assert.isNotNull(defOf(four).text)
  })
})

declare const countDown: (n: number) => number

describe("the lines of a refusal", () => {
  const source = (lines: ReadonlyArray<string>, more: Partial<FunctionSource> = {}): FunctionSource => ({ file: "src/main.ts", line: 9, column: 5, lines: [...Array(8).fill(""), ...lines], isCompiled: false, ...more })
  const text = "(img) =>\n  encode(img,\n    quality)"

  it("are those that have names, which are marked", () => {
    const at = (name: string) => ({ name, at: text.indexOf(name) })
    assert.deepStrictEqual(frameOf(source(["f = (img) =>", "  encode(img,", "    quality)"]), text, [at("encode"), at("quality")]), [
      "src/main.ts:10:3",
      "10 │ encode(img,",
      "   │ ~~~~~~",
      "11 │ quality)",
      "   │ ~~~~~~~"
    ])
  })

  it("are cut around the first name where they are long, and said to be a compiler's where they are", () => {
    const long = `${"x ".repeat(200)}rate${" y".repeat(200)}`
    const [place, line, marks] = frameOf(source([long], { line: 9, column: 1, isCompiled: true }), long, [{ name: "rate", at: 400 }])
    assert.strictEqual(place, "src/main.ts:9:401 (as compiled)")
    assert.isAtMost(line!.length, 120)
    assert.strictEqual(line!.slice(marks!.indexOf("~"), marks!.lastIndexOf("~") + 1), "rate")
  })

  it("are found by asking the engine where the function is", () => {
    const found = functionSource((n: number) => n * rate)
    assert.match(found?.file ?? "", /test\/internal\/code\.test\.ts$/)
    assert.include(found!.lines[found!.line - 1]!.slice(found!.column - 1), "=> n * rate")
    assert.isUndefined(functionSource(Math.max))
    assert.isUndefined(functionSource(new Function("return 1")))
  })
})
