/**
 * A whole scheduler: what it is made of, and who watches it.
 *
 *   scheduler        rest-for-one, no restart
 *   ├─ state         the loop that owns the state
 *   └─ surroundings  one-for-one, 3 restarts in 5 minutes
 *      ├─ clock
 *      ├─ freeing   for what workers may drop, which leaves when it has waited long enough
 *      ├─ memory     if the process is the scheduler's own
 *      └─ sessions   a fiber group for each connection
 *
 * The loop is never started again: a state without the events that led to it
 * cannot be had back, so its defect is the end of the scheduler, and whoever
 * started that decides what then. What stands around it may fail and return; if
 * it fails too often, that is the end as well.
 *
 * The same in a process of its own (main.ts) and as fibers of its owner's.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Hex from "effect/encoding/Hex"
import * as Latch from "effect/Latch"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type * as SocketServer from "effect/socket/SocketServer"
import { empty, type State } from "@skein/core/scheduler/State"
import { Hashing } from "@skein/transport/Hashing"
import * as OwnLog from "../OwnLog.ts"
import * as SteadyTime from "../SteadyTime.ts"
import * as Supervisor from "../supervision/Supervisor.ts"
import * as Asking from "./Asking.ts"
import * as Carrying from "./Carrying.ts"
import * as CodeTable from "./CodeTable.ts"
import type { Desk } from "./Desk.ts"
import type { Tables } from "./Handlers.ts"
import * as Idle from "./Idle.ts"
import * as Inspecting from "./Inspecting.ts"
import type { Journal } from "./Journal.ts"
import * as KeyTable from "./KeyTable.ts"
import * as Logs from "./Logs.ts"
import * as Mailbox from "./Mailbox.ts"
import * as Memory from "./Memory.ts"
import * as Progress from "./Progress.ts"
import * as Registry from "./Registry.ts"
import * as Relaying from "./Relaying.ts"
import * as Scheduler from "./Scheduler.ts"
import type { SchedulerConfig } from "./SchedulerConfig.ts"
import * as Sessions from "./Sessions.ts"
import * as ShutDown from "./ShutDown.ts"
import * as Ticking from "../Ticking.ts"
import { Sockets } from "../worker/Sockets.ts"
import { Versions } from "./Versions.ts"

export interface Tree {
  /** Runs until interrupted, or until it has been idle for as long as it may, or a client shuts it down; then it closes its sessions in good order. Fails when it cannot go on. */
  readonly run: Effect.Effect<void, Supervisor.SupervisorShutdown, Journal | Hashing>
  /** Open while it serves. */
  readonly started: Latch.Latch
  /** As of the last batch. */
  readonly state: () => State
  /** To look at, not to change. */
  readonly desk: Desk
}

/** Puts a scheduler together; nothing runs before `run` does. */
export const make = Effect.fnUntraced(function*(config: SchedulerConfig, server: SocketServer.SocketServer["Service"]) {
  const { random, sha256 } = yield* Hashing
  const now = SteadyTime.of(yield* Clock.Clock)
  const tables: Tables = { keys: KeyTable.make(), codes: CodeTable.make(sha256) }
  const mailbox = Mailbox.make()
  const registry = Registry.make()
  const asking = Asking.make(mailbox.offer, now)
  const ticking = Ticking.make(now, () => mailbox.offer({ _tag: "Ticked", at: now() }))
  const freeing = Ticking.make(now, () => carrying.sendFreeing())
  const progress: Progress.Progress = Progress.make(() => scheduler.state())
  const carrying: Carrying.Carrying = Carrying.make({ tables, registry, reply: asking.reply, wake: ticking.wake, wakeFreeing: freeing.wake, offer: mailbox.offer, forgotten: progress.forget, now })
  const scheduler = Scheduler.make({
    initial: empty({ allowedFailures: config.allowedFailures, noWorkersTimeoutMs: config.noWorkersTimeoutMs ?? Infinity }),
    mailbox,
    tables,
    carrying,
    validate: config.validate
  })
  const inspecting = Inspecting.make({ state: scheduler.state, tables, registry, now, id: Hex.encode(random(8)), startedAt: now(), versions: yield* Versions })
  const memory = yield* Memory.Memory
  const watch = memory === undefined ? undefined : Memory.make({ memory, mailbox, now, state: scheduler.state, refused: carrying.refused })
  const shutDown = ShutDown.make(registry)
  const log = OwnLog.make()
  const relaying = Relaying.make({
    sockets: Option.getOrUndefined(yield* Effect.serviceOption(Sockets)),
    token: config.token,
    locate: inspecting.locate,
    hashing: yield* Hashing
  })
  const desk: Desk = { config, tables, registry, mailbox, asking, now, submitted: watch?.submitted ?? (() => {}), inspecting, progress, relaying, logs: Logs.gather(log.lines, registry), shutDown: shutDown.begin }

  const started = Latch.makeUnsafe(false)
  const surroundings = Supervisor.supervise({
    name: "scheduler/surroundings",
    strategy: "one-for-one",
    intensity: 3,
    period: "5 minutes",
    started,
    children: [
      { id: "clock", start: ticking.run },
      { id: "freeing", start: freeing.run },
      ...(watch === undefined ? [] : [{ id: "memory", start: watch.run }]),
      { id: "sessions", start: Sessions.run(desk, server) }
    ]
  })
  const supervised = Supervisor.supervise<Journal | Hashing>({
    name: "scheduler",
    strategy: "rest-for-one",
    intensity: 0,
    children: [
      { id: "state", start: scheduler.run },
      { id: "surroundings", start: surroundings, started, shutdown: "10 seconds" }
    ]
  })
  const { idleTimeoutMs } = config
  const idle = idleTimeoutMs === null ? Effect.never : Effect.andThen(
    Idle.untilIdleFor(idleTimeoutMs, scheduler.state),
    Effect.logInfo(`scheduler ${config.name} ends: there was nothing to do for ${idleTimeoutMs / 1_000} s`)
  )
  const tree: Tree = {
    run: log.keep(Effect.raceAllFirst([supervised, idle, shutDown.ended])),
    started,
    state: scheduler.state,
    desk
  }
  return tree
})

/** A scheduler that runs. */
export interface Started extends Tree {
  /** Completes when the scheduler has ended because nobody needed it; fails when it cannot go on. */
  readonly ended: Effect.Effect<void, Supervisor.SupervisorShutdown>
}

/**
 * A scheduler as a part of its owner, until the scope closes. Returns once it serves. Race `ended` with whatever needs it: that
 * completes or fails when the scheduler ends by itself.
 */
export const start = Effect.fnUntraced(function*(
  config: SchedulerConfig,
  server: SocketServer.SocketServer["Service"]
): Effect.fn.Return<Started, never, Journal | Hashing | Scope.Scope> {
  const tree = yield* make(config, server)
  const fiber = yield* Effect.forkScoped(tree.run)
  yield* Effect.raceFirst(tree.started.await, Effect.ignore(Fiber.join(fiber)))
  return { ...tree, ended: Fiber.join(fiber) }
})
