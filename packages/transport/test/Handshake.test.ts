import { assert, describe, it } from "@effect/vitest"
import * as Connection from "@skein/transport/Connection"
import { encode, HEADER, Kind, packet } from "@skein/transport/Framing"
import type { Hashing } from "@skein/transport/Hashing"
import * as Handshake from "@skein/transport/Handshake"
import { node } from "@skein/transport/node/Hashing"
import * as Session from "@skein/transport/Session"
import { Cause, Clock, Effect, Exit, Fiber, Logger, Option, Queue, Redacted, References, Stream, SubscriptionRef } from "effect"
import { accepting, authorize, frame, numberOf, pair, worker } from "./utils/sessions.ts"
import { Sim } from "@skein/simulation/Sim"
import { SimNet } from "@skein/simulation/SimNet"
import { quiet } from "./utils/storm.ts"

/** Runs in virtual time, under one seed. */
const simulated = <A, E>(effect: Effect.Effect<A, E, Hashing>) => {
  const exit = new Sim({ seed: 1 }).run(quiet(effect))
  if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
}

const refusedBy = (greeting: Handshake.Greeting, options: Partial<Session.ServeOptions<never, never>> = {}) =>
  Effect.gen(function*() {
    const net = new SimNet()
    yield* accepting(yield* net.listen("s"), options)
    return yield* Effect.flip(Session.dial({ socket: net.socket("w", "s"), greeting, timeoutMs: 500 }))
  }).pipe(Effect.scoped)

const hello = (changes: Partial<Handshake.Hello> = {}): Uint8Array =>
  Handshake.encodeHello({
    version: Handshake.version,
    role: "worker",
    name: "w",
    epoch: 0,
    token: Redacted.value(worker.token!),
    session: "0".repeat(32),
    resume: null,
    window: 1000,
    frameLimit: 1000,
    beatMs: null,
    graceMs: null,
    ...changes
  })

describe("a dialling side is refused", () => {
  it("with a wrong token, at once and by name", () => {
    simulated(Effect.gen(function*() {
      const error = yield* refusedBy({ ...worker, token: Redacted.make("wrong") })
      assert.strictEqual(error.reason, "Unauthorized")
      assert.notInclude(error.message, "wrong")
      assert.isBelow(yield* Clock.currentTimeMillis, 100)
    }))
  })

  it("without a token", () => {
    simulated(Effect.gen(function*() {
      assert.strictEqual((yield* refusedBy({ role: "worker", name: "w" })).reason, "Unauthorized")
    }))
  })

  it("in a role that may not connect", () => {
    simulated(Effect.gen(function*() {
      const byRole = Handshake.byToken(worker.token!, { roles: ["client"] })
      const net = new SimNet()
      const server = yield* net.listen("s")
      yield* Effect.forkScoped(Session.serve(server, { authorize: byRole, onSession: () => Effect.never }))
      const dial = (role: Handshake.Role) => Effect.exit(Session.dial({ socket: net.socket("w", "s"), greeting: { ...worker, role }, timeoutMs: 500 }))
      assert.isTrue(Exit.isFailure(yield* dial("worker")))
      assert.isTrue(Exit.isSuccess(yield* dial("client")))
    }).pipe(Effect.scoped))
  })

  it("of another version, whatever else its greeting holds", () => {
    simulated(Effect.gen(function*() {
      const net = new SimNet()
      const { sessions } = yield* accepting(yield* net.listen("s"))
      const connection = yield* Connection.open(net.socket("w", "s"), { limit: 1000, crc32: node.crc32 })
      yield* connection.write([packet(Kind.Hello, 0, new TextEncoder().encode(`{"version":99,"shape":"of the future"}`))])
      const [answer] = yield* connection.packets
      assert.strictEqual(answer!.kind, Kind.Refusal)
      assert.isAtMost(answer!.body.length, 256)
      assert.strictEqual((yield* Handshake.decodeRefusal(answer!.body)).reason, "Version")
      assert.strictEqual(yield* Queue.size(sessions), 0)
    }).pipe(Effect.scoped))
  })

  it("when it knows of a later epoch, and refuses in turn a server of an earlier one", () => {
    simulated(Effect.gen(function*() {
      assert.strictEqual((yield* refusedBy({ ...worker, epoch: 3 }, { greeting: { role: "scheduler", name: "old", epoch: 2 } })).reason, "Refused")
    }))
  })

  it("when there are as many connections as may be, until there are fewer", () => {
    simulated(Effect.gen(function*() {
      const net = new SimNet()
      yield* accepting(yield* net.listen("s"), { maxConnections: 1, graceMs: () => 10 })
      const dial = Session.dial({ socket: net.socket("w", "s"), greeting: worker, timeoutMs: 3000 })
      yield* Effect.scoped(Effect.gen(function*() {
        yield* dial
        assert.strictEqual((yield* Effect.flip(Session.dial({ socket: net.socket("w2", "s"), greeting: worker, timeoutMs: 500 }))).reason, "Refused")
      }))
      yield* dial
    }).pipe(Effect.scoped))
  })
})

