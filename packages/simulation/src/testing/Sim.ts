/**
 * What a program under simulation may ask of the world around it.
 *
 * Faults by hand, what a run without faults would have given, properties that
 * are to hold over many seeds, and the story so far. In the run without faults,
 * which answers for the oracle, faults by hand do not happen either.
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import type { Future } from "@skein/client/Future"
import type { TaskError } from "@skein/protocol/Failure"
import type { Fault, Part } from "../Fault.ts"
import type { SimCluster } from "../SimCluster.ts"

export interface SimService {
  readonly seed: number
  /** Ends a worker's process at once, as SIGKILL does; its nanny starts it again. Gives its name. */
  kill(worker: string | "random"): Effect.Effect<string>
  /** As `kill`, and waits until the worker has registered anew. */
  restart(worker: string): Effect.Effect<void>
  /** Bytes between the groups of parts are lost, until it is healed. @default heal: never */
  partition(a: ReadonlyArray<string>, b: ReadonlyArray<string>, options?: { readonly heal?: Duration.Input }): Effect.Effect<void>
  /** The process stands still, its sockets open. */
  pause(process: string, duration: Duration.Input): Effect.Effect<void>
  /** Ends the scheduler's process. Every future then ends with `SchedulerLost`, for this release's scheduler keeps no journal: it cannot recover. */
  crashScheduler(options?: { readonly recoverAfter?: Duration.Input }): Effect.Effect<void>
  /** What a run without faults gives. */
  oracle<A, E>(future: Future<A, E>): Effect.Effect<Exit.Exit<A, E | TaskError>>
  /** Must hold every time. */
  always(name: string, holds: boolean): Effect.Effect<void>
  /** Must be seen in at least one of the seeds. */
  sometimes(name: string, seen: boolean): Effect.Effect<void>
  /** Everything that happened, one line each; equal seeds give equal traces. */
  readonly trace: Effect.Effect<ReadonlyArray<string>>
  readonly virtualMs: Effect.Effect<number>
}

export class Sim extends Context.Service<Sim, SimService>()("skein/Sim") {}

/** A property that must always hold did not. */
export class AlwaysFailed extends Schema.TaggedError<AlwaysFailed>()("AlwaysFailed", { name: Schema.String }) {
  override get message() {
    return `"${this.name}" must always hold, and did not`
  }
}

/** Ends a run whose program asked the oracle, which has not been asked yet: the run without faults comes first then. */
export class NeedsOracle extends Schema.TaggedError<NeedsOracle>()("NeedsOracle", {}) {}

/** The oracle was asked for a future that the run without faults did not ask it for. */
export class OracleSilent extends Schema.TaggedError<OracleSilent>()("OracleSilent", { key: Schema.String }) {
  override get message() {
    return `sim.oracle was asked for ${this.key}, and in the run without faults it was not\n` +
      "  why  the oracle's answers are those of the same program, run without faults: there it must ask for the same futures\n" +
      "  fix  ask for the oracle's answer whatever has happened before, such as right after submitting"
  }
}

/** A part that the cluster does not have was named. */
export class NoSuchPart extends Schema.TaggedError<NoSuchPart>()("NoSuchPart", { part: Schema.String, parts: Schema.Array(Schema.String) }) {
  override get message() {
    return `the simulated cluster has no "${this.part}"; it has ${this.parts.join(", ")}`
  }
}

/** The answers of a run without faults, by key. */
export type Answers = Map<string, Exit.Exit<unknown, unknown>>

export interface Options {
  readonly cluster: SimCluster
  readonly seed: number
  /** Milliseconds that a fault lasts which nobody heals. */
  readonly lasting: number
  /** A run without faults fills them; another reads them, or has none yet. */
  readonly oracle: { readonly _tag: "Asks"; readonly answers: Answers } | { readonly _tag: "Knows"; readonly answers: Answers } | { readonly _tag: "Unasked" }
  /** What was said of `sometimes`: whether it has been seen. */
  readonly seen: Map<string, boolean>
}

export const make = ({ cluster, lasting, oracle, seed, seen }: Options): SimService => {
  const { world } = cluster
  const isCalm = oracle._tag === "Asks"
  const victims = world.stream("sim/kill")
  const parts = (): ReadonlyArray<Part> => ["scheduler", ...[...cluster.workers().keys()].sort(), ...cluster.clients.map(({ name }) => name)]
  /** The name of a part, which must be there or have been there. */
  const checked = (part: Part): Part => {
    if (cluster.process(part) === undefined) throw new NoSuchPart({ part, parts: parts() })
    return part
  }
  const inject = (fault: Fault): void => void (isCalm || cluster.inject(fault))
  const crash = (worker: string): string => {
    const name = worker === "random" ? victims.pick([...cluster.workers().keys()].sort()) : checked(worker)
    if (name === undefined) return "none"
    inject({ _tag: "WorkerCrash", at: world.now, worker: name })
    return name
  }
  return {
    seed,
    kill: (worker) => Effect.sync(() => crash(worker)),
    restart: (worker) =>
      Effect.suspend(() => {
        const before = cluster.workers().get(checked(worker))
        if (isCalm) return Effect.void
        crash(worker)
        const isBack = Effect.sync(() => {
          const now = cluster.workers().get(worker)
          return now !== undefined && now !== before && now.registered.isOpen()
        })
        return Effect.asVoid(Effect.repeat(Effect.delay(isBack, "10 millis"), { until: (back) => back }))
      }),
    partition: (a, b, options) =>
      Effect.sync(() => {
        const forMs = options?.heal === undefined ? lasting : Duration.toMillis(options.heal)
        inject({ _tag: "Partition", at: world.now, a: a.map(checked), b: b.map(checked), oneWay: false, forMs })
      }),
    pause: (process, duration) => Effect.sync(() => inject({ _tag: "Pause", at: world.now, part: checked(process), forMs: Duration.toMillis(duration) })),
    crashScheduler: (options) =>
      Effect.sync(() => {
        if (options?.recoverAfter !== undefined) throw new Error("a scheduler cannot recover in this release, for it keeps no journal; leave `recoverAfter` out")
        inject({ _tag: "SchedulerCrash", at: world.now })
      }),
    oracle: <A, E>(future: Future<A, E>) =>
      Effect.suspend((): Effect.Effect<Exit.Exit<A, E | TaskError>> => {
        switch (oracle._tag) {
          case "Asks":
            return Effect.tap(Effect.exit(future.result), (exit) => Effect.sync(() => void oracle.answers.set(future.key, exit)))
          case "Knows": {
            const answer = oracle.answers.get(future.key)
            if (answer === undefined) return Effect.die(new OracleSilent({ key: future.key }))
            // The same program's future of the same key: of the same type.
            return Effect.succeed(answer as Exit.Exit<A, E | TaskError>)
          }
          case "Unasked":
            world.fail(new NeedsOracle())
            return Effect.never
        }
      }),
    always: (name, holds) => Effect.sync(() => holds ? undefined : world.fail(new AlwaysFailed({ name }))),
    sometimes: (name, holds) => Effect.sync(() => void seen.set(name, (seen.get(name) ?? false) || holds)),
    trace: Effect.sync(() => [...world.lines]),
    virtualMs: Effect.sync(() => world.now)
  }
}
