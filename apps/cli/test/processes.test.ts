/**
 * `skein scheduler`, `worker`, `local` and `run` as processes: what they say, do,
 * and leave behind.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { existsSync, readdirSync, readFileSync, statSync, symlinkSync, mkdirSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { Client } from "skein"
import { type Ended, environment, folder, signalled, started } from "./command.ts"
import { inc } from "./tasks.ts"

const tasks = resolve(import.meta.dirname, "tasks.ts")

/** Real processes start in real time, and slowly where every core is busy with tests. */
const WITHIN = 120_000

/** Process ids of the children of a process, zombies aside. */
const childrenOf = (of: number): ReadonlyArray<number> =>
  readdirSync("/proc").filter((name) => /^\d+$/.test(name)).flatMap((name) => {
    try {
      const [state, parent] = readFileSync(`/proc/${name}/stat`, "latin1").replace(/^.*\) /s, "").split(" ")
      return Number(parent) === of && state !== "Z" ? [Number(name)] : []
    } catch {
      return []
    }
  })

describe("skein scheduler and skein worker", () => {
  it.live("workers are found by the scheduler's file, take no code as text, outlive a scheduler, come back when they are killed, and leave nothing behind", () =>
    Effect.gen(function*() {
      const at = yield* folder
      writeFileSync(join(at, "token"), "a secret\n")
      const serve = (port: string, ...token: ReadonlyArray<string>) => started(at, "scheduler", "--port", port, "--scheduler-file", "s.json", "--json", ...token)
      const connect = (address: string) => Effect.flatMap(Layer.build(Client.layer({ address, token: Redacted.make("a secret") })), (context) => Effect.provideContext(Client, context))
      const first = yield* serve("0", "--token-file", "token")
      const { address } = JSON.parse(yield* first.line) as { readonly address: string }
      assert.deepStrictEqual(JSON.parse(yield* first.line), { address, schedulerFile: "s.json" })
      assert.deepStrictEqual(JSON.parse(readFileSync(join(at, "s.json"), "utf8")), { type: "skein-scheduler", address, token: "a secret" })
      assert.strictEqual(statSync(join(at, "s.json")).mode & 0o777, 0o600)

      const worker = yield* started(
        at, "worker", "--scheduler-file", "s.json", "--workers", "2", "--threads", "1", "--name", "w", "--resources", "GPU=1", "--tasks", tasks, "--code", "modules-only", "--json"
      )
      assert.deepStrictEqual(JSON.parse(yield* worker.line), { scheduler: address, workers: ["w-0", "w-1"] })
      const client = yield* connect(address)
      const before = yield* client.inspect.workers
      assert.deepStrictEqual(before.map(({ name, nanny, nthreads, resources }) => ({ name, nthreads, resources, isNursed: nanny._tag })).sort((a, b) => a.name < b.name ? -1 : 1), [
        { name: "w-0", nthreads: 1, resources: { GPU: 1 }, isNursed: "Some" },
        { name: "w-1", nthreads: 1, resources: { GPU: 1 }, isNursed: "Some" }
      ])
      assert.strictEqual(yield* (yield* client.submit(inc, 1)).result, 2)
      const refused = yield* Effect.flip((yield* client.submit((n: number) => n + 2, 1)).result)
      assert.match(refused.message, /^SKEIN1002 anonymous-\w+ did not run: w-\d does not know task "anonymous"\n {2}It takes tasks from its own modules only \(`--code modules-only`\), and none of them makes this one\.\n {2}fix {4}start the worker with the module that does: {2}skein worker ADDRESS --code modules-only --tasks FILE$/)

      first.child.kill("SIGKILL")
      yield* first.ended
      const scheduler = yield* serve(new URL(address).port).pipe(environment({ SKEIN_TOKEN: "a secret" }))
      yield* scheduler.line
      const anew = yield* connect(address)
      yield* anew.waitForWorkers(2)
      assert.deepStrictEqual((yield* anew.inspect.workers).map(({ pid }) => pid).sort(), before.map(({ pid }) => pid).sort())

      const [killed] = before
      yield* Effect.sync(() => process.kill(killed!.pid, "SIGKILL"))
      const after = yield* Effect.repeat(anew.inspect.workers, {
        until: (workers) => workers.length === 2 && workers.every(({ pid }) => pid !== killed!.pid)
      })
      assert.deepStrictEqual(after.map(({ name }) => name).sort(), ["w-0", "w-1"])

      const pids = childrenOf(worker.child.pid!)
      assert.includeMembers([...pids], after.map(({ pid }) => pid))
      const { code } = yield* signalled(worker, "SIGINT")
      assert.deepStrictEqual({ code, left: after.filter(({ pid }) => existsSync(`/proc/${pid}`)) }, { code: 130, left: [] })
      assert.deepStrictEqual(yield* anew.inspect.workers, [])
      assert.strictEqual((yield* signalled(scheduler, "SIGTERM")).code, 143)
      assert.deepStrictEqual(readdirSync(at), ["token"])
    }).pipe(Effect.scoped), WITHIN)

  it.live("zero workers answer for a scheduler on a unix socket", () =>
    Effect.gen(function*() {
      const at = yield* folder
      const socket = join(at, "s.sock")
      const scheduler = yield* started(at, "scheduler", "--unix", socket)
      assert.strictEqual(yield* scheduler.line, `the scheduler listens at unix:${socket}`)
      const workers = yield* started(at, "worker", "--zero", "3", "--address", `unix:${socket}`, "--name", "nil")
      assert.match(yield* workers.line, /^3 zero workers are registered with unix:.*s\.sock and serve results at tcp:\/\/127\.0\.0\.1:\d+$/)

      const client = yield* Effect.provideContext(Client, yield* Layer.build(Client.layer({ address: `unix:${socket}` })))
      assert.deepStrictEqual((yield* client.inspect.workers).map(({ name }) => name).sort(), ["nil-0", "nil-1", "nil-2"])
      const leaves = yield* client.map((n: number) => n + 1, Array.from({ length: 100 }, (_, n) => n))
      const sum = yield* client.submit((values: ReadonlyArray<number>) => values.reduce((a, b) => a + b, 0), leaves)
      // Nothing was computed: the result of everything is 0.
      assert.deepStrictEqual(new Set([yield* sum.result, ...(yield* client.gather(leaves))]), new Set([0]))
      assert.strictEqual((yield* signalled(workers, "SIGINT")).code, 130)
      assert.strictEqual((yield* signalled(scheduler, "SIGINT")).code, 130)
    }).pipe(Effect.scoped), WITHIN)
})

