/**
 * One run of a program that is not ours, on a simulated cluster.
 *
 * The program is in the client's process; faults come as its case says, then all
 * is healed, and it must end. What the cluster promises is checked meanwhile, and
 * once the program has ended and let go of everything, nothing may be left.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import type { Client } from "@skein/client/Client"
import type { Cluster } from "@skein/client/Cluster"
import type { Case } from "../Case.ts"
import { checkForgotten, checkLeftovers, type Violation } from "../cases/Checks.ts"
import { Marks } from "../cases/Marks.ts"
import { truthOf } from "../cases/Run.ts"
import * as Watch from "../cases/Watch.ts"
import { Deadlock, EscapedSimulation, OutOfSteps, OutOfTime } from "../Errors.ts"
import type { FaultKind } from "../Fault.ts"
import * as SimCluster from "../SimCluster.ts"
import * as World from "../World.ts"
import { around } from "./Costs.ts"
import { layerOf, type SimPlan } from "./Options.ts"
import * as Sim from "./Sim.ts"

/** A program that a simulation runs: it finds client and cluster in its surroundings. */
export type Program = Effect.Effect<unknown, unknown, Client | Cluster | Sim.Sim | Scope.Scope>

export interface Options {
  readonly plan: SimPlan
  /** Exports of the plan's modules, by URL. */
  readonly modules: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly oracle: Sim.Options["oracle"]
  /** Whether errors get stacks: slower, and of another hash. @default false */
  readonly stacks?: boolean
}

export interface Outcome {
  /** What failed, of the program or of the cluster; undefined: nothing. */
  readonly violation: (Violation & { readonly atMs: number }) | undefined
  /** Why, where the program itself failed. */
  readonly cause: Cause.Cause<unknown> | undefined
  /** It asked the oracle, which could not answer: nothing else is known of the run. */
  readonly needsOracle: boolean
  readonly hash: string
  readonly steps: number
  readonly virtualMs: number
  /** How long the program itself took. */
  readonly programMs: number
  readonly injected: ReadonlyMap<FaultKind, number>
  /** What was said of `sometimes`. */
  readonly seen: ReadonlyMap<string, boolean>
  readonly lines: ReadonlyArray<string>
}

/** Of the cluster's coming up and its end, beside the program. */
const AROUND_MS = 300_000
/** How long it may take until nothing is left: the graces of whoever is gone, and some more. */
const FORGETTING_MS = 120_000
/** How long nannies may wait before they start a worker again. */
const BACKING_OFF_MS = 20_000

export const run = (program: () => Program, of: Case, options: Options): Outcome => {
  const seen = new Map<string, boolean>()
  const told: Told = { programMs: 0, injected: new Map(), during: "the cluster came up", cause: undefined }
  const world = World.run({
    seed: of.seed,
    schedule: of.schedule,
    maxMs: options.plan.maxVirtualMs + AROUND_MS,
    maxSteps: 200_000_000,
    trace: true,
    stacks: options.stacks === true
  }, running(program, of, options, seen, told))
  const failure = Exit.isFailure(world.exit) ? Cause.squash(world.exit.cause) : undefined
  const needsOracle = failure instanceof Sim.NeedsOracle
  return {
    violation: Exit.isSuccess(world.exit) || needsOracle ? undefined : { ...violationOf(failure, told), atMs: failure instanceof Watch.CheckFailed ? failure.atMs : world.virtualMs },
    cause: told.cause,
    needsOracle,
    hash: world.hash,
    steps: world.steps,
    virtualMs: world.virtualMs,
    programMs: told.programMs,
    injected: told.injected,
    seen,
    lines: world.lines
  }
}

interface Told {
  programMs: number
  injected: ReadonlyMap<FaultKind, number>
  /** What was being done. */
  during: string
  cause: Cause.Cause<unknown> | undefined
}

/** The program has failed: how it ends a run. */
class ProgramFailed extends Error {
  override readonly name = "ProgramFailed"
}

/** The cluster of a program that is not ours. `asks`: the run answers an oracle, so no modelled task fails. */
export const startCluster = Effect.fnUntraced(function*(of: Case, { modules, plan }: Pick<Options, "modules" | "plan">, asks: boolean) {
  const layer = layerOf(plan)
  const cluster = yield* SimCluster.make({
    workers: of.cluster.workers,
    slots: plan.cluster.fibersPerWorker,
    threads: plan.cluster.threadsPerWorker,
    network: of.network,
    modules,
    around: around(plan.costs, asks),
    ...(layer === undefined ? {} : { layer })
  })
  cluster.net.loss = plan.network?.loss ?? 0
  return cluster
})

