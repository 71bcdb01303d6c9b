/**
 * Runs groups, each in a process of its own, and hands on their rows.
 */
import { Effect, Schema } from "effect"
import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { Group } from "../groups.ts"
import type { Options } from "./Bench.ts"
import { load } from "./procfs.ts"
import { Row } from "./Row.ts"

const entry = fileURLToPath(new URL("../child.ts", import.meta.url))

/** Runs one group. A process that dies is a row that says so. Interrupted, it ends the process and waits for it. */
export const runGroup = (group: Group, options: Options, onRow: (row: Row) => void): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const child = fork(entry, [JSON.stringify(options)], {
      execArgv: ["--expose-gc", ...(group.heapMiB === undefined ? [] : [`--max-old-space-size=${group.heapMiB}`])],
      stdio: ["ignore", "inherit", "inherit", "ipc"]
    })
    child.on("message", (message) => onRow(Schema.decodeUnknownSync(Row)(revive(message))))
    child.once("exit", (code, signal) => {
      if (code !== 0) onRow(died(group, load(), signal ?? `exit code ${code}`))
      resume(Effect.void)
    })
    return Effect.callback<void>((done) => {
      if (child.exitCode !== null || child.signalCode !== null) return done(Effect.void)
      child.removeAllListeners("exit")
      child.once("exit", () => done(Effect.void))
      child.kill("SIGTERM")
    })
  })

/** JSON, which the channel speaks, has no NaN. */
const revive = (message: unknown): unknown =>
  JSON.parse(JSON.stringify(message), (key, value: unknown) => value === null && key !== "missing" ? NaN : value)

const died = (group: Group, now: number, how: string): Row => ({
  group: group.name,
  name: "the process of this group",
  unit: "",
  better: "less",
  values: [],
  cpu: {},
  per: "run",
  load: { before: now, after: now },
  note: "",
  missing: `ended by ${how} before all rows were measured`
})
