/**
 * What a case may come to: a reference interpreter, sequential and without faults.
 *
 * It knows nothing of schedulers. For each task it says which value is the right
 * one, and which failures of which tasks may stand in its place: as few as what
 * the case has in it allows. So a case without a cancellation allows no
 * cancelled task, and one with a single crash no killed one.
 */
import type { Case, CaseTask, Operation } from "../Case.ts"
import type { Fault } from "../Fault.ts"
import { digestOf } from "./Digest.ts"
import { type Ending, type FailureKind, keyOf } from "./History.ts"

/** What a future on a task may end with. */
export interface Allowed {
  readonly task: number
  /** The only right value; undefined if it can have none. */
  readonly value: { readonly digest: string; readonly bytes: number } | undefined
  /** How the task itself may fail. */
  readonly own: ReadonlySet<FailureKind>
  /** The task that its key names, in failures of its own: itself, unless it is submitted under another's. */
  readonly named: number
  /** Tasks that it may fail with, itself included, where they may fail at all. */
  readonly origins: ReadonlySet<number>
  /** In a case without faults and with nothing but submitting: how often its body runs, exactly. Else undefined. */
  readonly executions: number | undefined
}

export interface Oracle {
  readonly allowed: ReadonlyMap<number, Allowed>
  /** Tasks that somebody asks for by their keys, and those that have the same. */
  readonly adopted: ReadonlySet<number>
  /** Clients whose session may end against their will. */
  readonly mayLose: ReadonlySet<number>
  /** Clients that leave or are killed: nobody hears their answers. */
  readonly gone: ReadonlySet<number>
}

export const interpret = (of: Case): Oracle => {
  const isCalm = of.faults.length === 0 && of.operations.every(({ _tag }) => _tag === "Submit") && !of.tasks.some((task) => isUncertain(of, task))
  const allowed = new Map<number, Allowed>()
  const deaths = deathsOf(of)
  const underKey = new Map<string, Array<CaseTask>>()
  for (const task of of.tasks) {
    const known = underKey.get(keyOf(task))
    if (known === undefined) underKey.set(keyOf(task), [task])
    else known.push(task)
  }
  for (const task of of.tasks) {
    const dependencies = task.dependencies.map((id) => allowed.get(id)).filter((known) => known !== undefined)
    const rivals = underKey.get(keyOf(task))?.filter((other) => other !== task) ?? []
    const own = ownFailures(of, task, rivals, deaths)
    const named = task.under ?? task.id
    const origins = new Set<number>()
    for (const dependency of dependencies) for (const origin of dependency.origins) origins.add(origin)
    if (own.size > 0) origins.add(named)
    const inputs = dependencies.map(({ value }) => value?.digest)
    const isPossible = canSucceed(of, task) && inputs.every((input) => input !== undefined)
    allowed.set(task.id, {
      task: task.id,
      value: isPossible ? { digest: digestOf(task.id, inputs as ReadonlyArray<string>), bytes: task.bytes } : undefined,
      own,
      named,
      origins,
      executions: isCalm && !hasEndless(of) ? executionsOf(of, task, dependencies) : undefined
    })
  }
  const clients = Array.from({ length: of.clients }, (_, client) => client)
  return {
    allowed,
    adopted: adoptedOf(of),
    mayLose: new Set(clients.filter((client) => mayLose(of, client))),
    gone: new Set(clients.filter((client) => leaves(of.operations, client) || isKilled(of.faults, client)))
  }
}

/** Whether a future on this task of this client may end so. Who asks by a key gets whatever is under it. */
export const allows = (oracle: Oracle, task: number, client: number, ending: Ending): boolean =>
  allowsOne(oracle, task, client, ending) || (oracle.adopted.has(task) && rivalsOf(oracle, task).some((other) => allowsOne(oracle, other, client, ending)))

/** Others that are submitted under the same key. */
const rivalsOf = ({ allowed }: Oracle, task: number): ReadonlyArray<number> => {
  const named = allowed.get(task)?.named
  return [...allowed.values()].flatMap((other) => other.named === named && other.task !== task ? [other.task] : [])
}

const allowsOne = (oracle: Oracle, task: number, client: number, ending: Ending): boolean => {
  const allowed = oracle.allowed.get(task)
  if (allowed === undefined) return false
  switch (ending._tag) {
    case "Value":
      return ending.digest === allowed.value?.digest && ending.bytes === allowed.value.bytes
    case "Failed":
      return allowed.origins.has(ending.origin) && (ending.origin === allowed.named ? allowed : oracle.allowed.get(ending.origin))?.own.has(ending.how) === true
    case "SchedulerLost":
      return oracle.mayLose.has(client) || oracle.gone.has(client)
    case "Unknown":
      return oracle.gone.has(client)
    // Who asks by a key may be too early, or too late.
    case "NotKnown":
      return oracle.adopted.has(task)
    // Who has released a future listens to it no more.
    case "Released":
    case "Unexpected":
      return false
  }
}

