/**
 * A case, run: submitted, disturbed, healed, judged, and cleared away.
 *
 * First the *safety* phase: operations and faults at their times. Then all faults
 * are healed, and the *liveness* phase begins: whatever is still waited for must
 * end in time. At rest the books must agree with the stores; and once everything is
 * released, nothing may be left.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { INLINE_LIMIT } from "@skein/protocol/Graph"
import type { Case, Operation } from "../Case.ts"
import { Deadlock, EscapedSimulation, OutOfSteps, OutOfTime } from "../Errors.ts"
import type { Fault, FaultKind } from "../Fault.ts"
import * as SimCluster from "../SimCluster.ts"
import * as World from "../World.ts"
import * as Agents from "./Agents.ts"
import {
  checkAnswer, checkCancelled, checkChildren, checkExecutions, checkForgotten, checkLeftovers, checkOneGraph, checkReplicas, checkResolved, type Violation, type WorkerTruth
} from "./Checks.ts"
import type { Answer, Cancelled } from "./History.ts"
import { Marks } from "./Marks.ts"
import { endlessOf, interpret, type Oracle } from "./Oracle.ts"
import { type Execution, record } from "./Work.ts"
import * as Watch from "./Watch.ts"

export interface RunOptions {
  /** Keeps a line for all that happened. @default false */
  readonly trace?: boolean
  /** Keeps a mark of each step, for `World.divergence`. @default false */
  readonly record?: boolean
}

/** What came of a run. */
export interface Outcome {
  /** The first check that failed, and when; undefined: none did. */
  readonly violation: (Violation & { readonly atMs: number }) | undefined
  readonly hash: string
  readonly steps: number
  /** All of it, milliseconds. */
  readonly virtualMs: number
  /** Faults that found their target. */
  readonly injected: ReadonlyMap<FaultKind, number>
  /** Those of them that came while something was to be computed. */
  readonly duringActivity: number
  readonly marks: Marks
  readonly answers: ReadonlyArray<Answer>
  readonly executions: ReadonlyArray<Execution>
  /** With `trace`. */
  readonly lines: ReadonlyArray<string>
  /** With `record`. */
  readonly record: ReadonlyArray<string>
}

export const runCase = (of: Case, options: RunOptions = {}): Outcome => {
  const history = emptyHistory()
  const world = World.run({
    seed: of.seed,
    schedule: of.schedule,
    maxMs: of.endBy + AFTERMATH_MS + STARTING_MS,
    maxSteps: 20_000_000,
    ...(options.trace === true ? { trace: true } : {}),
    ...(options.record === true ? { record: true } : {})
  }, program(of, history))
  return {
    violation: violationOf(world.exit, history, world.virtualMs),
    hash: world.hash,
    steps: world.steps,
    virtualMs: world.virtualMs,
    injected: history.injected,
    duringActivity: history.duringActivity,
    marks: history.marks,
    answers: history.answers,
    executions: history.executions,
    lines: world.lines,
    record: world.record
  }
}

/** What a run leaves behind, however it ends. */
interface History {
  injected: ReadonlyMap<FaultKind, number>
  duringActivity: number
  readonly marks: Marks
  readonly answers: Array<Answer>
  executions: ReadonlyArray<Execution>
  /** What is being done, for a run that does not end. */
  phase: "starting" | "disturbed" | "healing" | "resting" | "asking again" | "forgetting" | "ending"
}

const emptyHistory = (): History => ({ injected: new Map(), duringActivity: 0, marks: new Marks(), answers: [], executions: [], phase: "starting" })

/** How long nannies may wait before they start a worker again; looked at twice. */
const BACKING_OFF_MS = 10_000
/** A cluster comes up within this, virtual milliseconds. */
const STARTING_MS = 60_000
/** How long the books may take to agree with the stores once nothing is computed any more. */
const RESTING_MS = 30_000
/** How long it may take until nothing is left: the graces of clients and nannies that are gone, and some more. */
const FORGETTING_MS = 120_000
/** All that may come after `endBy`. */
const AFTERMATH_MS = RESTING_MS + FORGETTING_MS + 120_000

