/**
 * A nanny: starts, watches and restarts one child process.
 *
 * It is a fiber of the process that owns the cluster, for nannies that are
 * processes would add half a second to the start. What it decides is the pure
 * machine of core/nanny; this file carries the decisions out and tells the
 * machine what happened. `child` is its line in a supervisor's table: the fiber
 * lives there, so that a defect of it is seen, and when it ends the process has
 * ended.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import type { Command } from "@skein/core/nanny/Command"
import type { Event } from "@skein/core/nanny/Event"
import { reduce } from "@skein/core/nanny/Reducer"
import * as State from "@skein/core/nanny/State"
import type { ProcessId } from "@skein/protocol/Ids"
import type { ExitReport } from "@skein/protocol/NannyRpcs"
import * as SteadyTime from "../SteadyTime.ts"
import type { Child } from "../supervision/Supervisor.ts"
import { type ChildProcess, ProcessSpawner, type Source } from "./ChildProcess.ts"
import { Ring } from "./Lines.ts"
import * as Notices from "./Notices.ts"

export interface Options {
  /** Names the child: in logs, in its process ids, in its supervisor's table. */
  readonly name: string
  /** The module that the child runs: a file URL. Its first act is `NodeChild.begin`. */
  readonly entry: string
  /** Given to the child on its standard input, as JSON. The place for secrets. */
  readonly config: Schema.Json
  /** Added to the child's environment, see `allowedEnv`. @default nothing */
  readonly env?: Readonly<Record<string, string>>
  /** Flags of Node itself. @default none */
  readonly nodeArgs?: ReadonlyArray<string>
  /** Entries, this one among them, whose modules are kept together for a faster start, see `ProcessSpec`. @default none */
  readonly image?: ReadonlyArray<string>
  /** @default core/nanny/State `defaultPolicy` */
  readonly policy?: Partial<State.Policy>
  /** A life is about to begin: whoever will get its exit report is told its id first. */
  readonly onLife?: (process: ProcessId) => Effect.Effect<void>
  /** A life has ended. The next one does not begin before this returns, nor can the nanny be stopped: it must not wait for long. */
  readonly onExit?: (report: ExitReport) => Effect.Effect<void>
  /** A line of output. Called as it comes; must not throw. */
  readonly onLine?: (line: LogLine) => void
}

/** One line that a child wrote. */
export interface LogLine {
  /** Epoch ms. */
  readonly at: number
  readonly process: ProcessId
  readonly source: "stdout" | "stderr"
  readonly text: string
}

/** The child crashed too often, and its nanny has given up. */
export class NannyGaveUp extends Schema.TaggedError<NannyGaveUp>()("NannyGaveUp", {
  name: Schema.String,
  detail: Schema.String,
  /** The last lines that the child wrote. */
  logTail: Schema.Array(Schema.String)
}) {
  override get message() {
    const tail = this.logTail.length === 0 ? "It wrote nothing." : `It wrote:\n  ${this.logTail.join("\n  ")}`
    return `Process "${this.name}" ${this.detail}. Its nanny starts it no more; find out why it ends. ${tail}`
  }
}

export interface Nanny {
  readonly name: string
  /** The nanny's line in a supervisor's table. The child starts and, in order, stops with it. */
  readonly child: Child<ProcessSpawner>
  readonly status: Effect.Effect<State.Status>
  /** Waits until the status is such. */
  readonly awaitStatus: (is: (status: State.Status) => boolean) => Effect.Effect<State.Status>
  /** None while no process runs. */
  readonly pid: Effect.Effect<Option.Option<number>>
  /** The id of the present or latest life. */
  readonly process: Effect.Effect<ProcessId>
  /** Waits until the child is up, in its present life or a later one; what it said then. */
  readonly ready: Effect.Effect<Schema.Json, NannyGaveUp>
  /** Starts a child that was stopped or given up. */
  readonly start: Effect.Effect<void>
  /** Stops the child: SIGTERM, and after the policy's bound SIGKILL. Returns once it is gone; it stays away. */
  readonly stop: Effect.Effect<void>
  /** Kills the child at once, and starts it again. `ended` is for the exit report. @default "closed", which blames nobody */
  readonly endNow: (reason: string, ended?: "closed" | "memory-limit") => Effect.Effect<void>
  /** The last 1,000 lines, of all lives. */
  readonly logs: Effect.Effect<ReadonlyArray<LogLine>>
}

