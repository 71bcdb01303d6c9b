/**
 * One conversation, broken once at each of its bytes: nowhere does a frame get
 * lost, or arrive twice. Without heartbeats, which would cover up a lost wake-up.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Queue } from "effect"
import { Sim } from "@skein/simulation/Sim"
import { type Harm, SimNet } from "@skein/simulation/SimNet"
import { bothWays, down, ends, quiet, up } from "./utils/storm.ts"

describe("at every byte offset of a conversation, in either direction,", () => {
  /** A fixed conversation; how many bytes each side has written in it. */
  const talk = (harm: Harm | undefined, seed: number, beatMs: number) => {
    const net = new SimNet()
    if (harm !== undefined) net.harms.add(harm)
    const sim = new Sim({ seed })
    const exit = sim.run(quiet(Effect.scoped(Effect.gen(function*() {
      const { here, sessions, there } = yield* ends(net, { beatMs, handshakeMs: 200, window: 400 })
      yield* bothWays(here, there, 5, 400)
      assert.strictEqual(yield* Queue.size(sessions), 0)
      yield* here.close
      assert.strictEqual((yield* Effect.flip(there.ended)).kind, "closed")
    }))))
    if (Exit.isFailure(exit)) throw new Error(`${JSON.stringify(harm)}: ${Cause.pretty(exit.cause)}`)
    return { written: net.written, harmed: net.harms.size === 0 }
  }
  const { written } = talk(undefined, 1, Infinity)

  for (const what of ["cut", "damage"] as const) {
    it(`a ${what} loses no frame and brings none twice`, () => {
      for (const link of [up, down]) {
        const length = written.get(link)!
        assert.isAbove(length, 500)
        for (let at = 0; at < length; at++) assert.isTrue(talk({ link, at, what }, 1, Infinity).harmed)
      }
    }, 600_000) // nothing here waits: only a machine with much else to do takes longer than seconds
  }
})