describe("an accepting side", () => {
  it("closes a connection that says nothing for 5 s, or only a part of a greeting", () => {
    simulated(Effect.gen(function*() {
      const net = new SimNet()
      yield* accepting(yield* net.listen("s"))
      for (const words of [[], [new Uint8Array(3)]]) {
        const before = yield* Clock.currentTimeMillis
        const socket = net.socket("w", "s")
        const { pull } = yield* socket.reader
        const { write } = yield* socket.writer
        for (const word of words) yield* write(word)
        assert.isTrue(Exit.isFailure(yield* Effect.exit(pull)))
        assert.approximately((yield* Clock.currentTimeMillis) - before, 5000, 100)
      }
    }).pipe(Effect.scoped))
  })

  it("reads one greeting of at most 64 KiB, and nothing after it before its answer", () => {
    simulated(Effect.gen(function*() {
      const net = new SimNet()
      const { sessions } = yield* accepting(yield* net.listen("s"))
      const attempts = [
        [packet(Kind.Hello, 0, new TextEncoder().encode(new TextDecoder().decode(hello()).replace(`"w"`, `"${"w".repeat(300)}"`)))],
        [packet(Kind.Hello, 0, new Uint8Array(64 * 1024 + 1))],
        [packet(Kind.Hello, 0, hello()), packet(Kind.Frame, 1, frame(0))],
        [packet(Kind.Frame, 1, frame(0))]
      ]
      for (const packets of attempts) {
        const connection = yield* Connection.open(net.socket("w", "s"), { limit: 1000, crc32: node.crc32 })
        yield* connection.write(packets)
        assert.isTrue(Exit.isFailure(yield* Effect.exit(connection.packets)))
      }
      assert.strictEqual(yield* Queue.size(sessions), 0)
      assert.isBelow(yield* Clock.currentTimeMillis, 1000)
    }).pipe(Effect.scoped))
  })

  it("hangs up on the mere header of a greeting that is too long", () => {
    simulated(Effect.gen(function*() {
      const net = new SimNet()
      yield* accepting(yield* net.listen("s"))
      for (const [bytes, closed] of [[Handshake.greetingLimit + 1, true], [Handshake.greetingLimit, false]] as const) {
        const socket = net.socket("w", "s")
        const { pull } = yield* socket.reader
        const { write } = yield* socket.writer
        yield* write(encode([packet(Kind.Hello, 0, new Uint8Array(bytes))], node.crc32)[0].subarray(0, HEADER))
        assert.strictEqual(Option.isSome(yield* Effect.timeoutOption(Effect.exit(pull), 100)), closed)
      }
    }).pipe(Effect.scoped))
  })

  it("does not hand a session to who knows its id but comes in another role", () => {
    simulated(Effect.gen(function*() {
      const net = new SimNet()
      const { sessions } = yield* accepting(yield* net.listen("s"))
      const greet = Effect.fnUntraced(function*(changes: Partial<Handshake.Hello>) {
        const connection = yield* Connection.open(net.socket("w", "s"), { limit: 1000, crc32: node.crc32 })
        yield* connection.write([packet(Kind.Hello, 0, hello(changes))])
        return (yield* connection.packets)[0]!
      })
      assert.strictEqual((yield* greet({})).kind, Kind.Welcome)
      const answer = yield* greet({ role: "client", resume: 0 })
      assert.strictEqual((yield* Handshake.decodeRefusal(answer.body)).reason, "Unauthorized")
      assert.strictEqual((yield* Handshake.decodeRefusal((yield* greet({ session: "1".repeat(32), resume: 0 })).body)).reason, "Forgotten")
      assert.strictEqual((yield* greet({ resume: 0 })).kind, Kind.Welcome)
      assert.strictEqual(yield* Queue.size(sessions), 1)
    }).pipe(Effect.scoped))
  })

  it("hangs up on a session's older connection when a newer one comes", () => {
    simulated(Effect.gen(function*() {
      const net = new SimNet()
      yield* accepting(yield* net.listen("s"))
      const greet = Effect.gen(function*() {
        const connection = yield* Connection.open(net.socket("w", "s"), { limit: 1000, crc32: node.crc32 })
        yield* connection.write([packet(Kind.Hello, 0, hello())])
        assert.strictEqual((yield* connection.packets)[0]!.kind, Kind.Welcome)
        return connection
      })
      const older = yield* greet
      const newer = yield* greet
      assert.isTrue(Exit.isFailure(yield* Effect.exit(Effect.forever(older.packets))))
      assert.isTrue(Option.isNone(yield* Effect.timeoutOption(Effect.exit(Effect.forever(newer.packets)), 1000)))
    }).pipe(Effect.scoped))
  })

  it("logs refusals at most once a second, and nothing of what was said", () => {
    simulated(Effect.gen(function*() {
      const lines: Array<string> = []
      const logger = Logger.make<unknown, void>(({ logLevel, message }) => void (logLevel === "Warn" && lines.push(String(message))))
      const net = new SimNet()
      yield* Effect.gen(function*() {
        yield* accepting(yield* net.listen("s"))
        const start = yield* Clock.currentTimeMillis
        for (let i = 0; i < 100; i++) {
          yield* Effect.flip(Session.dial({ socket: net.socket("w", "s"), greeting: { ...worker, name: "evil\nname", token: Redacted.make(`guess ${i}`) } }))
        }
        const seconds = ((yield* Clock.currentTimeMillis) - start) / 1000
        assert.isAtMost(lines.length, Math.ceil(seconds) + 1)
      }).pipe(Effect.provide(Logger.layer([logger])), Effect.provideService(References.MinimumLogLevel, "All"))
      assert.isAtLeast(lines.length, 1)
      assert.isFalse(lines.some((line) => /guess|evil/.test(line)))
    }).pipe(Effect.scoped))
  })
})