const program = Effect.fnUntraced(function*(of: Case, history: History) {
  const world = World.current()
  history.executions = record().executions
  const { clients, cluster: { slots, workers }, journal = false, network } = of
  const cluster = yield* SimCluster.make({ workers, slots, clients, network, journal, resources: { GPU: 2 } })
  history.injected = cluster.injected
  const watch = Watch.make(of, world, cluster, history.marks)
  const oracle = interpret(of)
  const agents: Array<Agents.Agent> = []
  const hears = listener({ of, oracle, watch, history, agents })
  cluster.clients.forEach((client, index) => agents.push(Agents.make(of, index, client, hears, () => world.now)))
  const run: Run = { of, world, cluster, watch, oracle, agents, history, began: world.now }

  history.phase = "disturbed"
  yield* disturb(run)
  history.phase = "healing"
  yield* Effect.forkScoped(operator(run))
  yield* heal(run)
  if (cluster.scheduler() !== undefined) {
    history.phase = "resting"
    yield* rest(run)
    history.phase = "asking again"
    yield* askAgain(run)
    history.phase = "forgetting"
    yield* forget(run)
  }
  watch.judge(checkExecutions(oracle, history.executions) ?? checkChildren(of, history.executions))
  for (const execution of history.executions) markSlot(history.marks, execution)
  if (cluster.disk.failed > 0) history.marks.see("a journal could not be written")
  history.phase = "ending"
  watch.stop()
  yield* cluster.shutdown
  watch.judge(checkLeftovers(cluster.leftovers()))
})

/** What a body did with its slot. */
const markSlot = (marks: Marks, { children, how, slot }: Execution): void => {
  if (children === "right") marks.see("a body waited for tasks of its own")
  if (slot === "taken again") marks.see("a body gave up its slot and got one again")
  if (slot !== "given up") return
  if (how === "succeeded") marks.see("a body gave up its slot and ended without one")
  if (how === "failed") marks.see("a body failed without a slot")
  if (how === "interrupted") marks.see("a body was stopped while it had no slot")
}

/** What the phases share. */
interface Run {
  readonly of: Case
  readonly world: World.World
  readonly cluster: SimCluster.SimCluster
  readonly watch: Watch.Watch
  readonly oracle: Oracle
  readonly agents: ReadonlyArray<Agents.Agent>
  readonly history: History
  /** When the cluster was up: time 0 of the case. */
  readonly began: number
}

interface Listening extends Pick<Run, "of" | "oracle" | "watch" | "history" | "agents"> {}

/** What happens to tasks by themselves, and what a failure says of it. */
const failureMarks = {
  TimedOut: "a body ran for longer than its limit",
  Conflict: "a key was refused for another graph",
  Lost: "data was lost with its workers"
} as const

