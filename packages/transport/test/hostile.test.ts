/**
 * Whatever comes over the wire closes the connection that brought it, and
 * touches nothing else: not the server, and not the legitimate session beside it.
 *
 * The attackers' bytes are made from valid conversations: random, mutated,
 * truncated, replayed, with lengths that lie. Every run follows from its seed.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Bulk from "@skein/transport/Bulk"
import * as BulkClient from "@skein/transport/BulkClient"
import * as BulkServer from "@skein/transport/BulkServer"
import { encode, HEADER, Kind, makeDecoder, type Packet, packet } from "@skein/transport/Framing"
import * as Handshake from "@skein/transport/Handshake"
import type { Hashing } from "@skein/transport/Hashing"
import * as Memory from "@skein/transport/Memory"
import { layer as hashing, node } from "@skein/transport/node/Hashing"
import * as Session from "@skein/transport/Session"
import { Deferred, Effect, Exit, Fiber, Queue, Redacted, References, type Scope } from "effect"
import { Socket } from "effect/socket"
import { accepting, authorize, collecting, frame, numberOf, worker } from "./utils/sessions.ts"
import { Stream } from "@skein/simulation/Stream"

/** Nothing here waits: only a machine with much else to do takes longer than seconds. */
const SLOW = 600_000

const live = <A, E>(effect: Effect.Effect<A, E, Hashing | Scope.Scope>) =>
  effect.pipe(Effect.scoped, Effect.provide(hashing), Effect.provideService(References.MinimumLogLevel, "None"))

const join = (packets: ReadonlyArray<Packet>) => Buffer.concat(encode(packets, node.crc32))

const hello = (session: string, token = Redacted.value(worker.token!), graceMs = 0): Packet =>
  packet(Kind.Hello, 0, Handshake.encodeHello({
    version: Handshake.version,
    role: "worker",
    name: "attacker",
    epoch: 0,
    token,
    session,
    resume: null,
    window: 1000,
    frameLimit: 10_000,
    beatMs: null,
    graceMs
  }))
const bulkHello = (token = worker.token!): Packet => packet(Kind.Hello, 0, Handshake.encodeBulkHello({ ...worker, token }))

/** Some bytes, drawn; packets are what most of them were once. */
const corrupt = (prng: Stream, valid: () => ReadonlyArray<Packet>): Uint8Array => {
  const bytes = new Uint8Array(join(valid()))
  switch (prng.int(6)) {
    case 0: // noise
      return Uint8Array.from({ length: 1 + prng.int(60) }, () => prng.int(256))
    case 1: // some bytes are others
      for (let i = 0; i <= prng.int(4); i++) bytes[prng.int(bytes.length)] = prng.int(256)
      return bytes
    case 2: // it ends early
      return bytes.subarray(0, prng.int(bytes.length))
    case 3: // a piece is missing
      return Buffer.concat([bytes.subarray(0, prng.int(bytes.length)), bytes.subarray(prng.int(bytes.length))])
    case 4: // replayed
      return Buffer.concat([bytes, bytes, bytes])
    default: // a length that lies: the header itself is well made
      return lying(prng)
  }
}

/** A header of any kind that announces far more, or less, than comes. */
const lying = (prng: Stream): Uint8Array => {
  const body = new Uint8Array(8)
  const bytes = new Uint8Array(join([packet(1 + prng.int(13), prng.int(1000), body)]))
  new DataView(bytes.buffer).setUint32(7, [2 ** 32 - 1, 17 * 1024 * 1024, 1024 * 1024, 65_537, 3][prng.int(5)]!, true)
  let check = 0x5eed
  for (let index = 2; index < HEADER; index++) check = (check * 31 + bytes[index]!) & 0xffff
  new DataView(bytes.buffer).setUint16(0, check, true)
  return bytes
}

/** A valid packet of any kind, numbers and body drawn. */
const anyPacket = (prng: Stream): Packet =>
  packet(1 + prng.int(13), [0, 1, 2, prng.int(100), 2 ** 47][prng.int(5)]!, Uint8Array.from({ length: prng.int(40) }, () => prng.int(256)))