const running = Effect.fnUntraced(function*(program: () => Program, of: Case, { modules, oracle, plan }: Options, seen: Map<string, boolean>, told: Told) {
  const world = World.current()
  const cluster = yield* startCluster(of, { modules, plan }, oracle._tag === "Asks")
  told.injected = cluster.injected
  const watch = Watch.make(of, world, cluster, new Marks())
  const sim = Sim.make({ cluster, seed: of.seed, seen, oracle, lasting: plan.maxVirtualMs })
  told.during = "the program ran"
  const began = world.now
  const undo = [
    ...of.faults.map((fault) => world.at(began + fault.at, () => void cluster.inject(fault))),
    world.at(began + of.healAt, () => cluster.heal()),
    world.at(began + of.healAt + BACKING_OFF_MS, () => startAnother(cluster))
  ]
  const client = cluster.clients[0]!
  const body = client.run(Effect.provideService(Effect.suspend(program), Sim.Sim, sim))
  const exit = yield* Effect.timeoutOption(body.exit, plan.maxVirtualMs)
  for (const one of undo) one()
  told.programMs = world.now - began
  if (exit._tag === "None") return yield* Effect.die(new ProgramFailed(`it had not ended after ${plan.maxVirtualMs} ms of virtual time. ${world.waiting().filter((line) => line.startsWith("client-0")).join("; ")}`))
  if (Exit.isFailure(exit.value)) {
    told.cause = exit.value.cause
    return yield* Effect.die(new ProgramFailed(Cause.pretty(exit.value.cause)))
  }
  yield* clearAway(cluster, watch, told)
})

/** Every nanny may have given up, after five deaths within a minute; then an operator starts another worker. */
const startAnother = (cluster: SimCluster.SimCluster): void => {
  if (cluster.workers().size === 0) cluster.process("owner")?.run(cluster.scale(1))
}

/** The program has let go of its client, so nothing of what it wanted may be left. */
const clearAway = Effect.fnUntraced(function*(cluster: SimCluster.SimCluster, watch: Watch.Watch, told: Told) {
  const { world } = cluster
  told.during = "all was to be forgotten"
  cluster.heal()
  yield* Effect.forEach(cluster.clients, ({ leave }) => leave, { discard: true })
  const judged = () => {
    const scheduler = cluster.scheduler()
    if (scheduler === undefined) return undefined
    return checkForgotten(scheduler.state(), scheduler.desk.tables.keys.size(), truthOf(cluster))
  }
  const latest = world.now + FORGETTING_MS
  while (judged() !== undefined && world.now < latest) yield* Effect.sleep(100)
  watch.judge(judged())
  watch.lookClosely()
  watch.stop()
  told.during = "the cluster was ended"
  yield* cluster.shutdown
  watch.judge(checkLeftovers(cluster.leftovers()))
  yield* Effect.yieldNow
})

/** What failed, under a name that stays the same as the run is shortened. */
const violationOf = (failure: unknown, { cause, during }: Told): Violation => {
  if (failure instanceof Watch.CheckFailed) return failure.violation
  if (failure instanceof Sim.AlwaysFailed) return { id: `always "${failure.name}"`, saw: failure.message }
  const saw = failure instanceof Error ? failure.message : String(failure)
  if (failure instanceof ProgramFailed) return { id: cause === undefined ? "L1" : nameOf(Cause.squash(cause)), saw }
  const id = failure instanceof Deadlock ? "L2" : failure instanceof OutOfTime || failure instanceof OutOfSteps ? "L1" : failure instanceof EscapedSimulation ? `escaped by ${failure.what}` : nameOf(failure)
  return { id, saw: `while ${during}: ${saw}` }
}

const nameOf = (failure: unknown): string => {
  if (typeof failure !== "object" || failure === null) return String(failure)
  if ("_tag" in failure && typeof failure._tag === "string") return "reason" in failure && isTagged(failure.reason) ? `${failure._tag} ${failure.reason._tag}` : failure._tag
  return failure instanceof Error ? failure.name : "failure"
}

const isTagged = (value: unknown): value is { readonly _tag: string } => typeof value === "object" && value !== null && "_tag" in value