const listener = ({ agents, history, of, oracle, watch }: Listening): Agents.Listener => {
  const tasks = new Map(of.tasks.map((task) => [task.id, task]))
  const markAnswer = ({ ending, task }: Answer) => {
    if (ending._tag === "Failed" && ending.how in failureMarks) history.marks.see(failureMarks[ending.how as keyof typeof failureMarks])
    if (ending._tag !== "Value") return
    if (ending.bytes > INLINE_LIMIT) history.marks.see("a value was fetched from its holder")
    if (tasks.get(task)?.body._tag === "Scattered") history.marks.see("data was sent to a worker")
  }
  /** Held by clients whose sessions last: what they have had a value of, the scheduler keeps under its key. */
  const valued = () =>
    agents.filter((agent) => !oracle.mayLose.has(agent.index) && !oracle.gone.has(agent.index)).flatMap(({ handles, index }) =>
      handles.flatMap(({ ending, endedAt, released, task }) =>
        released || ending?._tag !== "Value" || oracle.adopted.has(task) ? [] : [{ client: index, task, since: endedAt }])
    )
  /** Only what a future says first: it may have been made long before. */
  const isOneGraph = ({ asked, client, ending, handle, task }: Answer) => {
    if (asked !== "result" || ending._tag !== "Value" || !hasRival.has(task) || oracle.adopted.has(task)) return undefined
    const made = agents[client]?.handles.find((one) => one.task === task && one.handle === handle)
    return made && checkOneGraph(of, { client, task, since: made.madeAt }, valued())
  }
  const hasRival = new Set(of.tasks.flatMap(({ id, under }) => under === undefined ? [] : [id, under]))
  const submitted = new Map<number, Set<number>>()
  return {
    onAnswer: (answer) => {
      history.answers.push(answer)
      markAnswer(answer)
      watch.judge(checkAnswer(oracle, answer) ?? isOneGraph(answer))
    },
    onCancelled: (cancelled: Cancelled, wasPending) => {
      const running = watch.running(cancelled.task)
      watch.judge(checkCancelled(of, cancelled, running))
      if (wasPending && cancelled.outcome === "already-done") history.marks.see("a cancellation crossed a completion")
      if (cancelled.outcome === "shared") history.marks.see("a cancellation was shared")
      if (cancelled.outcome === "cancelled" && history.executions.some(({ how, task }) => task === cancelled.task && how === "interrupted")) {
        history.marks.see("a cancellation stopped a running body")
      }
    },
    onCollected: (wasPending) => history.marks.see(wasPending ? "a pending future was collected" : "a future was collected"),
    onDetached: () => history.marks.see("a task was to be done whoever held it"),
    onAdopted: () => history.marks.see("a task was asked for by its key"),
    onSubmitted: (client, task) => {
      const by = submitted.get(task) ?? new Set()
      if (by.has(client)) history.marks.see("a key was forgotten and submitted again")
      by.add(client)
      submitted.set(task, by)
      if (by.size > 1) history.marks.see("a task was submitted by two clients")
    }
  }
}

/** Operations and faults at their times. */
const disturb = Effect.fnUntraced(function*(run: Run) {
  const { agents, of, world } = run
  const named = new Set(of.operations.flatMap((operation) => operation._tag === "Submit" ? operation.tasks : []))
  for (const agent of agents) {
    const own = of.tasks.filter(({ client, id }) => client === agent.index && !named.has(id)).map(({ id }) => id)
    if (own.length > 0) agent.submit(own)
  }
  if (of.inBatches === true) run.history.marks.see("tasks were submitted in a batch")
  const actions = [
    ...of.operations.map((operation) => ({ at: operation.at, act: operate(run, operation) })),
    ...of.faults.map((fault) => ({ at: fault.at, act: inject(run, fault) }))
  ].sort((a, b) => a.at - b.at)
  for (const { act, at } of actions) {
    const wait = run.began + at - world.now
    if (wait > 0) yield* Effect.sleep(wait)
    // What it begins goes on while the next is done.
    yield* Effect.forkScoped(act, { startImmediately: true })
  }
  yield* until(run, run.began + of.healAt, () => isSettled(run))
})

