/**
 * Who watches the fibers.
 *
 * A process is a table of children. The supervisor starts them left to right,
 * stops them right to left, and restarts what ends, by OTP's rules: a strategy
 * says who else is restarted with it, intensity and period say when to give up
 * and let the supervisor above decide. It exists because Effect has none: a
 * loop that is merely forked dies of its defect unseen, while here every end
 * is logged with the child's id and leads to something.
 *
 * Each child has a scope of its own, closed before the child starts again, so
 * two lives of one child never hold the same thing. A child that will not stop
 * within its bound cannot be restarted for the same reason, and escalates.
 *
 * Source: Erlang/OTP `supervisor.erl`, its strategies, restart types and defaults.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Latch from "effect/Latch"
import * as Option from "effect/Option"
import * as Pull from "effect/Pull"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as SteadyTime from "../SteadyTime.ts"

/**
 * Who is restarted when one child ends: it alone, all of them, or it and those
 * to the right of it, which were started after it and may depend on it.
 */
export type Strategy = "one-for-one" | "one-for-all" | "rest-for-one"

/**
 * Which ends of a child lead to a restart: all, only failures (defects and
 * interruption by others included), or none.
 */
export type Restart = "permanent" | "transient" | "temporary"

/** One line of a supervisor's table. */
export interface Child<out R = never> {
  /** Names the child in logs and errors. */
  readonly id: string
  /** The child's whole life. Its scope is closed when it ends or is stopped. */
  readonly start: Effect.Effect<unknown, unknown, R | Scope.Scope>
  /** @default "permanent" */
  readonly restart?: Restart
  /** How long it may take to stop, finalizers included. @default 5 seconds */
  readonly shutdown?: Duration.Input
  /**
   * Opened by the child once it is up; the children to its right wait for that.
   * The supervisor closes it before every start. Without one, a child is up as
   * soon as it is started.
   */
  readonly started?: Latch.Latch
}

export interface Options<R> {
  /** Names the supervisor in logs and errors. */
  readonly name: string
  readonly strategy: Strategy
  readonly children: ReadonlyArray<Child<R>>
  /** Restarts allowed within `period`; one more gives up. @default 1 */
  readonly intensity?: number
  /** @default 5 seconds */
  readonly period?: Duration.Input
  /**
   * How long to wait before each restart of a child: add `Schedule.jittered` so
   * that many do not come back as one. A child that lived longer than `period`
   * begins it anew; its end gives up. @default no wait
   */
  readonly backoff?: Schedule.Schedule<unknown, Cause.Cause<unknown>>
  /** Opened once every child is up: the `started` of this supervisor in the table above it. */
  readonly started?: Latch.Latch
}

/** A supervisor gave up, after stopping all its children; the one above it decides what then. */
export class SupervisorShutdown extends Schema.TaggedError<SupervisorShutdown>()("SupervisorShutdown", {
  supervisor: Schema.String,
  /** The child whose end was the last straw. */
  child: Schema.String,
  reason: Schema.Literals(["too-many-restarts", "backoff-ended", "would-not-stop"]),
  /** Restarts within the period, this one included. */
  restarts: Schema.Int,
  /** How that child ended. */
  cause: Schema.Cause(Schema.Unknown, Schema.Unknown)
}) {
  override get message() {
    const why = {
      "too-many-restarts": `ended once more after ${this.restarts - 1} restarts within the period`,
      "backoff-ended": "ended, and its restart schedule allows no further attempt",
      "would-not-stop": "did not stop within its bound, so it cannot be started again"
    }[this.reason]
    return `Supervisor "${this.supervisor}" gave up: its child "${this.child}" ${why}. Look at the child's cause:\n${
      Cause.pretty(this.cause)
    }`
  }
}

/**
 * Runs the children until interrupted; never ends by itself otherwise, except
 * with `SupervisorShutdown`. Either way all children have been stopped, right
 * to left, when it returns.
 */
export const supervise = <R>(
  options: Options<R>
): Effect.Effect<never, SupervisorShutdown, Exclude<R, Scope.Scope>> =>
  Effect.flatMap(makeTree(options), (tree) => Effect.ensuring(run(tree), stopAll(tree)))

/** One life of one child. */
interface Running {
  readonly _tag: "Running"
  readonly fiber: Fiber.Fiber<unknown, unknown>
  readonly scope: Scope.Closeable
  /** Epoch ms. */
  readonly since: number
  /** Tells this life's end from those of earlier lives. */
  readonly life: number
}

