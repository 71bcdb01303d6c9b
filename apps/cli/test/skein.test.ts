import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Console, Effect, Layer, Redacted } from "effect"
import { Command } from "effect/cli"
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { Client } from "skein"
import { skein as command } from "../src/skein.ts"

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url))

/** Real processes start in real time, and slowly where every core is busy with tests. */
const processesStart = 120_000

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "skein-cli-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** Runs the command in this process: what it says, and whether it does what it is asked for. */
const skein = Effect.fnUntraced(function*(...args: ReadonlyArray<string>) {
  const lines: Array<string> = []
  const note = (...parts: ReadonlyArray<unknown>) => void lines.push(parts.join(" "))
  const exit = yield* Command.runWith(command, { version: "0" })(args).pipe(
    Effect.provideService(Console.Console, { ...globalThis.console, log: note, error: note }),
    Effect.provide(NodeServices.layer),
    Effect.exit
  )
  return { works: exit._tag === "Success", said: lines.join("\n") }
})

/** Says no, in these words. */
const refuses = Effect.fnUntraced(function*(args: ReadonlyArray<string>, text: string) {
  const { said, works } = yield* skein(...args)
  assert.isFalse(works, args.join(" "))
  assert.include(said, text)
})

/** Starts the command, and returns with its first line. SIGTERM ends it with the scope. */
const started = Effect.fnUntraced(function*(...args: ReadonlyArray<string>) {
  const child = yield* Effect.acquireRelease(Effect.sync(() => spawn(process.execPath, [main, ...args], { stdio: ["ignore", "pipe", "inherit"] })), ended)
  const line = yield* Effect.callback<string>((resume) => {
    createInterface(child.stdout!).once("line", (line) => resume(Effect.succeed(line)))
    child.once("exit", (code) => resume(Effect.die(new Error(`skein ${args.join(" ")} ended with ${code}`))))
  })
  return { child, line }
})
const ended = (child: ChildProcess) =>
  Effect.callback<void>((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    child.kill("SIGTERM")
  })

describe("skein", () => {
  it.effect("help names the subcommands, and each has examples", () =>
    Effect.gen(function*() {
      const [all, worker, scheduler] = [yield* skein("--help"), yield* skein("worker", "--help"), yield* skein("scheduler", "--help")]
      assert.isTrue(all.works && worker.works && scheduler.works)
      assert.match(all.said, /scheduler +Run a scheduler\n +worker +Run workers/)
      assert.include(worker.said, "skein worker --zero 24 --address tcp://127.0.0.1:8786")
      assert.include(scheduler.said, "skein scheduler --host 0.0.0.0 --token-file token")
    }))

  it.effect("refuses flags that it does not know, numbers that cannot be, and addresses that are none", () =>
    Effect.gen(function*() {
      yield* refuses(["worker", "--zero", "1", "--address", "unix:/x", "--zeros"], "Unrecognized flag: --zeros")
      yield* refuses(["worker", "--address", "unix:/x"], "--zero")
      yield* refuses(["worker", "--zero", "5000", "--address", "unix:/x"], "Expected: a number from 1 to 4000")
      yield* refuses(["worker", "--zero", "1", "--address", "nonsense"], "\"nonsense\" is no address")
      yield* refuses(["scheduler", "--port", "65536"], "Expected: a number from 0 to 65535")
    }))

  it.effect("a token must be there: in the file, and for a scheduler that others can reach", () =>
    Effect.gen(function*() {
      const empty = join(yield* folder, "token")
      writeFileSync(empty, "\n")
      yield* refuses(["scheduler", "--token-file", empty], "the file is empty")
      yield* refuses(["scheduler", "--host", "0.0.0.0"], "Give a token, or listen on 127.0.0.1")
    }))

  it.live("a scheduler and zero workers do a client's tasks at once, and end in good order", () =>
    Effect.gen(function*() {
      const at = yield* folder
      const tokenFile = join(at, "token")
      writeFileSync(tokenFile, "a secret\n")
      const socket = join(at, "s.sock")
      const scheduler = yield* started("scheduler", "--unix", socket, "--token-file", tokenFile)
      assert.strictEqual(scheduler.line, `the scheduler listens at unix:${socket}`)
      const workers = yield* started("worker", "--zero", "3", "--address", `unix:${socket}`, "--token-file", tokenFile, "--name", "nil")
      assert.match(workers.line, /^3 zero workers are registered with unix:.*s\.sock and serve results at tcp:\/\/127\.0\.0\.1:\d+$/)

      const client = yield* Effect.provideContext(Client, yield* Layer.build(Client.layer({ address: `unix:${socket}`, token: Redacted.make("a secret") })))
      const names = (yield* client.inspect.workers).map(({ name }) => name)
      assert.deepStrictEqual([...names].sort(), ["nil-0", "nil-1", "nil-2"])
      const leaves = yield* client.map((n: number) => n + 1, Array.from({ length: 100 }, (_, n) => n))
      const sum = yield* client.submit((values: ReadonlyArray<number>) => values.reduce((a, b) => a + b, 0), leaves)
      // Nothing was computed: the result of everything is 0.
      assert.deepStrictEqual(new Set([yield* sum.result, ...(yield* client.gather(leaves))]), new Set([0]))

      yield* ended(workers.child)
      yield* Effect.repeat(client.inspect.workers, { until: (workers) => workers.length === 0 })
      yield* ended(scheduler.child)
    }), processesStart)
})