/** Begins an operation. Only scaling takes its time. */
const operate = ({ agents, cluster, history, of }: Run, operation: Operation): Effect.Effect<unknown> =>
  Effect.suspend(() => {
    switch (operation._tag) {
      case "Submit": {
        const client = of.tasks.find(({ id }) => id === operation.tasks[0])?.client
        if (client !== undefined) agents[client]?.submit(operation.tasks)
        return Effect.void
      }
      case "Resubmit":
        agents[operation.client]?.resubmit(operation.task)
        return Effect.void
      case "Adopt":
        agents[operation.client]?.adopt(operation.task)
        return Effect.void
      case "Ask":
        history.marks.see("results were asked for in one go")
        agents[operation.client]?.ask(operation.how)
        return Effect.void
      case "Leave":
        if (Watch.isWorking(cluster)) history.marks.see("a client left while its tasks ran")
        return agents[operation.client]?.leave() ?? Effect.void
      case "Scale":
        return cluster.scale(operation.workers)
      default: {
        // Whoever holds it: as a rule the client whose task it is.
        const holders = agents.filter(({ handles }) => handles.some(({ released, task }) => task === operation.task && !released))
        if (operation._tag === "Cancel") for (const agent of holders.slice(0, 1)) agent.cancel(operation.task, operation.force)
        if (operation._tag === "Release") for (const agent of holders) agent.release(operation.task)
        if (operation._tag === "Collect") for (const agent of holders) agent.lose(operation.task)
        if (operation._tag === "Detach") for (const agent of holders.slice(0, 1)) agent.detach(operation.task)
        if (operation._tag === "Retry") for (const agent of holders.slice(0, 1)) agent.retry(operation.task)
        return Effect.void
      }
    }
  })

const inject = ({ cluster, history, watch }: Run, fault: Fault): Effect.Effect<void> =>
  Effect.sync(() => {
    watch.before(fault)
    const isActive = Watch.isWorking(cluster)
    if (cluster.inject(fault) && isActive) history.duringActivity++
  })

/** The faults are over: all that is waited for must come to an end. */
const heal = Effect.fnUntraced(function*(run: Run) {
  const { agents, cluster, history, of, oracle, watch } = run
  cluster.heal()
  const isDone = cancelingTheEndless(run)
  const latest = run.began + of.endBy
  yield* until(run, latest, isDone)
  for (const { index, refused } of agents) {
    if (refused() !== undefined && !oracle.mayLose.has(index)) watch.judge({ id: "C1", saw: `client-${index} could not connect: ${refused()?.message}` })
  }
  if (isSettled(run)) {
    if (cluster.scheduler() === undefined && history.answers.some(({ ending }) => ending._tag === "SchedulerLost")) {
      history.marks.see("every future was told of the scheduler's end")
    }
    return watch.lookClosely()
  }
  const waiting = present(run).flatMap(({ handles }) => handles.filter(isWaitedFor))
  const busy = present(run).filter((agent) => agent.busy() > 0)
  watch.judge(checkResolved(waiting) ?? { id: "L1", saw: `${busy.map(({ index }) => `client-${index}`).join(", ")} could not finish what it was told, in ${history.phase}` })
  yield* Effect.yieldNow
})

/**
 * A nanny gives up after five deaths within a minute, and all of them may have. Then somebody starts another worker, again and again
 * if need be.
 */
const operator = Effect.fnUntraced(function*({ cluster, history, of }: Run) {
  let without = 0
  for (let added = 1; history.phase !== "ending";) {
    yield* Effect.sleep(BACKING_OFF_MS)
    without = cluster.workers().size === 0 ? without + 1 : 0
    if (without < 2) continue
    without = 0
    yield* Effect.forkChild(cluster.scale(wantedWorkers(of) + added++))
  }
})

/** Whether all has ended; what would never end by itself is cancelled, as soon as it has been submitted. */
const cancelingTheEndless = (run: Run): () => boolean => {
  const endless = endlessOf(run.of)
  const cancelled = new Set<Agents.Handle>()
  return () => {
    for (const agent of present(run)) {
      for (const handle of agent.handles) {
        if (!endless.has(handle.task) || cancelled.has(handle) || !isWaitedFor(handle)) continue
        cancelled.add(handle)
        agent.cancel(handle.task, true)
      }
    }
    return isSettled(run)
  }
}

