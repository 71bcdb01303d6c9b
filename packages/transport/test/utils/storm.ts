/**
 * Sessions over a simulated network, and conversations that notice whatever goes wrong.
 */
import { assert } from "@effect/vitest"
import type { Hashing } from "@skein/transport/Hashing"
import * as Session from "@skein/transport/Session"
import { Cause, Deferred, Effect, Exit, Queue, Random, References, type Scope } from "effect"
import type { Socket, SocketServer } from "effect/socket"
import { accepting, frame, isIntact, numberOf, worker } from "./sessions.ts"
import { Sim } from "@skein/simulation/Sim"
import type { SimNet } from "@skein/simulation/SimNet"

export const WORKER = "worker"
export const SCHEDULER = "scheduler"
export const up = `${WORKER}->${SCHEDULER}`
export const down = `${SCHEDULER}->${WORKER}`

/** Both ends of a session over a simulated network. */
export const ends = (net: SimNet, options: Session.SessionOptions) =>
  Effect.flatMap(net.listen(SCHEDULER), (server) => endsOver({ server, socket: net.socket(WORKER, SCHEDULER) }, options))

/** Both ends of a session over any network. */
export const endsOver = Effect.fnUntraced(function*(
  network: { readonly server: SocketServer.SocketServer["Service"]; readonly socket: Socket.Socket },
  options: Session.SessionOptions
) {
  const { sessions } = yield* accepting(network.server, { ...options, graceMs: () => 60_000 })
  const here = yield* Session.dial({ socket: network.socket, greeting: worker, ...options, timeoutMs: 60_000 })
  const there = yield* Queue.take(sessions)
  return { here, there, sessions }
})

export const quiet = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.provideService(effect, References.MinimumLogLevel, "None")

/** Runs the program under each seed; what fails names its seed. */
export const seeds = <E>(count: number, preemptions: ReadonlyArray<number>, program: (seed: number) => Effect.Effect<void, E, Scope.Scope | Hashing>) => {
  const only = process.env["SEED"] === undefined ? undefined : Number(process.env["SEED"])
  for (let seed = 0; seed < count; seed++) {
    if (only !== undefined && seed !== only) continue
    const sim = new Sim({ seed, preemption: preemptions[seed % preemptions.length]! })
    const exit = sim.run(quiet(Effect.scoped(program(seed))))
    if (Exit.isFailure(exit)) throw new Error(`seed ${seed}, after ${sim.steps} steps: ${Cause.pretty(exit.cause)}`)
  }
}

/** Frames that carry their number, and readers that take their time; done when `count` have arrived in each direction. */
export const conversation = (from: Session.Session, to: Session.Session, count: number, window: number) => {
  let handled = 0
  let underWay = 0
  let most = 0
  const arrived = Deferred.makeUnsafe<void>()
  const writing = Effect.gen(function*() {
    for (let n = 0; n < count; n++) {
      const bytes = 4 + Math.floor((yield* Random.next) * 150)
      yield* from.send(frame(n, bytes))
      most = Math.max(most, underWay += bytes)
      if (underWay > window) assert.fail(`${underWay} bytes under way`)
    }
    yield* Deferred.await(arrived)
  })
  const reading = to.run((frame) =>
    Effect.gen(function*() {
      assert.strictEqual(numberOf(frame), handled)
      assert.isTrue(isIntact(frame))
      if ((yield* Random.next) < 0.2) yield* Effect.sleep((yield* Random.next) * 20)
      underWay -= frame.length
      if (++handled === count) yield* Deferred.succeed(arrived, undefined)
    })
  )
  return { writing, reading, most: () => most }
}

export const bothWays = (here: Session.Session, there: Session.Session, count: number, window: number) => {
  const upwards = conversation(here, there, count, window)
  const downwards = conversation(there, here, count, window)
  return Effect.raceFirst(
    Effect.all([upwards.writing, downwards.writing], { concurrency: "unbounded", discard: true }),
    Effect.raceFirst(upwards.reading, downwards.reading)
  )
}
