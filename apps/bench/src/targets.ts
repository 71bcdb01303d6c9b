/**
 * The figures to reach, as data: what issue 5 asks for, and where in a run it
 * stands.
 *
 * A figure that is made of several, such as "merge and map", is the worst of
 * them. Ratios are taken within one run, for identical runs differ by ±25 %.
 */
import { median } from "./harness/figures.ts"
import { idOf, type Run } from "./harness/Row.ts"
import { ratioName, shapes } from "./groups/peers.ts"

export interface Target {
  readonly what: string
  readonly unit: string
  readonly better: "less" | "more"
  /** What is to be reached. */
  readonly reach: number
  /** What would be better still; a function of the run where it is another's figure. */
  readonly goFor: number | ((look: Look) => number | undefined)
  /** Where it stands in a run; undefined if a part of it is missing there. */
  readonly figure: (look: Look) => number | undefined
  /** What the least that can be called a scheduler reaches in the same run; none where there is nothing to compare with. */
  readonly floor?: (look: Look) => number | undefined
}

/** The median of the row with this id; undefined if the run does not have it. */
export type Look = (id: string) => number | undefined

export const lookIn = (run: Run): Look => {
  const rows = new Map(run.rows.map((row) => [idOf(row), row]))
  return (id) => {
    const row = rows.get(id)
    return row === undefined || row.missing !== null ? undefined : median(row.values)
  }
}

const all = (figures: ReadonlyArray<number | undefined>): ReadonlyArray<number> | undefined =>
  figures.every((figure) => figure !== undefined) ? figures : undefined
const most = (figures: ReadonlyArray<number | undefined>) => {
  const known = all(figures)
  return known === undefined ? undefined : Math.max(...known)
}
const least = (figures: ReadonlyArray<number | undefined>) => {
  const known = all(figures)
  return known === undefined ? undefined : Math.min(...known)
}
const ratio = (a: number | undefined, b: number | undefined) => a === undefined || b === undefined ? undefined : a / b
const perSecond = (us: number | undefined) => us === undefined ? undefined : 1e6 / us

const zero = (look: Look, graph: string, workers = 24) => look(`zero-worker/${graph}, ${workers} workers`)
const bare = (look: Look, graph: string, workers = 24) => look(`floor/${graph}, ${workers} workers`)
const real = (look: Look, graph: string, isolation: string, heat: string) => look(`real-workers/${graph}, no-op in a ${isolation}, 2 × 1, ${heat}`)

/** Graphs that are run by 24 and by 1,000 workers. */
const thousandAnd24 = ["merge 10K", "map 10K", "tree 8191", "merge 100K", "map 100K", "tree 65535"]

/** The least of how many times as long Dask's better setting took. */
const overDask = (heat: "cold" | "warm") => (look: Look) => least(shapes.map((shape) => look(`peers/${ratioName(shape, heat)}`)))