/** In a line: what would have been right. */
export const showAllowed = (oracle: Oracle, task: number): string => {
  const allowed = oracle.allowed.get(task)
  if (allowed === undefined) return "nothing: the case has no such task"
  const failures = [...allowed.origins].map((origin) => {
    const { own = [] } = (origin === allowed.named ? allowed : oracle.allowed.get(origin)) ?? {}
    return `${[...own].join(" or ")} of task ${origin}`
  })
  return [...allowed.value === undefined ? [] : [`the value ${allowed.value.digest} and ${allowed.value.bytes} bytes`], ...failures].join(", or ") ||
    "nothing"
}

const hasOperation = (of: Case, ...tags: ReadonlyArray<Operation["_tag"]>): boolean => of.operations.some(({ _tag }) => tags.includes(_tag))

const hasEndless = (of: Case): boolean => of.tasks.some(({ body }) => body._tag === "NeverEnds" || body._tag === "Exits")

const adoptedOf = ({ operations, tasks }: Case): ReadonlySet<number> => {
  const asked = new Set(operations.flatMap((operation) => operation._tag === "Adopt" ? [operation.task] : []))
  const keys = new Set(tasks.flatMap((task) => asked.has(task.id) ? [keyOf(task)] : []))
  return new Set(tasks.flatMap((task) => keys.has(keyOf(task)) ? [task.id] : []))
}

/** `rivals`: others under its key, of which only one can be. */
const ownFailures = (of: Case, task: CaseTask, rivals: ReadonlyArray<CaseTask>, deaths: number): ReadonlySet<FailureKind> => {
  const own = new Set<FailureKind>()
  const { body } = task
  if (body._tag === "Fails" && body.times > task.retries) own.add(task.isolation === "fiber" ? "Error" : "Defect")
  if (body._tag === "Dies") own.add("Defect")
  if (mayTimeOut(of, task)) own.add("TimedOut")
  if (rivals.length > 0) own.add("Conflict")
  if (body._tag === "Scattered") {
    // A body that cannot be stopped takes its process with it.
    if (deaths > 0 || hasEndless(of) || hasOperation(of, "Scale") || of.tasks.some(({ body: { _tag } }) => _tag === "Blocks") || mayBeMissed(of, task)) own.add("Lost")
  } else if (body._tag === "Exits" || deaths > ALLOWED_FAILURES) own.add("Killed")
  if (isCancelled(of, task) || (hasOperation(of, "Adopt") && rivals.some((other) => isCancelled(of, other)))) {
    own.add("Cancelled")
  }
  return own
}

/** Data that its client lets go is dropped once what builds on it has failed, and missing should that be tried again. */
const mayBeMissed = (of: Case, { id }: CaseTask): boolean =>
  hasOperation(of, "Retry", "Resubmit") &&
  (hasOperation(of, "Leave") || of.operations.some((operation) => (operation._tag === "Release" || operation._tag === "Collect") && operation.task === id))

/** Tasks that may run for ever: by their own bodies, or by that of another under their key, for which they are taken by who asks for them by it. */
export const endlessOf = ({ operations, tasks }: Case): ReadonlySet<number> => {
  const never = tasks.filter(({ body }) => body._tag === "NeverEnds")
  const keys = new Set(never.map(keyOf))
  const adopted = operations.flatMap((operation) => operation._tag === "Adopt" ? [operation.task] : [])
  return new Set([...never.map(({ id }) => id), ...tasks.filter((task) => adopted.includes(task.id) && keys.has(keyOf(task))).map(({ id }) => id)])
}

/** One that never ends is cancelled when healing begins, if it has not been before. Who has asked for a task by its key cancels what is under it. */
const isCancelled = ({ operations }: Case, { body, id }: CaseTask): boolean =>
  body._tag === "NeverEnds" || operations.some((operation) => operation._tag === "Cancel" && operation.task === id)

/** How long the body runs if nobody stops it. */
const durationOf = ({ body, durationMs }: CaseTask): number => body._tag === "NeverEnds" ? Infinity : durationMs

/** Within so much of its limit nobody can say whether a body comes to its end: messages take their time. */
const isLonger = (ms: number, limit: number): boolean => ms > limit * 0.9 - 20
const isShorter = (ms: number, limit: number): boolean => ms < limit * 1.1 + 20