/** Makes a nanny; nothing runs before its `child` does. */
export const make = Effect.fnUntraced(function*(options: Options) {
  const salt = (yield* Random.nextIntBetween(0, 2 ** 30)).toString(36)
  const policy = { ...State.defaultPolicy, ...options.policy }
  const self: Self = {
    options,
    mailbox: yield* Queue.unbounded<Happened>(),
    now: SteadyTime.of(yield* Clock.Clock),
    lines: new Ring(1_000),
    tail: new Ring(20),
    state: State.make(options.name, salt, policy),
    wanted: true,
    ready: null,
    waiting: 0,
    changed: Deferred.makeUnsafe()
  }
  return publicSide(self)
})

const publicSide = (self: Self): Nanny => {
  const tell = (event: (at: number) => Event) =>
    Effect.sync(() => void Queue.offerUnsafe(self.mailbox, event(self.now())))
  const want = (wanted: boolean) => Effect.sync(() => void (self.wanted = wanted))
  const isOver = (status: State.Status) => status._tag === "Stopped" || status._tag === "GivenUp"
  const awaitStatus = (is: (status: State.Status) => boolean): Effect.Effect<State.Status> =>
    Effect.suspend(() =>
      is(self.state.status)
        ? Effect.succeed(self.state.status)
        : Effect.flatMap(Deferred.await(self.changed), () => awaitStatus(is))
    )
  return {
    name: self.options.name,
    child: {
      id: self.options.name,
      start: run(self),
      // The machine kills what does not stop in time; this is for the time that takes.
      shutdown: self.state.policy.stopWithinMs + 5_000
    },
    status: Effect.sync(() => self.state.status),
    awaitStatus,
    pid: Effect.sync(() => State.pidOf(self.state)),
    process: Effect.sync(() => State.processId(self.state)),
    ready: Effect.flatMap(
      awaitStatus((status) => status._tag === "Running" || status._tag === "GivenUp"),
      (status) =>
        status._tag === "GivenUp"
          ? new NannyGaveUp({ name: self.options.name, detail: status.detail, logTail: self.tail.all() })
          : Effect.succeed(self.ready)
    ),
    start: Effect.andThen(want(true), tell((at) => ({ _tag: "StartRequested", at }))),
    stop: want(false).pipe(
      Effect.andThen(tell((at) => ({ _tag: "StopRequested", at }))),
      Effect.andThen(Effect.asVoid(awaitStatus(isOver)))
    ),
    endNow: (detail, ended = "closed") => tell((at) => ({ _tag: "EndRequested", at, ended, detail })),
    logs: Effect.sync(() => self.lines.all())
  }
}

/** What reaches the loop: what the machine is told, or that a fiber which should have told it died. */
type Happened = Event | { readonly _tag: "Broken"; readonly cause: Cause.Cause<never> }

interface Self {
  readonly options: Options
  /** A few entries for each life, and notices up to `noticesBound`. */
  readonly mailbox: Queue.Queue<Happened>
  readonly now: () => number
  readonly lines: Ring<LogLine>
  /** The last lines of the present life. */
  readonly tail: Ring<string>
  state: State.State
  /** Whether the child is to run: what was asked for last, also while no loop was there to hear of it. */
  wanted: boolean
  /** What the present life said when it was up. */
  ready: Schema.Json
  /** Notices in the mailbox. */
  waiting: number
  /** Completed, and replaced, at each change of the status. */
  changed: Deferred.Deferred<void>
}

/** More than this many unread notices of one child: it misbehaves, and is ended. */
const noticesBound = 10_000