/** Programs beside a `node_modules` that has what they import. */
const programs = Effect.fnUntraced(function*(files: Readonly<Record<string, string>>) {
  const at = yield* folder
  mkdirSync(join(at, "node_modules"))
  for (const name of ["effect", "skein"]) symlinkSync(resolve(import.meta.dirname, "../../../node_modules", name), join(at, "node_modules", name))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(at, name), text)
  return at
})

const sum = `
import { Effect } from "effect"
import { Client, Cluster } from "skein"

export default Effect.gen(function*() {
  const client = yield* Client
  const squares = yield* client.map((n: number) => n * n, [1, 2, 3])
  yield* Effect.log("squared")
  const values = yield* client.gather(squares)
  return { arguments: process.argv.slice(2), sum: values.reduce((a, b) => a + b, 0), scheduler: (yield* Cluster).schedulerAddress }
})
`
const failing = `
import { Effect, Schema } from "effect"

class TooLate extends Schema.TaggedError<TooLate>()("TooLate", { by: Schema.String }) {
  override get message() {
    return \`too late by \${this.by}\`
  }
}
export default () => new TooLate({ by: "a day" })
`

describe("skein local and skein run", () => {
  it.live("a program runs on the cluster that its file names, and gives its value or its failure", () =>
    Effect.gen(function*() {
      const at = yield* programs({ "sum.ts": sum, "failing.ts": failing })
      const local = yield* started(at, "local", "--workers", "1", "--threads", "1", "--port", "0", "--json")
      const { scheduler } = JSON.parse(yield* local.line) as { readonly scheduler: string }
      assert.deepStrictEqual(JSON.parse(yield* local.line), { scheduler, schedulerFile: join(at, ".skein/scheduler.json"), workers: ["worker-0"] })

      const file = ".skein/scheduler.json"
      const runs = yield* Effect.forEach([
        ["run", "sum.ts", "a", "--scheduler-file", file, "--json", "--", "--depth", "3"],
        ["run", "failing.ts"]
      ], (args) => Effect.flatMap(started(at, ...args), ({ ended }) => ended), { concurrency: "unbounded" }).pipe(environment({ SKEIN_SCHEDULER_FILE: file }))
      const [summed, failed] = runs as [Ended, Ended]
      assert.deepStrictEqual({ ...summed, out: JSON.parse(summed.out), err: summed.err.replace(/^\[.*?\]/, "") }, {
        code: 0,
        out: { arguments: ["a", "--depth", "3"], sum: 14, scheduler },
        err: " INFO (#1): squared\n"
      })
      assert.deepStrictEqual([failed.code, failed.out, failed.err.split("\n")[0], failed.err.split("too late").length], [1, "", "TooLate: too late by a day", 2])
      const pids = childrenOf(local.child.pid!)
      assert.deepStrictEqual(yield* signalled(local, "SIGINT"), { code: 130, out: `${yield* local.line}\n`, err: "" })
      assert.deepStrictEqual({ files: readdirSync(at).sort(), processes: pids.filter((pid) => existsSync(`/proc/${pid}`)) }, {
        files: ["failing.ts", "node_modules", "sum.ts"],
        processes: []
      })
    }).pipe(Effect.scoped), WITHIN)

  it.live("a program that Node takes for CommonJS is refused with what to change, and one that waits for a scheduler says so", () =>
    Effect.gen(function*() {
      const at = yield* programs({ "imports.ts": "import { Effect } from \"effect\"\n", "exports.cjs": "export default 1\n", "program.mjs": "export default () => {}\n" })
      const waiting = yield* started(at, "run", "program.mjs", "--scheduler-file", "nowhere.json")
      writeFileSync(join(at, "package.json"), "{\"type\":\"commonjs\"}")
      for (const name of ["imports.ts", "exports.cjs"]) {
        const { code, err } = yield* Effect.flatMap(started(at, "run", name), ({ ended }) => ended)
        assert.strictEqual(code, 2)
        assert.include(err, `✖ ${name} has an import or export, but Node takes it for CommonJS\n  fix  "type": "module" in its package.json, or .mts or .mjs as its ending\n`)
      }
      yield* waiting.says("no scheduler has answered yet at nowhere.json; looking on, Ctrl-C ends it\n")
      assert.strictEqual((yield* signalled(waiting, "SIGINT")).code, 130)
    }).pipe(Effect.scoped), WITHIN)

  it.live("without an address a program has a cluster of its own; where Ctrl-C once does not end it, twice does, and nothing is left", () =>
    Effect.gen(function*() {
      const at = yield* programs({
        "waits.ts": `
import { Effect } from "effect"
import { Client } from "skein"

export default Effect.gen(function*() {
  const client = yield* Client
  console.log(yield* Effect.flatMap(client.submit((n: number) => n + 1, 1), (two) => two.result))
  yield* Effect.never
}).pipe(Effect.ensuring(Effect.andThen(Effect.sync(() => console.error("stays")), Effect.never)))
`
      })
      const temporary = join(at, "tmp")
      mkdirSync(temporary)
      const running = yield* started(at, "run", "waits.ts", "--workers", "1", "--threads", "1").pipe(environment({ TMPDIR: temporary }))
      assert.strictEqual(yield* running.line, "2")
      const pids = childrenOf(running.child.pid!)
      assert.isAtLeast(pids.length, 2)
      const stays = running.says("stays")
      running.child.kill("SIGINT")
      yield* stays
      assert.deepStrictEqual(yield* signalled(running, "SIGINT"), { code: 130, out: "2\n", err: "stays\n" })
      assert.deepStrictEqual(readdirSync(temporary), [])
      // They end with their parent, and take a moment to do so.
      yield* Effect.repeat(Effect.sync(() => pids.filter((pid) => existsSync(`/proc/${pid}`))), { until: (left) => left.length === 0 })
    }).pipe(Effect.scoped), WITHIN)
})
