/**
 * A peer's process: a program that does what each line tells it, once, and
 * answers in a line, as those in peers/ do. It lives as long as the scope.
 */
import { Deferred, Effect, Schema, type Scope } from "effect"
import { spawn } from "node:child_process"
import { basename } from "node:path"
import { createInterface } from "node:readline"
import { lastWord, ProcessFailed } from "./processes.ts"

/** What it says: figures, and microseconds of processor for each task. */
const Answer = Schema.Struct({ values: Schema.Array(Schema.Number), cpu: Schema.Record(Schema.String, Schema.Number) })
export type Answer = typeof Answer.Type
const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(Answer))

export interface Peer {
  /** Milliseconds from its own beginning until it was ready. */
  readonly readyMs: number
  /** Has something done. */
  readonly ask: (what: string) => Effect.Effect<Answer, ProcessFailed>
}

const LIMIT = "2 minutes"
/** Milliseconds that it has for its good end. */
const END_MS = 10_000

/** Starts a program, and returns once it is ready. */
export const peer = (command: string, args: ReadonlyArray<string>): Effect.Effect<Peer, ProcessFailed, Scope.Scope> =>
  Effect.gen(function*() {
    let waiting = Deferred.makeUnsafe<string, ProcessFailed>()
    let errors = ""
    const name = basename(args[0] ?? command)
    const child = yield* Effect.acquireRelease(
      Effect.sync(() => {
        // A group of its own, which is ended with it: a program that is killed leaves children behind.
        const child = spawn(command, [...args], {
          detached: true,
          env: { ...process.env, PYTHONWARNINGS: "ignore", RAY_DEDUP_LOGS: "0" },
          stdio: "pipe"
        })
        const failed = (detail: string) => Deferred.doneUnsafe(waiting, Effect.fail(new ProcessFailed({ command: name, detail })))
        child.stderr.on("data", (bytes) => {
          errors = (errors + String(bytes)).slice(-20_000)
        })
        // What libraries write to standard output as well is no answer.
        createInterface(child.stdout).on("line", (line) => line.startsWith("{") && Deferred.doneUnsafe(waiting, Effect.succeed(line)))
        child.stdin.on("error", () => {})
        child.once("error", (error) => failed(error.message))
        child.once("exit", (code, signal) => failed(`ended (${signal ?? code}): ${lastWord(errors)}`))
        return child
      }),
      (child) =>
        Effect.callback<void>((resume) => {
          const gone = () => {
            if (child.pid !== undefined) killGroup(child.pid)
            resume(Effect.void)
          }
          if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return gone()
          const timer = setTimeout(gone, END_MS)
          child.once("exit", () => {
            clearTimeout(timer)
            gone()
          })
          child.stdin.end()
          child.kill("SIGTERM")
        })
    )
    const answer = Effect.suspend(() => Deferred.await(waiting)).pipe(
      Effect.flatMap((line) => Effect.mapError(decode(line), () => new ProcessFailed({ command: name, detail: `said ${line.slice(0, 200)}` }))),
      Effect.timeoutOrElse({ duration: LIMIT, orElse: () => Effect.fail(new ProcessFailed({ command: name, detail: `was silent for ${LIMIT}: ${lastWord(errors)}` })) })
    )
    const ready = yield* answer
    const ask = (what: string) =>
      Effect.suspend(() => {
        // What has ended answers nothing more.
        if (child.exitCode === null && child.signalCode === null) waiting = Deferred.makeUnsafe()
        child.stdin.write(`${what}\n`)
        return answer
      })
    return { readyMs: ready.values[0] ?? NaN, ask }
  })

const killGroup = (pid: number): void => {
  try {
    process.kill(-pid, "SIGKILL")
  } catch {
    // Nothing of it is left.
  }
}
