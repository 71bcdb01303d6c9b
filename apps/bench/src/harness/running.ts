/**
 * Runs groups, each in a process of its own, and hands on their rows.
 */
import { Duration, Effect, Schema } from "effect"
import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { Group } from "../groups.ts"
import type { Options } from "./Bench.ts"
import { load } from "./procfs.ts"
import { Row } from "./Row.ts"

/** Milliseconds that a process has for its good end, and that of its clusters. */
const END_MS = 30_000

const entry = fileURLToPath(new URL("../child.ts", import.meta.url))

/** Minutes that a group may take. */
export const minutesOf = (group: Pick<Group, "minutes">, extent: Options["extent"]): number => extent === "all" ? Infinity : group.minutes ?? 10

/** Runs one group. A process that dies, or that has to be ended because it takes too long, is a row that says so. */
export const runGroup = (group: Group, options: Options, onRow: (row: Row) => void, minutes = minutesOf(group, options.extent)): Effect.Effect<void> =>
  Effect.timeoutOrElse(running(group, options, onRow), {
    duration: Duration.minutes(minutes),
    orElse: () => Effect.sync(() => onRow(died(group, load(), `ended after ${minutes} minutes, before all rows were measured`)))
  })

/** Interrupted, it ends the process and waits for it. */
const running = (group: Group, options: Options, onRow: (row: Row) => void): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const child = fork(entry, [JSON.stringify(options)], {
      execArgv: ["--expose-gc", ...(group.heapMiB === undefined ? [] : [`--max-old-space-size=${group.heapMiB}`])],
      stdio: ["ignore", "inherit", "inherit", "ipc"]
    })
    child.on("message", (message) => onRow(Schema.decodeUnknownSync(Row)(revive(message))))
    child.once("exit", (code, signal) => {
      if (code !== 0) onRow(died(group, load(), `ended by ${signal ?? `exit code ${code}`} before all rows were measured`))
      resume(Effect.void)
    })
    return Effect.callback<void>((done) => {
      if (child.exitCode !== null || child.signalCode !== null) return done(Effect.void)
      child.removeAllListeners("exit")
      const timer = setTimeout(() => child.kill("SIGKILL"), END_MS)
      child.once("exit", () => {
        clearTimeout(timer)
        done(Effect.void)
      })
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
  missing: how
})
