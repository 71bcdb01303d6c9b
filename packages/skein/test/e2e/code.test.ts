/**
 * Programs in one file, as users run them: the file that defines the tasks also starts the cluster, and is what workers import.
 */
import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { Context, Effect, Layer, Schema } from "effect"
import { Client, Future, LocalCluster, Task } from "skein"

/** What it prints, by the first word of each line. */
const run = async (file: string, ...args: ReadonlyArray<string>) => {
  const cwd = fileURLToPath(new URL("./programs/", import.meta.url))
  const { stderr, stdout } = await promisify(execFile)(process.execPath, [file, ...args], { cwd, timeout: 60_000 })
  const lines = stdout.split("\n").filter((line) => line.startsWith("[")).map((line) => JSON.parse(line) as readonly [string, unknown])
  return { said: Object.fromEntries(lines), stderr }
}

describe("a program in one file", () => {
  it("in TypeScript, that waits at its top level for a cluster of processes, finds its tasks in fibers and threads of workers", async () => {
    const { said } = await run("single.ts", "true")
    const { area, late, paint, refused, ...values } = said
    assert.deepStrictEqual(values, { triple: 6, double: 4, captures: "6 1", serves: 5, imports: "Abc", factorial: 120, twice: 8, thirty: 60 })
    assert.strictEqual(refused, `SKEIN1001 cannot send this function to a worker: it uses 2 names it does not carry

  single.ts:50:67
  50 │ say("refused", (yield* Effect.flip(client.submit((n: number) => triple(n) * rate, 1))).message)
     │                                                                 ~~~~~~      ~~~~
  Workers run a copy of the function's text, so \`triple\` and \`rate\` would be undefined there.

  fix 1  pass them:      client.submit((…, triple, rate) => …, …, triple, rate)
  fix 2  carry a value:  Task.fn("name", …, { captures: { triple, rate } })
  fix 3  use a module:   export const name = Task.fn("name", …)   at the top level of a module, which workers import`)
    assert.strictEqual(area, `SKEIN1001 cannot send this function to a worker: it uses a name it does not carry

  single.ts:34:16
  34 │ return n * this.side
     │            ~~~~
  Workers call it alone, so there \`this\` would be undefined.

  fix    pass the data:  a function of what it takes from its object, as an argument`)
    assert.deepStrictEqual(paint, ["SKEIN4002", `SKEIN4002 KEY did not run: worker-0 cannot import colors.ts for task "paint"
  colors.ts:5 uses \`enum\`; Node strips types, and cannot run what is more than a type.
  fix 1  an object: \`const Color = { Red: "red" } as const\`; \`erasableSyntaxOnly\` in tsconfig.json shows all such places
  fix 2  build it first, and name the .js file`])
    assert.deepStrictEqual(late, ["SKEIN4001", `SKEIN4001 KEY did not run: worker-0 imported single.ts for task "late" and did not find it
  single.ts:64 starts a cluster; what comes after it is not reached on workers.
  fix 1  define "late" above line 64
  fix 2  move tasks to tasks.ts and import them`])
  }, 60_000)

  it("in JavaScript, run by NodeRuntime.runMain with a cluster of fibers, finds those too that it makes after the start", async () => {
    const { said } = await run("single.js", "false")
    assert.deepStrictEqual(said, { fifteen: 30, after: 32 })
  }, 60_000)
})

class Rate extends Context.Service<Rate, { readonly rate: number }>()("e2e/Rate") {}
const Price = Task.make("Price", { payload: { amount: Schema.Number }, success: Schema.Number })

describe("contracts of this process", () => {
  it.live("are given to workers of fibers as a layer, which each builds for itself with what it needs from around, and releases", () =>
    Effect.gen(function*() {
      const events: Array<string> = []
      const PriceLive = Price.toLayer(Effect.gen(function*() {
        const { rate } = yield* Rate
        yield* Effect.acquireRelease(Effect.sync(() => events.push("built")), () => Effect.sync(() => events.push("released")))
        return ({ amount }) => Effect.succeed(amount * rate)
      }))
      const program = Effect.gen(function*() {
        const client = yield* Client
        return yield* Future.run(client.submit(Price, { amount: 5 }))
      })
      const cluster = LocalCluster.layer({ processes: false, protocol: "inproc", workers: 2, threadsPerWorker: 1, tasks: PriceLive })
      assert.strictEqual(yield* Effect.provide(program, Layer.provide(cluster, Layer.succeed(Rate, { rate: 3 }))), 15)
      assert.deepStrictEqual(events, ["built", "built", "released", "released"])
    }), 60_000)
})
