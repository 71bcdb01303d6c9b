/**
 * A simulated cluster under a program that is run in the ordinary way.
 *
 * The layer brings the program's own fiber into virtual time: it hands out the
 * client's scheduler, clock and randomness with the client. The event loop drives
 * the world: what can run runs, then the loop has a turn, and only when still
 * nothing can run time jumps to the next timer.
 *
 * Here idleness and a promise from elsewhere look alike: the program may be
 * waiting for something that the simulation does not know of, so time goes on while
 * it does, a run that hangs is not found out, and what depends on such a promise
 * may differ between equal seeds. For the same reason the program, and the client
 * in its process, may reach for the real clock and timers. `it.sim` and
 * `skein sim run` have none of that.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Scheduler from "effect/Scheduler"
import * as Scope from "effect/Scope"
import { Client } from "@skein/client/Client"
import { Cluster, MoreClients } from "@skein/client/Cluster"
import type { Case } from "../../Case.ts"
import type * as SimCluster from "../../SimCluster.ts"
import { CurrentProcess, type SimProcess } from "../../SimProcess.ts"
import * as World from "../../World.ts"
import { draw } from "../Draw.ts"
import type { SimOptions } from "../Options.ts"
import { startCluster } from "../Run.ts"
import { Sim, type SimService } from "../Sim.ts"
import * as SimTools from "../Sim.ts"
import { freshSeed, prepare, type Prepared } from "./Seeds.ts"

/** Faults of "default" come within this, virtual milliseconds from the cluster's start: how long the program takes cannot be known. */
const DISTURBED_MS = 60_000

/** A world that the event loop drives. */
class DrivenWorld extends World.World {
  #awaited = false
  #told: Array<() => void> = []
  #stopped = false
  /** Steps that may still be taken since the run was found to be worth nothing: for the program's finalizers. */
  #stepsLeft = Infinity
  readonly #onEnd: (reason: unknown) => void

  constructor(options: World.WorldOptions, onEnd: (reason: unknown) => void) {
    super(options)
    this.#onEnd = onEnd
    this.onWork = () => this.#wake()
  }

  /** Calls back outside of the simulation: what follows may be anybody's. */
  outside(f: () => void): void {
    this.#told.push(f)
    this.#wake()
  }

  /** Runs an effect in a process, and its outcome outside of the simulation. */
  perform<A, E>(process: SimProcess, effect: Effect.Effect<A, E, Scope.Scope>): Effect.Effect<A, E> {
    return Effect.callback<A, E>((resume) => {
      process.run(Effect.onExit(Effect.scoped(effect), (exit) => Effect.sync(() => this.outside(() => resume(exit)))))
    })
  }

  stop(): void {
    this.#stopped = true
  }