describe("a session without a connection", () => {
  /** Both ends up; then the network is gone for `ms`. */
  const without = (ms: number) =>
    Effect.gen(function*() {
      const net = new SimNet()
      const { here, there } = yield* pair({ server: yield* net.listen("s"), socket: net.socket("w", "s") }, { graceMs: 5000, beatMs: 500 })
      const statuses = yield* Effect.forkChild(Stream.runCollect(Stream.takeUntil(SubscriptionRef.changes(here.status), (status) => status === "lost")))
      yield* Effect.sleep(100)
      for (const link of ["w->s", "s->w"]) net.blocked.add(link)
      net.reset("w", "s")
      yield* here.send(frame(7))
      yield* Effect.sleep(ms)
      net.blocked.clear()
      return { here, there, statuses }
    })

  it("resumes within its grace", () => {
    simulated(Effect.gen(function*() {
      const { here, there } = yield* without(4500)
      const arrived = yield* Queue.unbounded<number>()
      yield* Effect.forkScoped(there.run((frame) => Queue.offer(arrived, numberOf(frame))))
      yield* Effect.sleep(5000)
      assert.strictEqual(yield* Queue.take(arrived), 7)
      assert.strictEqual(SubscriptionRef.getUnsafe(here.status), "connected")
    }).pipe(Effect.scoped))
  })

  it("is over after it, on both sides", () => {
    simulated(Effect.gen(function*() {
      const { here, statuses, there } = yield* without(5100)
      assert.strictEqual((yield* Effect.flip(here.ended)).kind, "grace")
      assert.strictEqual((yield* Effect.flip(there.ended)).kind, "grace")
      assert.isAtMost(yield* Clock.currentTimeMillis, 5500)
      // Whether it is looked at before or after its first connection has been taken up is chance.
      assert.deepStrictEqual((yield* Fiber.join(statuses)).slice(-3), ["connected", "reconnecting", "lost"])
    }).pipe(Effect.scoped))
  })

  it("beats as slowly as the slower of both sides wants", () => {
    simulated(Effect.gen(function*() {
      const net = new SimNet()
      const { sessions } = yield* accepting(yield* net.listen("s"), { beatMs: 100 })
      const here = yield* Session.dial({ socket: net.socket("w", "s"), greeting: worker, beatMs: 2000 })
      const changes: Array<Session.Status> = []
      yield* Effect.forkScoped(Stream.runForEach(SubscriptionRef.changes((yield* Queue.take(sessions)).status), (status) => Effect.sync(() => void changes.push(status))))
      yield* Effect.sleep(20_000)
      assert.notInclude(changes, "reconnecting")
      assert.strictEqual(SubscriptionRef.getUnsafe(here.status), "connected")
    }).pipe(Effect.scoped))
  })

  it("beats as seldom as the accepting side has it, while it lasts, and is never taken for silent by that", () => {
    simulated(Effect.gen(function*() {
      const net = new SimNet()
      const { sessions } = yield* accepting(yield* net.listen("s"), { paceMs: (sessions) => 1000 * sessions })
      const dial = (name: string) => Session.dial({ socket: net.socket(name, "s"), greeting: worker })
      const here = yield* dial("w")
      const there = yield* Queue.take(sessions)
      const changes: Array<Session.Status> = []
      for (const { status } of [here, there]) {
        yield* Effect.forkScoped(Stream.runForEach(SubscriptionRef.changes(status), (status) => Effect.sync(() => void changes.push(status))))
      }
      assert.deepStrictEqual([here.beatMs(), there.beatMs()], [1000, 1000])
      const others = yield* Effect.forkChild(Effect.scoped(Effect.andThen(Effect.forEach(Array.from({ length: 9 }, (_, n) => `w${n}`), dial), Effect.never)))
      yield* Effect.sleep(60_000)
      assert.deepStrictEqual([here.beatMs(), there.beatMs()], [10_000, 10_000])
      yield* Fiber.interrupt(others)
      yield* Effect.sleep(60_000)
      assert.deepStrictEqual([here.beatMs(), there.beatMs()], [1000, 1000])
      assert.deepStrictEqual(changes, ["connected", "connected"])
      net.blocked.add("w->s").add("s->w")
      yield* Effect.sleep(4100)
      assert.deepStrictEqual(changes.slice(2), ["reconnecting", "reconnecting"])
    }).pipe(Effect.scoped))
  })

  it("that is resumed beats as it was agreed then", () => {
    simulated(Effect.gen(function*() {
      const net = new SimNet()
      let pace = 1000
      const { sessions } = yield* accepting(yield* net.listen("s"), { paceMs: () => pace })
      const here = yield* Session.dial({ socket: net.socket("w", "s"), greeting: worker })
      const there = yield* Queue.take(sessions)
      pace = 7000
      net.reset("w", "s")
      yield* Effect.sleep(500)
      assert.deepStrictEqual([here.beatMs(), there.beatMs()], [7000, 7000])
    }).pipe(Effect.scoped))
  })

  it("is kept no longer than the dialling side would try to resume it", () => {
    simulated(Effect.gen(function*() {
      const net = new SimNet()
      const { sessions } = yield* accepting(yield* net.listen("s"), { graceMs: () => 60_000, beatMs: 100 })
      yield* Session.dial({ socket: net.socket("w", "s"), greeting: worker, graceMs: 1000 })
      for (const link of ["w->s", "s->w"]) net.blocked.add(link)
      net.reset("w", "s")
      assert.strictEqual((yield* Effect.flip((yield* Queue.take(sessions)).ended)).kind, "grace")
      assert.isBelow(yield* Clock.currentTimeMillis, 1200)
    }).pipe(Effect.scoped))
  })

  it("that nobody answers any more is noticed after three silent beats", () => {
    simulated(Effect.gen(function*() {
      const net = new SimNet()
      const { here } = yield* pair({ server: yield* net.listen("s"), socket: net.socket("w", "s") }, { graceMs: 5000, beatMs: 500 })
      for (const link of ["w->s", "s->w"]) net.blocked.add(link) // a black hole: no reset, no close
      yield* Effect.sleep(2100)
      assert.strictEqual(SubscriptionRef.getUnsafe(here.status), "reconnecting")
    }).pipe(Effect.scoped))
  })

  it("of which the other side has been started anew is over at once", () => {
    simulated(Effect.gen(function*() {
      const net = new SimNet()
      const first = yield* Effect.forkChild(Effect.scoped(Effect.flatMap(net.listen("s"), (server) =>
        Session.serve(server, { authorize, onSession: () => Effect.never }))))
      yield* Effect.sleep(10)
      const here = yield* Session.dial({ socket: net.socket("w", "s"), greeting: worker })
      for (const link of ["w->s", "s->w"]) net.blocked.add(link) // a killed process says no goodbye
      yield* Fiber.interrupt(first)
      net.blocked.clear()
      yield* accepting(yield* net.listen("s"))
      assert.strictEqual((yield* Effect.flip(here.ended)).kind, "grace")
      assert.isBelow(yield* Clock.currentTimeMillis, 5000)
    }).pipe(Effect.scoped))
  })
})

