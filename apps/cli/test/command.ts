/**
 * The command `skein`, run as its users run it.
 */
import { assert } from "@effect/vitest"
import { type Cause, Console, Context, Effect, Exit } from "effect"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, realpathSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { failing } from "../src/exits.ts"
import { run } from "../src/skein.ts"

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url))

/** Goes with the scope, and all that is in it. */
export const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(realpathSync(tmpdir()), "cli-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** What a command leaves behind: what it has written, and its exit code. */
export interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** In this process, for what is read and refused before anything starts. */
export const said = Effect.fnUntraced(function*(...args: ReadonlyArray<string>) {
  const out: Array<string> = []
  const err: Array<string> = []
  const to = (lines: Array<string>) => (...parts: ReadonlyArray<unknown>) => void lines.push(`${parts.join(" ")}\n`)
  const exit = yield* run(args).pipe(
    Effect.provideService(Console.Console, { ...globalThis.console, log: to(out), error: to(err) }),
    Effect.provide(NodeServices.layer),
    Effect.exit
  )
  const { code, text } = Exit.isSuccess(exit) ? { code: 0, text: undefined } : failing(exit.cause as Cause.Cause<unknown>)
  if (text !== undefined) err.push(`${text}\n`)
  return { code, out: out.join(""), err: err.join("") } satisfies Ended
})

/** Exits with this code and says nothing but this. */
export const refuses = Effect.fnUntraced(function*(args: ReadonlyArray<string>, err: string, code = 2) {
  assert.deepStrictEqual(yield* said(...args), { code, out: "", err: `${err}\n` }, args.join(" "))
})

/** Added to the environment of what is started. */
const Environment = Context.Reference<Readonly<Record<string, string>>>("Environment", { defaultValue: () => ({}) })
export const environment = (variables: Readonly<Record<string, string>>) => Effect.provideService(Environment, variables)

export interface Started {
  readonly child: ChildProcess
  /** Its first line of output. */
  readonly line: Effect.Effect<string>
  /** Completes when its standard error holds this, from now on or already. */
  readonly says: (text: string) => Effect.Effect<void>
  /** What it has left when it is gone. */
  readonly ended: Effect.Effect<Ended>
}

/** Starts the command as a process, in a folder; killed with the scope if it is still there. */
export const started = Effect.fnUntraced(function*(cwd: string, ...args: ReadonlyArray<string>) {
  const env = { ...process.env, NO_COLOR: "1", ...yield* Environment }
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => spawn(process.execPath, [main, ...args], { cwd, env, stdio: ["ignore", "pipe", "pipe"] })),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )
  const written = { out: "", err: "" }
  child.stdout.setEncoding("utf8").on("data", (text: string) => written.out += text)
  child.stderr.setEncoding("utf8").on("data", (text: string) => written.err += text)
  const first = new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).once("line", resolve)
    child.once("close", (code) => reject(new Error(`skein ${args.join(" ")} ended with ${code}: ${written.err}`)))
  })
  first.catch(() => {})
  const closed = new Promise<number | null>((resolve) => child.once("close", resolve))
  const ended = Effect.map(Effect.promise(() => closed), (code): Ended => ({ code, ...written }))
  const says = (text: string) => Effect.promise(() => new Promise<void>((resolve) => {
    const look = () => written.err.includes(text) ? resolve() : void child.stderr.once("data", look)
    look()
  }))
  return { child, line: Effect.promise(() => first), says, ended } satisfies Started
})

/** Sends a signal; what is left. */
export const signalled = ({ child, ended }: Started, signal: "SIGINT" | "SIGTERM"): Effect.Effect<Ended> =>
  Effect.andThen(Effect.sync(() => child.kill(signal)), ended)
