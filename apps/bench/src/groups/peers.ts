/**
 * The same workloads on dask.distributed and Ray, through their public
 * interfaces: their programs are in peers/.
 *
 * Dask, with both settings of `worker-saturation`, takes turns with Skein, round
 * by round, and a row says how many times as long its better setting took: what
 * is to be reached is a ratio, and a machine's speed changes within minutes.
 * *cold* is the first round of new processes, which are gone before the next
 * begin; *warm* is after a round (Skein: five), with all three clusters up and
 * one at work. Ray comes by itself, for its processes are never quite idle. A
 * peer that is missing is a row that says so.
 */
import { Effect } from "effect"
import { fileURLToPath } from "node:url"
import { Bench } from "../harness/Bench.ts"
import { type Real, real } from "../harness/clusters.ts"
import { coldRun } from "../harness/cold.ts"
import { type Contender, type Found, inTurn } from "../harness/inTurn.ts"
import { absent, difference, type Figure, perUnit, row, rows, sample, timed, why } from "../harness/measure.ts"
import { type Answer, type Peer, peer } from "../harness/peer.ts"
import { peerVersions } from "../harness/python.ts"
import { byLevels, release, sinksOf, sleeping, type Submitted } from "../submitting.ts"
import * as Workloads from "../workloads.ts"

const graphs = [Workloads.map(10_000), Workloads.merge(10_000), Workloads.treeOf(10_000)]
const slow = Workloads.mergeSlow(5_000, 100)
const SLEEPERS = 24

export const shapes: ReadonlyArray<string> = graphs.map(({ name }) => name)
const saturations = ["1.1", "inf"] as const
type Saturation = (typeof saturations)[number]
type Heat = "cold" | "warm"

/** The row of a Dask figure. */
const daskName = (what: string, saturation: Saturation, heat: Heat) => `dask, ${what}, saturation ${saturation}, ${heat}`
/** The row that says how many times as long Dask's better setting took. */
export const ratioName = (what: string, heat: Heat) => `dask's better setting over skein, ${what}, ${heat}`
const ourName = (what: string, heat: Heat) => `skein, ${what}, ${heat}`

type Round = Pick<Contender, "round" | "warm">

/** Skein and both settings of Dask, in turn, if a row of that is wanted. */
const beside = Effect.fnUntraced(function*(what: string, heat: Heat, unit: string, ours: Round, theirs: (saturation: Saturation) => Round) {
  const { wants } = yield* Bench
  const contest = {
    unit,
    per: "task",
    ours: { name: ourName(what, heat), ...ours },
    theirs: saturations.map((saturation) => ({ name: daskName(what, saturation, heat), ...theirs(saturation) })),
    ratio: ratioName(what, heat)
  }
  if ([contest.ours.name, contest.ratio, ...contest.theirs.map(({ name }) => name)].some(wants)) yield* inTurn(contest)
})

const program = (name: string) => fileURLToPath(new URL(`../../peers/${name}`, import.meta.url))
const onDask = (python: string, saturation: Saturation, workers: number) => peer(python, [program("on_dask.py"), saturation, String(workers)])
const found = ({ cpu, values }: Answer): Found => ({ figure: values[0] ?? NaN, cpu })

const cold = Effect.gen(function*() {
  const { options: { python } } = yield* Bench
  for (const { deps, name } of graphs) {
    const round = Effect.map(coldRun(name, "fiber"), ({ cpu, ms }): Found => ({ figure: ms * 1_000 / deps.length, cpu: perUnit(cpu, deps.length) }))
    yield* beside(name, "cold", "µs a task", { warm: 0, round }, (saturation) => ({
      warm: 0,
      round: Effect.scoped(Effect.flatMap(onDask(python, saturation, 2), ({ ask }) => Effect.map(ask(name), found)))
    }))
  }
})

/** A round on a cluster of ours: from the first submission until the values are here. */
const ourRound = ({ client, processes }: Real, graph: Workloads.Graph, submit: Effect.Effect<Submitted, unknown>, figure: (ms: number) => number) =>
  Effect.gen(function*() {
    const since = sample(processes())
    const [ms, futures] = yield* timed(Effect.tap(submit, (futures) => client.gather(sinksOf(graph, futures))))
    const cpu = perUnit(difference(since, sample(processes())), graph.deps.length)
    yield* release(client, futures)
    return { figure: figure(ms), cpu } satisfies Found
  })

const tripFigures = (saturation: Saturation): ReadonlyArray<Figure> =>
  ["p50", "p99"].map((share) => ({ name: daskName(`submit → result, back to back, ${share}`, saturation, "warm"), unit: "ms" }))

/** A peer's round trips; its processor time is not told. */
const trips = (figures: ReadonlyArray<Figure>, { ask }: Peer) => rows({ figures, warm: 1, round: Effect.map(ask("trips"), ({ values }) => values), processes: () => ({}) })