/** The nanny's loop, for as long as it is wanted, and then until the child has stopped. */
const run = (self: Self): Effect.Effect<never, never, ProcessSpawner | Scope.Scope> =>
  Effect.gen(function*() {
    const shell: Shell = { self, scope: yield* Effect.scope, process: undefined, wakeAt: undefined }
    // An earlier run of this loop may have broken; its process went with its scope.
    change(self, { ...self.state, status: { _tag: "Stopped" } })
    yield* Queue.clear(self.mailbox)
    if (self.wanted) yield* carryOut(shell, [{ _tag: "StartRequested", at: yield* SteadyTime.millis }])
    return yield* Effect.forever(turn(shell)).pipe(
      Effect.onInterrupt(() => stopInOrder(shell)),
      Effect.tapCause((cause) => Effect.sync(() => giveUpFor(self, cause)))
    )
  })

/** Lets nobody wait for a nanny that broke; its supervisor may start it again. */
const giveUpFor = (self: Self, cause: Cause.Cause<never>): void => {
  if (Cause.hasInterruptsOnly(cause)) return
  const since = self.now()
  change(self, { ...self.state, status: { _tag: "GivenUp", since, detail: `has a broken nanny: ${Cause.pretty(cause)}` } })
}

/** One run of the loop. */
interface Shell {
  readonly self: Self
  readonly scope: Scope.Scope
  /** The process of the present life, while there is one. */
  process: ChildProcess | undefined
  /** Epoch ms. */
  wakeAt: number | undefined
}

const stopInOrder = Effect.fnUntraced(function*(shell: Shell) {
  yield* carryOut(shell, [{ _tag: "StopRequested", at: yield* SteadyTime.millis }])
  while (shell.self.state.status._tag !== "Stopped" && shell.self.state.status._tag !== "GivenUp") yield* turn(shell)
})

/**
 * Waits for something to happen, tells the machine, and does what it asks for.
 * Only the waiting can be interrupted: an event taken or a command given must
 * not be lost, or the orderly stop would wait for an answer that never comes.
 */
const turn = (shell: Shell): Effect.Effect<void, never, ProcessSpawner> => Effect.andThen(somethingToDo(shell), doIt(shell))

/** Nothing is taken here: a loser of the race that had taken an event would lose it. */
const somethingToDo = Effect.fnUntraced(function*({ self, wakeAt }: Shell) {
  if (wakeAt === undefined) return yield* Effect.asVoid(Queue.peek(self.mailbox))
  const waitMs = Math.max(0, Math.ceil(wakeAt - (yield* SteadyTime.millis)))
  yield* Effect.raceFirst(Effect.asVoid(Queue.peek(self.mailbox)), Effect.sleep(waitMs))
})

const doIt = Effect.fnUntraced(function*(shell: Shell) {
  const events: Array<Event> = []
  for (const happened of yield* Queue.clear(shell.self.mailbox)) {
    if (happened._tag === "Broken") return yield* Effect.failCause(happened.cause)
    events.push(happened)
  }
  shell.self.waiting = 0
  const at = yield* SteadyTime.millis
  if (shell.wakeAt !== undefined && shell.wakeAt <= at) {
    shell.wakeAt = undefined
    events.push({ _tag: "Ticked", at })
  }
  yield* carryOut(shell, events)
}, Effect.uninterruptible)

const carryOut = Effect.fnUntraced(function*(shell: Shell, events: ReadonlyArray<Event>) {
  const step = reduce(shell.self.state, events)
  const before = shell.self.state.status
  change(shell.self, step.state)
  const { status } = step.state
  if (status._tag === "GivenUp" && before._tag !== "GivenUp") {
    yield* Effect.logError(`process "${shell.self.options.name}" ${status.detail}; its nanny gives up`)
  }
  for (const command of step.commands) yield* obey(shell, command)
}, Effect.uninterruptible)

const change = (self: Self, state: State.State): void => {
  const moved = state.status !== self.state.status
  self.state = state
  if (!moved) return
  const { changed } = self
  self.changed = Deferred.makeUnsafe()
  Deferred.doneUnsafe(changed, Effect.void)
}

const obey = (shell: Shell, command: Command): Effect.Effect<void, never, ProcessSpawner> => {
  const { onExit } = shell.self.options
  switch (command._tag) {
    case "Spawn":
      return Effect.asVoid(Effect.forkIn(watched(shell, command), shell.scope))
    case "Signal":
      return shell.process === undefined ? Effect.void : shell.process.signal(command.signal)
    case "Report":
      return onExit === undefined ? Effect.void : onExit(command.report)
    case "Wake":
      return Effect.sync(() => void (shell.wakeAt = command.at))
  }
}

