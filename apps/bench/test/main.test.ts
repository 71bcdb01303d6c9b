import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Console, Effect } from "effect"
import { Command } from "effect/cli"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { bench as command } from "../src/command.ts"
import { row, run } from "./utils.ts"

/** Groups are processes, which start in real time, and slowly where every core is busy with tests. */
const processesStart = 120_000

/** What the command says, and whether it does what it is asked for. */
const bench = Effect.fnUntraced(function*(...args: ReadonlyArray<string>) {
  const lines: Array<string> = []
  const note = (...parts: ReadonlyArray<unknown>) => void lines.push(parts.join(" "))
  const exit = yield* Command.runWith(command, { version: "0" })(args).pipe(
    Effect.provideService(Console.Console, { ...globalThis.console, log: note, error: note }),
    Effect.provide(NodeServices.layer),
    Effect.exit
  )
  return { works: exit._tag === "Success", said: lines.join("\n") }
})

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "skein-bench-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

describe("the command", () => {
  it.effect("refuses names, files and flags that there are not, and says what there is", () =>
    Effect.gen(function*() {
      for (
        const [args, text] of [
          [["latencies"], "There is no group \"latencies\"; did you mean \"latency\"?"],
          [["--compare", "/nowhere/a.json", "/nowhere/b.json"], "/nowhere/a.json: ENOENT"],
          [["--compare", "/nowhere/a.json"], "--compare wants two files"],
          [["--write-results"], "--write-results wants at least one file"],
          [["--quick", "--all"], "--quick and --all exclude each other"],
          [["--runs", "0"], "a number from 1 to 100"],
          [["--against", "spark"], "dask, ray, or both"],
          [["--fast"], "--fast"]
        ] as const
      ) {
        const { said, works } = yield* bench(...args)
        assert.isFalse(works, args.join(" "))
        assert.include(said, text)
      }
    }))

  it.live("measures, keeps, and compares with what it kept", () =>
    Effect.gen(function*() {
      const at = yield* folder
      const [before, after] = [join(at, "before.json"), join(at, "after.json")]
      writeFileSync(before, JSON.stringify(run([row("reducer/map, 10K live, batches of 500", [1_000], { unit: "µs a life" })])))
      const measured = yield* bench("reducer/map, 10K live", "--quick", "--runs", "1", "--json", after)
      assert.isTrue(measured.works, measured.said)
      assert.match(measured.said, /map, 10K live, batches of 500 +\d/)
      const compared = yield* bench("--compare", before, after)
      assert.match(compared.said, /reducer\/map, 10K live, batches of 500 +1,000 → +[\d.]+ µs a life +×[\d.]+ as good/)
    }), processesStart)

  it.live("a part of no row's name is an error", () =>
    Effect.gen(function*() {
      const { said, works } = yield* bench("start-up/nonsense")
      assert.isFalse(works)
      assert.include(said, "no row of start-up has a name that contains \"nonsense\"")
    }), processesStart)
})
