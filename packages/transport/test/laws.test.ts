/**
 * What a session promises, whatever the network does: each frame arrives once
 * and in order, or the session is over.
 *
 * Every run follows from its seed. A failing one prints it; `SEED=n` runs it alone.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Duplex from "@skein/transport/Duplex"
import * as Memory from "@skein/transport/Memory"
import type { Session } from "@skein/transport/Session"
import { Cause, Effect, Exit, Fiber, Queue, Random, Schema, Stream } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"
import { SimNet } from "@skein/simulation/SimNet"
import { bothWays, down, ends, endsOver, SCHEDULER, seeds, up, WORKER } from "./utils/storm.ts"

/** Nothing here waits: only a machine with much else to do takes longer than seconds. */
const SLOW = 600_000

/** Breaks the connection again and again. `gentle`: by resets alone, of which both ends hear. */
const cutting = (net: SimNet, gentle: boolean, pauseMs: number) => {
  const hole = Effect.fnUntraced(function*(links: ReadonlyArray<string>) {
    for (const link of links) net.blocked.add(link)
    yield* Effect.sleep((yield* Random.next) * 400)
    for (const link of links) net.blocked.delete(link)
  })
  return Effect.gen(function*() {
    while (true) {
      yield* Effect.sleep((yield* Random.next) * pauseMs)
      if (!net.isUp(WORKER, SCHEDULER)) continue
      const dice = gentle ? 0 : yield* Random.next
      if (dice < 0.3) net.reset(WORKER, SCHEDULER)
      else if (dice < 0.65) net.drop(WORKER, SCHEDULER)
      else if (dice < 0.7) yield* hole([up, down])
      else if (dice < 0.8) yield* hole([up])
      else if (dice < 0.9) yield* hole([down])
      else net.harms.add({ link: dice < 0.95 ? up : down, at: (net.written.get(dice < 0.95 ? up : down) ?? 0) + Math.floor(dice * 300), what: "damage" })
    }
  })
}

const stormy = (seed: number) => {
  const gentle = seed % 2 === 0
  const net = new SimNet()
  net.fragment = 0.3
  net.latency = [1, gentle ? 5 : 30]
  // A gentle run has no heartbeats: they would cover up a lost wake-up.
  const options = { window: 512, beatMs: gentle ? Infinity : 50, handshakeMs: 200 }
  return { gentle, net, options }
}

class Peer extends RpcGroup.make(
  Rpc.make("Add", { payload: { n: Schema.Int, ballast: Schema.Uint8Array }, success: Schema.Int }),
  Rpc.make("Count", { payload: { to: Schema.Int }, success: Schema.Int, stream: true }),
  Rpc.make("Hang", { success: Schema.Void }),
  Duplex.tell("Note", { n: Schema.Int })
) {}

/** One end of a session: what it serves notes what it was asked. */
const peer = Effect.fnUntraced(function*(session: Session) {
  const ledger = { added: new Array<number>(), noted: new Array<number>(), hanging: 0, interrupted: 0 }
  const client = yield* Duplex.make(session, { serve: Peer, call: Peer }).pipe(Effect.provide(Peer.toLayer({
    Add: ({ n }) => Effect.sync(() => (ledger.added.push(n), n + 1)),
    Count: ({ to }) => Stream.range(0, to - 1).pipe(Stream.rechunk(3)),
    Hang: () => Effect.sync(() => ledger.hanging++).pipe(Effect.andThen(Effect.never), Effect.onInterrupt(() => Effect.sync(() => ledger.interrupted++))),
    Note: ({ n }) => Effect.sync(() => void ledger.noted.push(n))
  })))
  return { client, ledger }
})

const CALLS = 8
const work = (client: Effect.Success<ReturnType<typeof peer>>["client"], ledger: { readonly added: Array<number>; readonly noted: Array<number> }) =>
  Effect.gen(function*() {
    const calls = (caller: number) =>
      Effect.gen(function*() {
        for (let i = 0; i < CALLS; i++) {
          const n = caller * CALLS + i
          assert.strictEqual(yield* client.Add({ n, ballast: new Uint8Array(n % 8 === 5 ? 3000 : 30) }), n + 1)
        }
      })
    const tells = Effect.gen(function*() {
      for (let n = 0; n < 40; n++) yield* client.Note({ n })
    })
    const streams = Effect.gen(function*() {
      assert.deepStrictEqual(yield* Stream.runCollect(client.Count({ to: 20 })), Array.from({ length: 20 }, (_, n) => n))
    })
    const impatient = Effect.gen(function*() {
      for (let i = 0; i < 3; i++) yield* Effect.timeoutOption(client.Hang(), 5)
    })
    yield* Effect.all([calls(0), calls(1), calls(2), tells, streams, impatient], { concurrency: "unbounded", discard: true })
    assert.deepStrictEqual([...ledger.added].sort((a, b) => a - b), Array.from({ length: 3 * CALLS }, (_, n) => n))
    while (ledger.noted.length < 40) yield* Effect.sleep(10)
    assert.deepStrictEqual(ledger.noted, Array.from({ length: 40 }, (_, n) => n))
  })

describe("over a network that cuts, drops, swallows and damages", () => {
  it("each frame arrives once and in order, both ways, and the window is kept: 1,000 seeds, with and without heartbeats", () => {
    seeds(1000, [0, 0.02, 0.05, 0.1], (seed) =>
      Effect.gen(function*() {
        const { gentle, net, options } = stormy(seed)
        const { here, sessions, there } = yield* ends(net, options)
        yield* Effect.raceFirst(bothWays(here, there, 20, 512), cutting(net, gentle, gentle ? 30 : 100))
        assert.strictEqual(yield* Queue.size(sessions), 0)
      }))
  }, SLOW)

  it("no wake-up is lost where every frame waits for room and every step may be the one between looking and waiting: 1,000 seeds", () => {
    // In memory nothing takes time, so a fiber that is stopped can be overtaken by all that it was about to wait for.
    seeds(1000, [0.02, 0.05, 0.1], () =>
      Effect.gen(function*() {
        const network = Memory.makeNetwork()
        const { here, there } = yield* endsOver({ server: yield* network.listen("s"), socket: network.connect("s") }, { window: 200, beatMs: Infinity })
        yield* bothWays(here, there, 15, 200)
      }))
  }, SLOW)

  it("calls are answered once, tells keep order, streams are whole: 150 seeds", () => {
    seeds(150, [0, 0.02, 0.05, 0.1], (seed) =>
      Effect.gen(function*() {
        const { gentle, net, options } = stormy(seed)
        const { here, there } = yield* ends(net, { ...options, window: 2000 })
        const ours = yield* peer(here)
        const theirs = yield* peer(there)
        yield* Effect.raceFirst(
          Effect.all([work(ours.client, theirs.ledger), work(theirs.client, ours.ledger)], { concurrency: "unbounded", discard: true }),
          cutting(net, gentle, gentle ? 60 : 200)
        )
        // The session's end is what RPC does see: there the call fails, here its handler is interrupted.
        const hanging = yield* Effect.forkChild(theirs.client.Hang())
        while (ours.ledger.hanging === 0) yield* Effect.sleep(10)
        yield* here.end(Cause.interrupt())
        assert.isTrue(Exit.isFailure(yield* Fiber.await(hanging)))
        while (ours.ledger.interrupted === 0) yield* Effect.sleep(10)
      }))
  }, SLOW)
})