type Phase =
  /** To be started, not before the given epoch ms. */
  | { readonly _tag: "Pending"; readonly notBefore: number }
  | Running
  /** Over, and not to be started again by its own rules. */
  | { readonly _tag: "Over" }

interface Member<R> {
  readonly child: Child<R>
  phase: Phase
  /** Whether it has been up in some life. */
  wasUp: boolean
  /** Where it stands in the back-off schedule; begun anew when it lived long enough. */
  backoff: ((now: number, cause: Cause.Cause<unknown>) => Pull.Pull<[unknown, Duration.Duration], never, unknown>) | undefined
}

interface Ended {
  readonly index: number
  readonly life: number
  readonly exit: Exit.Exit<unknown, unknown>
}

interface Tree<R> {
  readonly options: Options<R>
  readonly members: ReadonlyArray<Member<R>>
  /** Holds at most one entry for every life, and the loop takes them all; so it needs no bound of its own. */
  readonly ends: Queue.Queue<Ended>
  readonly intensity: number
  /** Milliseconds. */
  readonly period: number
  /** Epoch ms of the restarts within the period, at most `intensity` + 1. */
  readonly restarts: Array<number>
  lives: number
}

const makeTree = <R>(options: Options<R>): Effect.Effect<Tree<R>> =>
  Effect.map(Queue.unbounded<Ended>(), (ends) => ({
    options,
    members: options.children.map((child): Member<R> => ({
      child,
      phase: { _tag: "Pending", notBefore: 0 },
      wasUp: false,
      backoff: undefined
    })),
    ends,
    intensity: options.intensity ?? 1,
    period: Duration.toMillis(options.period ?? "5 seconds"),
    restarts: [],
    lives: 0
  }))

const run = Effect.fnUntraced(function*<R>(tree: Tree<R>) {
  while (true) {
    const waitFor = yield* startPending(tree)
    // Nothing is taken inside the race: a loser that had taken an end would lose it.
    yield* Effect.raceAllFirst([Queue.peek(tree.ends), ...waitFor])
    for (const ended of Option.toArray(yield* Queue.poll(tree.ends))) yield* onEnded(tree, ended)
  }
})

/**
 * Starts what is to be started, left to right, and stops short at the first
 * that is not up yet. Returns what, besides a child's end, is worth waking for.
 */
const startPending = Effect.fnUntraced(function*<R>(tree: Tree<R>) {
  const waitFor: Array<Effect.Effect<void>> = []
  for (const [index, member] of tree.members.entries()) {
    // In a one-for-one tree the order matters for the first start only.
    const othersWait = tree.options.strategy !== "one-for-one" || !member.wasUp
    if (member.phase._tag === "Pending") {
      const waitMs = member.phase.notBefore - (yield* SteadyTime.millis)
      if (waitMs > 0) {
        waitFor.push(Effect.sleep(Math.ceil(waitMs)))
        if (othersWait) return waitFor
        continue
      }
      yield* launch(tree, index, member)
    }
    if (member.phase._tag !== "Running") continue
    const started = member.child.started
    if (started === undefined || started.isOpen()) member.wasUp = true
    else if (othersWait) {
      waitFor.push(started.await)
      return waitFor
    }
  }
  if (tree.options.started !== undefined) yield* tree.options.started.open
  return waitFor
})

const launch = Effect.fnUntraced(function*<R>(tree: Tree<R>, index: number, member: Member<R>) {
  if (member.child.started !== undefined) yield* member.child.started.close
  const life = ++tree.lives
  const scope = yield* Scope.make()
  const since = yield* SteadyTime.millis
  const fiber = yield* member.child.start.pipe(
    Scope.provide(scope),
    Effect.onExit((exit) => Queue.offer(tree.ends, { index, life, exit })),
    // Detached, because `stop` alone decides how long its end is waited for.
    Effect.forkDetach()
  )
  member.phase = { _tag: "Running", fiber, scope, since, life }
}, Effect.uninterruptible)