/** A life, whose defect breaks the loop instead of dying unseen. */
const watched = (shell: Shell, command: Extract<Command, { _tag: "Spawn" }>) =>
  Effect.onExit(
    Effect.scoped(life(shell, command)),
    (exit) =>
      Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause)
        ? Queue.offer(shell.self.mailbox, { _tag: "Broken", cause: exit.cause })
        : Effect.void
  )

/** One life of the child: from before its start until the machine knows of its end. */
const life = Effect.fnUntraced(function*(shell: Shell, command: Extract<Command, { _tag: "Spawn" }>) {
  const { life, process } = command
  const { self } = shell
  const { options } = self
  const spawner = yield* ProcessSpawner
  const tell = (event: Event) => Queue.offer(self.mailbox, event)
  const now = SteadyTime.millis
  self.tail.clear()
  if (options.onLife !== undefined) yield* options.onLife(process)
  const input = { process, name: options.name, parent: yield* spawner.ownPid, config: options.config }
  const spawned = yield* Effect.result(spawner.spawn(
    {
      entry: options.entry,
      nodeArgs: options.nodeArgs ?? [],
      image: options.image ?? [],
      env: options.env ?? {},
      input: `${JSON.stringify(input)}\n`
    },
    (source, line) => onLine(self, life, process, source, line)
  ))
  const draw = yield* Random.next
  if (spawned._tag === "Failure") {
    yield* tell({ _tag: "SpawnFailed", at: yield* now, life, detail: spawned.failure.message, draw })
    return
  }
  const child = spawned.success
  shell.process = child
  yield* tell({ _tag: "Spawned", at: yield* now, life, pid: child.pid })
  let peakMemoryBytes: number | null = null
  const isLimited = self.state.policy.memoryLimitBytes !== null
  const measure = Effect.flatMap(child.memory, (memory) => {
    if (Option.isNone(memory)) return Effect.void
    peakMemoryBytes = memory.value.peakBytes
    return isLimited ? Effect.flatMap(now, (at) => tell({ _tag: "MemoryMeasured", at, life, bytes: memory.value.bytes })) : Effect.void
  })
  // Read now and then and not at the end: the dead tell nothing. One that may grow only so far is looked at more often; Dask's interval.
  const measuring = Effect.forever(Effect.andThen(measure, Effect.sleep(isLimited ? "100 millis" : "1 second")))
  const { code, signal } = yield* Effect.raceFirst(child.exit, measuring)
  shell.process = undefined
  yield* tell({ _tag: "Exited", at: yield* now, life, code, signal, peakMemoryBytes, logTail: self.tail.all(), draw })
})

const onLine = (self: Self, life: number, process: ProcessId, source: Source, text: string): void => {
  const at = self.now()
  if (source === "notices") return onNotice(self, at, life, text)
  const line: LogLine = { at, process, source, text }
  self.lines.push(line)
  self.tail.push(text)
  self.options.onLine?.(line)
}

const onNotice = (self: Self, at: number, life: number, text: string): void => {
  const tell = (event: Event) => void Queue.offerUnsafe(self.mailbox, event)
  const notice = Option.getOrUndefined(Notices.parse(text))
  if (++self.waiting === noticesBound || notice === undefined) {
    const what = notice === undefined ? "wrote to its notices what is none" : "writes notices faster than they are read"
    return tell({ _tag: "EndMeNoticed", at, life, reason: `it ${what}: ${text.slice(0, 100)}` })
  }
  if (self.waiting > noticesBound) return
  if ("started" in notice) return tell({ _tag: "RunStartNoticed", at, life, run: notice.started })
  if ("ended" in notice) return tell({ _tag: "RunEndNoticed", at, life, run: notice.ended })
  if ("endMe" in notice) return tell({ _tag: "EndMeNoticed", at, life, reason: notice.endMe })
  self.ready = notice.ready
  tell({ _tag: "ReadyNoticed", at, life })
}