/** Connects, says these bytes, reads what comes, until it is cut off or has hung up. What was answered. */
const attack = (socket: Socket.Socket, bytes: ReadonlyArray<Uint8Array>) =>
  Effect.gen(function*() {
    const { pull } = yield* socket.reader
    const { write } = yield* socket.writer
    let answered = 0
    const reading = Effect.forever(Effect.map(pull, (chunks) => {
      for (const chunk of chunks) answered += chunk.length
    }))
    yield* Effect.ignore(Effect.raceFirst(
      reading,
      Effect.andThen(Effect.forEach(bytes, (one) => one.length === 0 ? Effect.void : write(one), { discard: true }), Effect.yieldNow)
    ))
    return answered
  }).pipe(Effect.scoped, Effect.catch(() => Effect.succeed(0)))

/** Frames that are no greetings, each on a connection of its own; and frames after a good greeting, some on each connection. */
const GREETINGS = 10_000
const FRAMES = 40_000
const EACH = 10

describe("a session's port", () => {
  /** A server with one legitimate session, which must still work afterwards and have noticed nothing. */
  const besieged = (attackers: (connect: () => Socket.Socket, prng: Stream) => Effect.Effect<void>) =>
    live(Effect.gen(function*() {
      const network = Memory.makeNetwork()
      const server = yield* network.listen("s")
      const opened: Array<string> = []
      const known = yield* Queue.unbounded<Session.Session>()
      yield* accepting(server, {
        handshakeMs: 200,
        onSession: (session) =>
          Effect.suspend(() => {
            opened.push(session.peer.name)
            return Effect.andThen(session.peer.name === worker.name ? Queue.offer(known, session) : Effect.void, Effect.ignore(session.run(() => Effect.void)))
          })
      })
      const here = yield* Session.dial({ socket: network.connect("s"), greeting: worker })
      const there = yield* Queue.take(known)
      const arrived = yield* collecting(here, 100)
      for (let n = 0; n < 50; n++) yield* there.send(frame(n))
      yield* attackers(() => network.connect("s"), new Stream(7))
      for (let n = 50; n < 100; n++) yield* there.send(frame(n))
      assert.deepStrictEqual(yield* arrived.all, Array.from({ length: 100 }, (_, n) => n))
      return opened
    }))

  it.live(`that ${GREETINGS.toLocaleString("en")} broken greetings hit opens no session for them`, () =>
    Effect.map(
      besieged((connect, prng) =>
        Effect.gen(function*() {
          for (let i = 0; i < GREETINGS; i++) {
            yield* attack(connect(), [corrupt(prng, () => [hello(i.toString(16).padStart(32, "0"), "a wrong token")])])
          }
        })
      ),
      (opened) => assert.deepStrictEqual(opened, [worker.name])
    ), SLOW)

  it.live(`that ${FRAMES.toLocaleString("en")} broken packets hit after a valid greeting loses only their sessions`, () =>
    besieged((connect, prng) =>
      Effect.gen(function*() {
        for (let i = 0; i < FRAMES;) {
          const broken: Array<Uint8Array> = []
          for (let n = 0; n < EACH; n++, i++) broken.push(corrupt(prng, () => [anyPacket(prng), packet(Kind.Frame, n + 1, frame(n, 30))]))
          // The greeting must have been answered before anything may follow it.
          yield* attackAfterGreeting(connect(), hello(i.toString(16).padStart(32, "a")), broken)
        }
      })
    ), SLOW)

  it.live("answers nobody with more than 256 bytes, and each in its own connection", () =>
    besieged((connect, prng) =>
      Effect.gen(function*() {
        for (let i = 0; i < 500; i++) {
          const answered = yield* attack(connect(), [corrupt(prng, () => [hello("f".repeat(32), "a wrong token")]), join([hello("e".repeat(32), "wrong")])])
          assert.isAtMost(answered, 256 + HEADER)
        }
      })
    ), SLOW)

  it.live("reads no more than one greeting's worth from who floods it before having greeted", () =>
    besieged((connect) =>
      Effect.gen(function*() {
        const flood = new Uint8Array(256 * 1024).fill(7)
        for (let i = 0; i < 100; i++) assert.strictEqual(yield* attack(connect(), [flood, flood, flood, flood]), 0)
      })
    ), SLOW)
})