export const targets: ReadonlyArray<Target> = [
  { what: "zero-worker, 24 workers, merge and map, 10 K", unit: "µs a task", better: "less", reach: 12, goFor: 8, figure: (look) => most([zero(look, "merge 10K"), zero(look, "map 10K")]), floor: (look) => most([bare(look, "merge 10K"), bare(look, "map 10K")]) },
  { what: "zero-worker, 24 workers, tree, 10 K", unit: "µs a task", better: "less", reach: 15, goFor: 8, figure: (look) => zero(look, "tree 8191"), floor: (look) => bare(look, "tree 8191") },
  { what: "zero-worker, 24 workers, merge and map, 100 K", unit: "µs a task", better: "less", reach: 10, goFor: 7, figure: (look) => most([zero(look, "merge 100K"), zero(look, "map 100K")]), floor: (look) => most([bare(look, "merge 100K"), bare(look, "map 100K")]) },
  { what: "zero-worker, 24 workers, tree, 100 K", unit: "µs a task", better: "less", reach: 12, goFor: 7, figure: (look) => zero(look, "tree 65535"), floor: (look) => bare(look, "tree 65535") },
  {
    what: "1 M tasks: cost per task against 10 K",
    unit: "×",
    better: "less",
    reach: 1.5,
    goFor: 1.25,
    figure: (look) => most([["merge 1M", "merge 10K"], ["map 1M", "map 10K"], ["tree 1048575", "tree 8191"]].map(([many, few]) => ratio(zero(look, many!), zero(look, few!))))
  },
  {
    what: "1,000 workers against 24",
    unit: "×",
    better: "less",
    reach: 2,
    goFor: 1.4,
    figure: (look) => most(thousandAnd24.map((graph) => ratio(zero(look, graph, 1_000), zero(look, graph)))),
    floor: (look) => most(thousandAnd24.map((graph) => ratio(bare(look, graph, 1_000), bare(look, graph))))
  },
  { what: "real workers, no-op, 2 × 1, ratio to Dask's best setting, warm", unit: "×", better: "more", reach: 10, goFor: 20, figure: overDask("warm") },
  { what: "real workers, no-op, 2 × 1, ratio to Dask's best setting, cold", unit: "×", better: "more", reach: 4, goFor: 8, figure: overDask("cold") },
  { what: "real workers, no-op, 2 × 1, fiber isolation, warm", unit: "tasks/s", better: "more", reach: 40_000, goFor: 60_000, figure: (look) => perSecond(real(look, "map 10K", "fiber", "warm")) },
  {
    what: "real workers, no-op, 2 × 1, thread isolation, warm",
    unit: "tasks/s",
    better: "more",
    reach: 20_000,
    goFor: (look) => perSecond(look("pools/piscina, map 10K, no-op, 2 threads, warm")),
    figure: (look) => perSecond(real(look, "map 10K", "thread", "warm"))
  },
  { what: "round trip submit → result, back to back, p50", unit: "ms", better: "less", reach: 0.4, goFor: 0.25, figure: (look) => look("latency/submit → result, back to back, idle cluster, p50"), floor: (look) => look("floor/submit → result, back to back, p50") },
  { what: "round trip submit → result, back to back, p99", unit: "ms", better: "less", reach: 1.5, goFor: 1.5, figure: (look) => look("latency/submit → result, back to back, idle cluster, p99"), floor: (look) => look("floor/submit → result, back to back, p99") },
  {
    what: "pure reducer, a whole life, batches of 500, 1 M live tasks, map, chain and tree",
    unit: "µs",
    better: "less",
    reach: 5,
    goFor: 3,
    figure: (look) => most(["map", "chain", "tree"].map((shape) => look(`reducer/${shape}, 1M live, batches of 500`)))
  },
  {
    what: "heap per retained task in the scheduler process",
    unit: "B",
    better: "less",
    reach: 1_200,
    goFor: 800,
    figure: (look) => most(["100K", "1M"].map((tasks) => look(`growth/scheduler's heap, ${tasks} tasks retained`)))
  },
  { what: "first task running after submitting 100 K, from the call", unit: "ms", better: "less", reach: 30, goFor: 10, figure: (look) => look("responsiveness/first of 100K tasks runs, after the call of map") },
  { what: "100 K queued tasks cancelled", unit: "ms", better: "less", reach: 500, goFor: 200, figure: (look) => look("responsiveness/100K queued tasks cancelled") },
  { what: "worker-to-worker transfer, 100 MiB values, loopback", unit: "MiB/s", better: "more", reach: 800, goFor: 960, figure: (look) => look("data/worker to worker, 100 MiB") },
  { what: "LocalCluster of two processes ready, cold compile cache", unit: "ms", better: "less", reach: 600, goFor: 300, figure: (look) => look("start-up/LocalCluster of two processes ready, cold compile cache") },
  { what: "LocalCluster of two processes ready, warm compile cache", unit: "ms", better: "less", reach: 600, goFor: 300, figure: (look) => look("start-up/LocalCluster of two processes ready, warm compile cache") },
  { what: "merge_slow 5 K × 100 ms on 24 sleepers", unit: "× ideal", better: "less", reach: 1.03, goFor: 1.02, figure: (look) => look("real-workers/merge_slow 5000 × 100 ms, sleeping in a fiber, 24 × 1") }
]

/** What became of a target: the best figure of these runs, and whether that is enough. */
export interface Verdict {
  readonly found: number | undefined
  readonly goFor: number | undefined
  /** The floor's best. */
  readonly floor: number | undefined
  readonly verdict: "reached, and the further aim" | "reached" | "not reached" | "no figure"
}

export const judge = (target: Target, runs: ReadonlyArray<Run>): Verdict => {
  const looks = runs.map(lookIn)
  const best = target.better === "less" ? Math.min : Math.max
  const figures = looks.map(target.figure).filter((figure) => figure !== undefined)
  const bottoms = looks.map((look) => target.floor?.(look)).filter((figure) => figure !== undefined)
  const floor = bottoms.length === 0 ? undefined : best(...bottoms)
  const aims = typeof target.goFor === "number" ? [target.goFor] : looks.map(target.goFor).filter((figure) => figure !== undefined)
  const goFor = aims.length === 0 ? undefined : best(...aims)
  if (figures.length === 0) return { found: undefined, goFor, floor, verdict: "no figure" }
  const found = best(...figures)
  const isEnough = (aim: number) => target.better === "less" ? found <= aim : found >= aim
  if (!isEnough(target.reach)) return { found, goFor, floor, verdict: "not reached" }
  return { found, goFor, floor, verdict: goFor !== undefined && isEnough(goFor) ? "reached, and the further aim" : "reached" }
}