  #wake(): void {
    if (this.#awaited || this.#stopped) return
    this.#awaited = true
    later(() => this.#turn(false))
  }

  /** `quiet`: nothing could run when the event loop was given its turn, so time may go on. */
  #turn(quiet: boolean): void {
    if (this.#stopped) return
    let more = true
    if (quiet || this.ready) {
      this.during(() => {
        for (let steps = 0, jumps = 0; more && steps < STEPS_PER_TURN && this.#goesOn(); steps++) {
          if (!this.ready && jumps++ === (quiet ? JUMPS_PER_TURN : 0)) break
          more = this.step()
        }
      })
    }
    const verdict = this.verdict()
    if (verdict !== undefined && this.#stepsLeft === Infinity) {
      this.#stepsLeft = STEPS_TO_END
      this.#onEnd(verdict)
    }
    if (this.#stepsLeft <= 0) this.#stopped = true
    const told = this.#told
    this.#told = []
    this.#awaited = more && !this.#stopped
    // Idle: whatever comes next comes from elsewhere, and wakes it.
    if (this.#awaited) later(() => this.#turn(!this.ready))
    for (const f of told) f()
  }

  /** Whether another step is worth taking. */
  #goesOn(): boolean {
    return this.#stepsLeft === Infinity ? this.verdict() === undefined : this.#stepsLeft-- > 0
  }
}

/** The real one, which is out of reach while the world takes its steps. */
const later = setImmediate

/** Steps in which the program and the cluster can end once the run is worth nothing. */
const STEPS_TO_END = 200_000
/** Steps before the event loop has a turn again. */
const STEPS_PER_TURN = 2_000
/** Timers that time may jump to in one turn: turns cost more than most timers do. */
const JUMPS_PER_TURN = 16

/**
 * A client of a simulated cluster, and the simulation's own service, in virtual time from here on. The seed is printed, unless it was
 * given. Dies with a `ClusterError` "BadOption" for an option that is wrong. `sim.oracle` needs a second run, and so cannot be had here.
 */
export const layer = <E = never, R = never>(options: SimOptions<E, R> = {}): Layer.Layer<Client | Cluster | Sim, E, R> =>
  Layer.effectContext(Effect.gen(function*() {
    const surroundings = yield* Effect.context<R>()
    const tasks = Layer.isLayer(options.tasks) ? { tasks: Layer.provide(options.tasks as Layer.Layer<never, unknown, R>, Layer.succeedContext(surroundings)) } : {}
    const prepared = yield* Effect.promise(() => prepare(() => Effect.void, { ...options, ...tasks } as SimOptions<unknown, unknown>, () => ""))
    const seed = prepared.plan.seed ?? freshSeed()
    if (prepared.plan.seed === undefined) yield* Effect.log(`simulation under seed ${seed}`)
    const of = draw(prepared.plan, seed, DISTURBED_MS)
    const program = yield* Effect.withFiber((fiber) => Effect.succeed(fiber))
    const world = new DrivenWorld({ seed, schedule: of.schedule, trace: true, promises: true }, (verdict) => {
      process.exitCode = 1
      process.stderr.write(`${String(verdict)}\n`)
      program.interruptUnsafe()
    })
    return yield* started(world, of, prepared)
  }))

const started = Effect.fnUntraced(function*(world: DrivenWorld, of: Case, prepared: Prepared) {
  const driver = world.begin(World.DRIVER)
  const { plan } = prepared
  const cluster = yield* Effect.orDie(world.perform(driver, startCluster(of, prepared, false)))
  const scope = yield* Effect.scope
  yield* Scope.addFinalizer(scope, Effect.andThen(world.perform(driver, cluster.shutdown), Effect.sync(() => world.stop())))
  for (const fault of of.faults) world.at(world.now + fault.at, () => void cluster.inject(fault))
  world.at(world.now + of.healAt, () => cluster.heal())
  const client = cluster.clients[0]!
  world.free = client.process
  const [service, more] = yield* Effect.orDie(world.perform(client.process, Effect.flatten(client.run(Effect.all([Client, MoreClients])).exit)))
  const own = client.process.context
  return Context.make(Client, service).pipe(
    Context.add(Cluster, service.cluster),
    Context.add(MoreClients, more),
    Context.add(Sim, makeSim(cluster, of.seed, plan.maxVirtualMs)),
    Context.add(Scheduler.Scheduler, Context.get(own, Scheduler.Scheduler)),
    Context.add(Clock.Clock, Context.get(own, Clock.Clock)),
    Context.add(Random.Random, Context.get(own, Random.Random)),
    Context.add(CurrentProcess, client.process)
  ) as Context.Context<Client | Cluster | Sim>
})

const makeSim = (cluster: SimCluster.SimCluster, seed: number, lasting: number): SimService => ({
  ...SimTools.make({ cluster, seed, lasting, seen: new Map(), oracle: { _tag: "Unasked" } }),
  oracle: () => Effect.die(new Error("sim.oracle compares with a second run, which only `it.sim` and `skein sim run` make; with Sim.layer compare with what you expect"))
})