it("dialling where nobody listens fails when its time is up, and says why", () => {
  simulated(Effect.gen(function*() {
    const error = yield* Effect.flip(Session.dial({ socket: new SimNet().socket("w", "s"), greeting: worker, timeoutMs: 2000 }))
    assert.strictEqual(error.reason, "Refused")
    assert.approximately(yield* Clock.currentTimeMillis, 2000, 10)
  }).pipe(Effect.scoped))
})

it("dialling who is too busy to answer fails when its time is up, and does not take him for somebody else", () => {
  simulated(Effect.gen(function*() {
    const net = new SimNet()
    yield* net.listen("s")
    const error = yield* Effect.flip(Session.dial({ socket: net.socket("w", "s"), greeting: worker, timeoutMs: 12_000 }))
    assert.strictEqual(error.reason, "Timeout")
    assert.strictEqual(error.detail, "what listens there does not answer, 3 tries in 12 s")
  }).pipe(Effect.scoped))
})

it("dialling comes through when somebody begins to listen in time", () => {
  simulated(Effect.gen(function*() {
    const net = new SimNet()
    const dialling = yield* Effect.forkChild(Session.dial({ socket: net.socket("w", "s"), greeting: worker, timeoutMs: 5000 }))
    yield* Effect.sleep(2500)
    yield* accepting(yield* net.listen("s"))
    assert.strictEqual((yield* Fiber.join(dialling)).peer.role, "scheduler")
  }).pipe(Effect.scoped))
})