/** The limit is one of the wall's clock, and whoever stands still meanwhile has not noticed. */
const mayTimeOut = (of: Case, task: CaseTask): boolean => task.timeoutMs !== undefined && (of.faults.length > 0 || isLonger(durationOf(task), task.timeoutMs))

/** The same where no attempt can be done in time. */
const mustTimeOut = (of: Case, task: CaseTask): boolean => task.timeoutMs !== undefined && of.faults.length === 0 && !isShorter(durationOf(task), task.timeoutMs)

/** Whether even in fair weather its body may run once more, or once less. */
const isUncertain = (of: Case, task: CaseTask): boolean =>
  task.under !== undefined || (task.timeoutMs !== undefined && mayTimeOut(of, task) !== mustTimeOut(of, task))

/** core/scheduler/State `allowedFailures`. */
const ALLOWED_FAILURES = 3

/**
 * How many workers may end, or be given up as silent, while an innocent task is on them.
 *
 * A task that exits counts once for each time that it is tried anew: after that it runs alone. One that gives up its slot runs beside
 * others at all of its deaths but the last. That must be its own, so without a fault none is blamed wrongly.
 */
const deathsOf = ({ faults, operations, tasks }: Case): number => {
  const byFaults = faults.reduce((sum, fault) => sum + endings(fault), 0)
  if (byFaults === 0) return 0
  const anew = operations.filter(({ _tag }) => _tag === "Retry" || _tag === "Resubmit").length
  const exits = tasks.reduce((sum, { body, secedes }) => sum + (body._tag !== "Exits" ? 0 : secedes === undefined ? 1 : ALLOWED_FAILURES), 0)
  return byFaults + exits * (1 + anew)
}

/** How many workers' ends a fault may count for, as one task sees it. A session that is not resumed in five seconds is over. */
const endings = (fault: Fault): number => {
  switch (fault._tag) {
    case "WorkerCrash":
    case "NannyCrash":
    case "MemoryPressure":
      return 1
    case "Pause":
    case "Partition":
    case "SlowReader":
    case "Latency":
      return 1 + Math.floor(fault.forMs / WORKER_GRACE_MS)
    case "ConnectionLoss":
    case "Duplicate":
      return 1
    default:
      return 0
  }
}

const WORKER_GRACE_MS = 5_000

/**
 * Whether the body can come to a value. One that fails more often than it is tried cannot, unless some of its failures may be lost
 * on the way, or it is tried anew.
 */
const canSucceed = (of: Case, task: CaseTask): boolean => {
  const { body } = task
  switch (body._tag) {
    case "Fails":
      return body.times <= task.retries || of.faults.length > 0 ||
        hasOperation(of, "Retry", "Resubmit", "Release", "Collect", "Cancel", "Leave", "Scale") || hasEndless(of)
    case "Succeeds":
    case "Blocks":
      return !mustTimeOut(of, task)
    case "Scattered":
    case "Lies":
      return true
    default:
      return false
  }
}

/** How often the body runs when nothing goes wrong that is not its own doing. */
const executionsOf = (of: Case, task: CaseTask, dependencies: ReadonlyArray<Allowed>): number | undefined => {
  if (dependencies.some(({ value }) => value === undefined)) return 0
  if (mustTimeOut(of, task)) return task.retries + 1
  switch (task.body._tag) {
    case "Fails":
      return Math.min(task.body.times, task.retries) + 1
    case "Dies":
      return task.retries + 1
    case "Scattered":
      return 0
    default:
      return 1
  }
}

const leaves = (operations: ReadonlyArray<Operation>, client: number): boolean =>
  operations.some((operation) => operation._tag === "Leave" && operation.client === client)

const isKilled = (faults: ReadonlyArray<Fault>, client: number): boolean =>
  faults.some((fault) => fault._tag === "ClientCrash" && fault.client === `client-${client}`)

/** A client that is cut off for as long as its session may be resumed; rather sooner, for faults follow each other. */
const mayLose = ({ faults, journal = false }: Case, client: number): boolean => {
  const own = `client-${client}`
  let cutMs = 0
  for (const fault of faults) {
    if (fault._tag === "SchedulerCrash") return true
    // What cannot be written is not acted on.
    if (fault._tag === "Disk" && fault.how !== "slow" && fault.part === "scheduler" && journal) return true
    if ((fault._tag === "Pause" || fault._tag === "SlowReader") && (fault.part === own || fault.part === "scheduler")) cutMs += fault.forMs
    if (fault._tag === "Partition" && (fault.a.includes(own) || fault.b.includes(own))) cutMs += fault.forMs
  }
  return cutMs > CLIENT_GRACE_MS / 2
}

const CLIENT_GRACE_MS = 60_000
