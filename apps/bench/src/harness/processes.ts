/**
 * Child processes of the benchmark, which end with the scope.
 */
import { Deferred, Effect, Schema, type Scope } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { FOLDER, type Probed } from "./probe.ts"

/** A process of the benchmark did not do what it was started for. */
export class ProcessFailed extends Schema.TaggedError<ProcessFailed>()("ProcessFailed", { command: Schema.String, detail: Schema.String }) {
  override get message() {
    return `${this.command}: ${this.detail}`
  }
}

/** A folder that is removed with the scope. Its name is short, for it holds sockets. */
export const folder: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "skb-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

export interface Started {
  readonly pid: number
  /** The line that said that it is up. */
  readonly line: string
  /** How it ended, if it has. */
  readonly exited: () => string | undefined
  /** Fails once it has. */
  readonly ended: Effect.Effect<never, ProcessFailed>
}

/** Starts a program of ours, and returns once its standard output has a line. SIGTERM ends it with the scope, and SIGKILL if it does not listen. */
export const start = (
  name: string,
  nodeArgs: ReadonlyArray<string>,
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>> = {}
): Effect.Effect<Started, ProcessFailed, Scope.Scope> =>
  Effect.gen(function*() {
    let exited: string | undefined
    let errors = ""
    const gone = Deferred.makeUnsafe<never, ProcessFailed>()
    const child = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const child = spawn(process.execPath, [...nodeArgs, ...args], { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } })
        child.stderr.on("data", (bytes) => {
          errors = (errors + String(bytes)).slice(-20_000)
        })
        child.once("exit", (code, signal) => {
          exited = signal ?? `exit code ${code}`
          Deferred.doneUnsafe(gone, Effect.fail(new ProcessFailed({ command: name, detail: `ended (${exited}): ${lastWord(errors)}` })))
        })
        return child
      }),
      end
    )
    const line = yield* Effect.callback<string, ProcessFailed>((resume) => {
      const lines = createInterface(child.stdout)
      const failed = (detail: string) => resume(Effect.fail(new ProcessFailed({ command: name, detail })))
      lines.once("line", (line) => resume(Effect.succeed(line)))
      child.once("error", (error) => failed(error.message))
      child.once("exit", (code, signal) => failed(`ended (${signal ?? code}) before it was up: ${lastWord(errors)}`))
    }).pipe(Effect.timeoutOrElse({
      duration: "1 minute",
      orElse: () => Effect.fail(new ProcessFailed({ command: name, detail: `was not up after a minute: ${lastWord(errors)}` }))
    }))
    return { pid: child.pid!, line, exited: () => exited === undefined ? undefined : `${exited}: ${lastWord(errors)}`, ended: Deferred.await(gone) }
  })

/** The line of what a process wrote to standard error that says most: what it died of, an error's first line, or the last one. */
export const lastWord = (errors: string): string => {
  const lines = errors.trim().split("\n")
  return (lines.find((line) => line.startsWith("FATAL ERROR")) ?? lines.findLast((line) => /^\s*\w*(Error|Exception)\b/.test(line)) ?? lines.at(-1) ?? "").trim()
}

const end = (child: ChildProcess): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    child.kill("SIGTERM")
    const timer = setTimeout(() => child.kill("SIGKILL"), 5_000)
    child.once("exit", () => clearTimeout(timer))
  })

/** What a process needs in order to be asked by `probe`. */
export const probed = (folder: string): { readonly nodeArgs: ReadonlyArray<string>; readonly env: Readonly<Record<string, string>> } => ({
  nodeArgs: ["--import", import.meta.resolve("./probe.ts")],
  env: { [FOLDER]: folder }
})

/** Asks a process that was started like that; "collect": after a full collection. */
export const probe = (folder: string, pid: number, question: "collect" | "as it is"): Effect.Effect<Probed, ProcessFailed> =>
  Effect.callback((resume) => {
    const path = join(folder, String(pid))
    const failed = (detail: string) => resume(Effect.fail(new ProcessFailed({ command: `the probe of process ${pid}`, detail })))
    if (!existsSync(path)) return failed("is not there")
    const socket = connect(path)
    let text = ""
    socket.on("error", (error) => failed(error.message))
    socket.on("data", (bytes) => {
      text += String(bytes)
    })
    socket.on("end", () => resume(Effect.succeed(JSON.parse(text) as Probed))) // our own answer, from probe.ts
    socket.write(question)
  })