/** Nothing is computed, and the books are to agree with the stores. */
const rest = Effect.fnUntraced(function*(run: Run) {
  const { cluster, watch, world } = run
  const judged = () => {
    const scheduler = cluster.scheduler()
    return scheduler === undefined ? undefined : checkReplicas(scheduler.state(), truthOf(cluster))
  }
  yield* until(run, world.now + RESTING_MS, () => !Watch.isWorking(cluster) && judged() === undefined)
  watch.judge(judged())
  watch.lookClosely()
})

/** What was answered once is answered again. */
const askAgain = Effect.fnUntraced(function*(run: Run) {
  const { of, watch } = run
  const asked = present(run)
  // A retry of what it needs may have brought one back that never ends.
  for (const id of endlessOf(of)) for (const agent of asked) agent.cancel(id, true)
  yield* until(run, run.world.now + RESTING_MS, () => asked.every((agent) => agent.busy() === 0))
  for (const agent of asked) agent.askAgain()
  yield* until(run, run.world.now + of.endBy, () => asked.every((agent) => agent.busy() === 0))
  const waiting = asked.filter((agent) => agent.busy() > 0)
  if (waiting.length > 0) watch.judge({ id: "C1", saw: `${waiting.map(({ index }) => `client-${index}`).join(", ")} asked for all results again, and had no answer` })
})

/** Everything is released, and then nothing may be left. */
const forget = Effect.fnUntraced(function*(run: Run) {
  const { cluster, watch, world } = run
  for (const agent of present(run)) agent.releaseAll()
  const judged = () => {
    const scheduler = cluster.scheduler()
    return scheduler === undefined ? undefined : checkForgotten(scheduler.state(), scheduler.desk.tables.keys.size(), truthOf(cluster))
  }
  yield* until(run, world.now + FORGETTING_MS, () => judged() === undefined)
  watch.judge(judged())
  watch.lookClosely()
})

/** Workers that were last asked for. */
const wantedWorkers = ({ cluster, operations }: Case): number => operations.findLast((operation) => operation._tag === "Scale")?.workers ?? cluster.workers

/** Clients that can still be asked. */
const present = ({ agents }: Run): ReadonlyArray<Agents.Agent> => agents.filter((agent) => !agent.isGone())

const isWaitedFor = (handle: Agents.Handle): boolean => handle.ending === undefined && !handle.released

const isSettled = (run: Run): boolean => present(run).every((agent) => agent.busy() === 0 && !agent.handles.some(isWaitedFor))

/** What the workers themselves know, to be compared with the scheduler's books. */
export const truthOf = (cluster: SimCluster.SimCluster): ReadonlyArray<WorkerTruth> =>
  [...cluster.workers()].map(([name, { state, store }]) => ({ name, state: state(), find: store.find, stored: store.size() }))

/** Waits for a condition, looking ever more rarely; no longer than until this time. */
const until = Effect.fnUntraced(function*({ world }: Run, latest: number, isTrue: () => boolean) {
  let pause = 1
  while (!isTrue() && world.now < latest) {
    yield* Effect.sleep(Math.min(pause, Math.max(0.001, latest - world.now)))
    pause = Math.min(pause * 1.5, 250)
  }
})

/** Why a run ended otherwise than well. */
const violationOf = (exit: Exit.Exit<unknown, unknown>, history: History, virtualMs: number): Outcome["violation"] => {
  if (Exit.isSuccess(exit)) return undefined
  const error = Cause.squash(exit.cause)
  if (error instanceof Watch.CheckFailed) return { ...error.violation, atMs: error.atMs }
  const at = { atMs: virtualMs }
  const during = `while ${history.phase}: `
  if (error instanceof Deadlock) return { id: "L2", saw: during + error.message, ...at }
  if (error instanceof OutOfTime || error instanceof OutOfSteps) return { id: "L1", saw: during + error.message, ...at }
  if (error instanceof EscapedSimulation) return { id: "D", saw: during + error.message, ...at }
  return { id: "defect", saw: during + Cause.pretty(exit.cause), ...at }
}