const warm = Effect.scoped(Effect.gen(function*() {
  const { options: { python } } = yield* Bench
  const ours = yield* real({ workers: 2, threadsPerWorker: 1, fibersPerWorker: 1 })
  const dasks = { "1.1": yield* onDask(python, "1.1", 2), inf: yield* onDask(python, "inf", 2) }
  for (const graph of graphs) {
    const submit = Effect.suspend(() => byLevels(ours.client, graph))
    yield* beside(
      graph.name,
      "warm",
      "µs a task",
      { warm: 5, round: ourRound(ours, graph, submit, (ms) => ms * 1_000 / graph.deps.length) },
      (saturation) => ({ warm: 1, round: Effect.map(dasks[saturation].ask(graph.name), found) })
    )
  }
  for (const saturation of saturations) yield* trips(tripFigures(saturation), dasks[saturation])
}))

const SLOW_NAME = `${slow.name}, ${SLEEPERS} × 1`

/** 24 sleepers of each, which are up together: 75 processes. */
const sleepers = Effect.scoped(Effect.gen(function*() {
  const { options: { python } } = yield* Bench
  const ours = yield* real({ workers: SLEEPERS, threadsPerWorker: 1, fibersPerWorker: 1 })
  const dasks = { "1.1": yield* onDask(python, "1.1", SLEEPERS), inf: yield* onDask(python, "inf", SLEEPERS) }
  const submit = Effect.suspend(() => sleeping(ours.client, slow))
  yield* beside(
    SLOW_NAME,
    "warm",
    "× ideal",
    { warm: 0, round: ourRound(ours, slow, submit, (ms) => ms / Workloads.idealMs(slow, SLEEPERS)) },
    (saturation) => ({ warm: 0, round: Effect.map(dasks[saturation].ask("slow"), found) })
  )
}))

/** If a cluster of either does not come up, a row says why. */
const orAbsent = <E, R>(figure: Figure, measured: Effect.Effect<void, E, R>) => Effect.catchCause(measured, (cause) => absent(figure, why(cause)))

const dask = Effect.gen(function*() {
  const { options: { extent }, wants } = yield* Bench
  const wantsAny = (heat: Heat, whats: ReadonlyArray<string>) =>
    whats.some((what) => [ourName(what, heat), ratioName(what, heat), ...saturations.map((saturation) => daskName(what, saturation, heat))].some(wants))
  yield* cold
  if (wantsAny("warm", [...shapes, "submit → result, back to back, p50", "submit → result, back to back, p99"])) yield* orAbsent({ name: "dask, warm", unit: "" }, warm)
  if (!wantsAny("warm", [SLOW_NAME])) return
  if (extent === "all") yield* orAbsent({ name: ratioName(SLOW_NAME, "warm"), unit: "×", better: "more" }, sleepers)
  else yield* absent({ name: ratioName(SLOW_NAME, "warm"), unit: "×", better: "more" }, "only with --all: a minute for each round of three, each of which waits for nearly as long as the ideal")
})

const rayTrips = ["p50", "p99"].map((share): Figure => ({ name: `ray, submit → result, back to back, ${share}`, unit: "ms" }))

const ray = orAbsent({ name: "ray", unit: "" }, Effect.scoped(Effect.gen(function*() {
  const { options: { python } } = yield* Bench
  const running = yield* peer(python, [program("on_ray.py")])
  yield* row({ name: "ray, ready, two CPUs", unit: "ms", round: Effect.succeed(running.readyMs), runs: 1, processes: () => ({}), note: "one run" })
  let used: Found["cpu"] = {}
  const rounds = (name: string, what: string, more: { readonly warm?: number; readonly runs?: number; readonly note?: string }) =>
    row({
      name,
      unit: "µs a task",
      round: Effect.map(running.ask(what), (answer) => {
        used = answer.cpu
        return found(answer).figure
      }),
      used: () => used,
      per: "task",
      ...more
    })
  yield* rounds(`ray, ${shapes[0]}, cold`, shapes[0]!, { runs: 1, note: "one run, the first of these processes" })
  for (const shape of shapes) yield* rounds(`ray, ${shape}, warm`, shape, { warm: 1 })
  yield* trips(rayTrips, running)
})))

export const peers = Effect.gen(function*() {
  const { options: { against, python } } = yield* Bench
  const versions = peerVersions(python)
  for (const [peer, module, measure] of [["dask", "distributed", dask], ["ray", "ray", ray]] as const) {
    if (!against.includes(peer)) yield* absent({ name: peer, unit: "" }, "not asked for: --against dask,ray")
    else if (versions[module] === undefined) {
      yield* absent({ name: peer, unit: "" }, `${python} cannot import ${module}: apps/bench/README.md says how to install it; --dask PYTHON names the Python that has it`)
    } else yield* measure
  }
})