/** A child ended by itself: decides who starts again, and when. */
const onEnded = Effect.fnUntraced(function*<R>(tree: Tree<R>, ended: Ended) {
  const member = tree.members[ended.index]
  if (member === undefined || member.phase._tag !== "Running" || member.phase.life !== ended.life) return
  const { child, phase } = member
  const restart = child.restart ?? "permanent"
  const cause = Exit.isFailure(ended.exit) ? ended.exit.cause : Cause.empty
  yield* logEnd(tree, child, ended.exit)
  if (restart === "temporary" || (restart === "transient" && Exit.isSuccess(ended.exit))) {
    yield* stop(tree, member)
    member.phase = { _tag: "Over" }
    return
  }
  const now = yield* SteadyTime.millis
  const giveUp = (reason: SupervisorShutdown["reason"], child: string) =>
    new SupervisorShutdown({
      supervisor: tree.options.name,
      child,
      reason,
      restarts: tree.restarts.length,
      cause
    })
  tree.restarts.push(now)
  while (tree.restarts[0] !== undefined && now - tree.restarts[0] > tree.period) tree.restarts.shift()
  if (tree.restarts.length > tree.intensity) return yield* giveUp("too-many-restarts", child.id)
  const waitMs = yield* backoff(tree, member, now, now - phase.since, cause)
  if (Option.isNone(waitMs)) return yield* giveUp("backoff-ended", child.id)
  const group = groupOf(tree, ended.index)
  for (const other of group.toReversed()) {
    if (!(yield* stop(tree, other))) return yield* giveUp("would-not-stop", other.child.id)
    const over = other.child.restart === "temporary" && other.phase._tag !== "Pending"
    other.phase = over ? { _tag: "Over" } : { _tag: "Pending", notBefore: now + waitMs.value }
  }
})

const groupOf = <R>(tree: Tree<R>, index: number): ReadonlyArray<Member<R>> => {
  switch (tree.options.strategy) {
    case "one-for-one":
      return tree.members.slice(index, index + 1)
    case "one-for-all":
      return tree.members
    case "rest-for-one":
      return tree.members.slice(index)
  }
}

/** Milliseconds to wait before the restart; none when the schedule has ended. */
const backoff = Effect.fnUntraced(
  function*<R>(tree: Tree<R>, member: Member<R>, now: number, livedMs: number, cause: Cause.Cause<unknown>) {
    if (tree.options.backoff === undefined) return Option.some(0)
    if (member.backoff === undefined || livedMs > tree.period) {
      member.backoff = yield* Schedule.toStep(tree.options.backoff)
    }
    return yield* member.backoff(now, cause).pipe(
      Effect.map(([, wait]) => Option.some(Duration.toMillis(wait))),
      Pull.catchDone(() => Effect.succeed(Option.none<number>()))
    )
  }
)

const stopAll = Effect.fnUntraced(function*<R>(tree: Tree<R>) {
  for (const member of tree.members.toReversed()) {
    yield* stop(tree, member)
    member.phase = { _tag: "Over" }
  }
})

/**
 * Interrupts the child and closes its scope. False if that took longer than its
 * `shutdown`: what is left then goes on stopping, with nobody waiting for it.
 */
const stop = Effect.fnUntraced(function*<R>(tree: Tree<R>, member: Member<R>) {
  if (member.phase._tag !== "Running") return true
  const { fiber, scope } = member.phase
  member.phase = { _tag: "Over" }
  const bound = member.child.shutdown ?? "5 seconds"
  const wasOver = fiber.pollUnsafe() !== undefined
  const stopping = yield* Fiber.interrupt(fiber).pipe(
    Effect.andThen(Fiber.await(fiber)),
    Effect.tap((exit) => Scope.close(scope, exit)),
    Effect.forkDetach()
  )
  const stopped = yield* Effect.timeoutOption(Fiber.await(stopping), bound)
  if (Option.isNone(stopped)) {
    yield* log(tree, member.child, `did not stop within ${Duration.format(Duration.fromInputUnsafe(bound))}; what is left of it is abandoned`)
    return false
  }
  // The end of one that had ended by itself is logged already; a finalizer's defect never is.
  const exit = Exit.isSuccess(stopped.value) && !wasOver ? stopped.value.value : stopped.value
  if (Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause)) {
    yield* log(tree, member.child, "failed while it was being stopped", exit.cause)
  }
  return true
}, Effect.uninterruptible)

const logEnd = <R>(tree: Tree<R>, child: Child<R>, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> => {
  if (Exit.isFailure(exit)) return log(tree, child, "ended with a failure", exit.cause)
  return (child.restart ?? "permanent") === "permanent" ? log(tree, child, "ended, though it is permanent") : Effect.void
}

const log = <R>(
  tree: Tree<R>,
  child: Child<R>,
  what: string,
  cause: Cause.Cause<unknown> = Cause.empty
): Effect.Effect<void> =>
  Effect.logError(`child "${child.id}" ${what}`, cause).pipe(
    Effect.annotateLogs({ supervisor: tree.options.name, child: child.id })
  )
