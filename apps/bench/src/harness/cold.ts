/**
 * Cold rows: each run has a new client and a new cluster, in processes that have
 * run nothing before.
 */
import { Effect } from "effect"
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { Isolation } from "../submitting.ts"
import type { Graph } from "../workloads.ts"
import { rows } from "./measure.ts"
import { lastWord, ProcessFailed } from "./processes.ts"

const entry = fileURLToPath(new URL("../coldStart.ts", import.meta.url))

/** What such a run found. */
export interface Cold {
  /** From the call of `LocalCluster.layer` until its workers had registered. */
  readonly startMs: number
  /** From the first submission until the values were there. */
  readonly ms: number
  /** Microseconds of processor in the same time. */
  readonly cpu: Readonly<Record<string, number>>
}

/** Starts a cluster in a new process and has a graph done there; no graph: only the start. */
export const coldRun = (graph: string | null, isolation: Isolation, env: Readonly<Record<string, string>> = {}): Effect.Effect<Cold, ProcessFailed> =>
  Effect.callback((resume) => {
    const child = execFile(process.execPath, [entry, graph ?? "nothing", isolation], { env: { ...process.env, ...env } }, (error, stdout, stderr) => {
      if (error === null) return resume(Effect.succeed(JSON.parse(stdout) as Cold)) // what coldStart.ts writes
      resume(Effect.fail(new ProcessFailed({ command: "a cold start", detail: lastWord(stderr) || error.message })))
    })
    return Effect.sync(() => child.kill("SIGTERM"))
  })

/** A row of the first round of a graph. */
export const cold = (graph: Graph, isolation: Isolation) => {
  let used: Readonly<Record<string, number>> = {}
  return rows({
    figures: [{ name: `${graph.name}, no-op in a ${isolation}, 2 × 1, cold`, unit: "µs a task" }],
    round: Effect.map(coldRun(graph.name, isolation), ({ cpu, ms }) => {
      used = cpu
      return [ms * 1_000 / graph.deps.length]
    }),
    used: () => used,
    work: graph.deps.length,
    per: "task"
  })
}