/** Greets properly, waits for the welcome, and then says these bytes. */
const attackAfterGreeting = (socket: Socket.Socket, greeting: Packet, bytes: ReadonlyArray<Uint8Array>) =>
  Effect.gen(function*() {
    const { pull } = yield* socket.reader
    const { write } = yield* socket.writer
    yield* write(join([greeting]))
    yield* pull
    yield* Effect.raceFirst(Effect.forever(pull), Effect.andThen(Effect.forEach(bytes, (one) => one.length === 0 ? Effect.void : write(one), { discard: true }), Effect.yieldNow))
  }).pipe(Effect.scoped, Effect.ignore)

describe("a port for bulk data", () => {
  const besieged = (attackers: (connect: () => Socket.Socket, prng: Stream) => Effect.Effect<void>) =>
    live(Effect.gen(function*() {
      const network = Memory.makeNetwork()
      const reads: Array<number> = []
      const value = new Uint8Array(100_000).fill(5)
      yield* Effect.forkScoped(BulkServer.serve(yield* network.listen("b"), {
        authorize,
        handshakeMs: 200,
        read: (wanted) => Effect.sync(() => wanted.map(({ id }) => (reads.push(id), id === 1 ? Bulk.found(value) : Bulk.missing)))
      }))
      const client = yield* BulkClient.make({ connect: (address) => Effect.succeed(network.connect(address)), greeting: worker })
      const good = Effect.map(client.fetch("b", [{ id: 1, run: 1 }]), (answers) => assert.deepStrictEqual(answers, [Bulk.found(value)]))
      yield* good
      yield* attackers(() => network.connect("b"), new Stream(11))
      yield* good
      assert.strictEqual(client.idle(), 1) // the very connection of before
      return reads
    }))

  it.live(`that ${GREETINGS.toLocaleString("en")} broken greetings hit reads nothing for them`, () =>
    Effect.map(
      besieged((connect, prng) =>
        Effect.gen(function*() {
          const wrong = Redacted.make("a wrong token")
          for (let i = 0; i < GREETINGS; i++) {
            yield* attack(connect(), [corrupt(prng, () => [bulkHello(wrong), packet(Kind.Want, 0, Bulk.encodeWanted([{ id: 66, run: 1 }]))])])
          }
        })
      ),
      (reads) => assert.deepStrictEqual(reads, [1, 1])
    ), SLOW)

  it.live(`that ${FRAMES.toLocaleString("en")} broken questions hit answers the others`, () =>
    Effect.map(
      besieged((connect, prng) =>
        Effect.gen(function*() {
          for (let i = 0; i < FRAMES;) {
            const broken: Array<Uint8Array> = []
            for (let n = 0; n < EACH; n++, i++) {
              broken.push(corrupt(prng, () => [packet(Kind.Want, 0, Bulk.encodeWanted([{ id: n, run: 1 }])), anyPacket(prng)]))
            }
            yield* attackAfterGreeting(connect(), bulkHello(), broken)
          }
        })
      ),
      (reads) => assert.isTrue(reads.every((id) => Number.isSafeInteger(id) && id >= 0))
    ), SLOW)

  it.live("serves who reads nothing only until it is cut off for that", () =>
    live(Effect.gen(function*() {
      const network = Memory.makeNetwork()
      const cut = yield* Deferred.make<void>()
      const value = new Uint8Array(20 * Bulk.chunkBytes)
      const server = yield* network.listen("b")
      yield* Effect.forkScoped(BulkServer.serve({
        address: server.address,
        run: (handler) => server.run((socket) => Effect.ensuring(handler(socket), Deferred.succeed(cut, undefined)))
      }, { authorize, stallMs: 20, read: () => Effect.succeed([Bulk.found(value)]) }))
      const socket = network.connect("b")
      const { pull } = yield* socket.reader
      const { write } = yield* socket.writer
      yield* write(join([bulkHello()]))
      yield* pull
      yield* write(join([packet(Kind.Want, 0, Bulk.encodeWanted([{ id: 1, run: 1 }]))]))
      yield* Deferred.await(cut)
    })))
})

describe("an authenticated side that breaks the rules", () => {
  /** A session with a peer that can say anything. */
  const withPeer = Effect.gen(function*() {
    const network = Memory.makeNetwork()
    const { sessions } = yield* accepting(yield* network.listen("s"), { window: 1000, frameLimit: 1000, beatMs: Infinity })
    const socket = network.connect("s")
    const { pull } = yield* socket.reader
    const { write } = yield* socket.writer
    yield* write(join([hello("1".repeat(32), undefined, 10_000)]))
    yield* pull
    const session = yield* Queue.take(sessions)
    return { session, pull, say: (packets: ReadonlyArray<Packet>) => write(join(packets)) }
  })

  it.live("by sending more than fits into its window, unhandled, is cut off", () =>
    live(Effect.gen(function*() {
      const { say, session } = yield* withPeer // nobody runs the session, so nothing is handled
      for (let n = 1; n <= 10; n++) yield* Effect.ignore(say([packet(Kind.Frame, n, new Uint8Array(900))]))
      assert.strictEqual((yield* Effect.flip(session.ended)).kind, "overrun")
    })))

  it.live("by sending frames again has each handled once", () =>
    live(Effect.gen(function*() {
      const { say, session } = yield* withPeer
      const { all, arrived } = yield* collecting(session, 3)
      for (const n of [1, 1, 2, 1, 2, 3]) yield* say([packet(Kind.Frame, n, frame(n))])
      yield* all
      assert.deepStrictEqual(arrived, [1, 2, 3])
    })))

  it.live("is acknowledged alone when it wants that, and not before what it sent is handled", () =>
    live(Effect.gen(function*() {
      const { pull, say, session } = yield* withPeer
      yield* pull // the first word on the connection
      const gate = yield* Deferred.make<void>()
      const handled: Array<number> = []
      yield* Effect.forkScoped(session.run((frame) => Effect.andThen(Deferred.await(gate), Effect.sync(() => void handled.push(numberOf(frame))))))
      yield* say([packet(Kind.Frame, 1, frame(1)), packet(Kind.Frame, 2, frame(2)), packet(Kind.AckWanted, 2)])
      const answer = yield* Effect.forkChild(pull)
      yield* Effect.yieldNow
      assert.isUndefined(answer.pollUnsafe())
      yield* Deferred.succeed(gate, undefined)
      const { feed } = makeDecoder({ limit: 1000, crc32: node.crc32 })
      assert.deepStrictEqual(feed((yield* Fiber.join(answer))[0] as Uint8Array).map(({ kind, number }) => [kind, number]), [[Kind.Ack, 2]])
      assert.deepStrictEqual(handled, [1, 2])
    })))

  it.live("by a frame out of turn, a beat that is not its to say, an acknowledgement of what was never sent, the wish for one of what never came, or a frame too large, loses its connection but not its session", () =>
    live(Effect.gen(function*() {
      for (const nonsense of [packet(Kind.Frame, 5, frame(0)), packet(Kind.Ack, 1), packet(Kind.AckWanted, 1), packet(Kind.Beat, 1000), packet(Kind.Hello, 0), packet(Kind.Frame, 1, new Uint8Array(1001))]) {
        const { pull, say, session } = yield* withPeer
        yield* say([nonsense])
        assert.isTrue(Exit.isFailure(yield* Effect.exit(Effect.forever(pull))))
        const ended = yield* Effect.forkChild(session.ended)
        yield* Effect.yieldNow
        assert.isUndefined(ended.pollUnsafe())
      }
    })))
})
