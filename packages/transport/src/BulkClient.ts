/**
 * Fetches values from wherever they are, and brings them there. Connections are kept for the next
 * question to the same address.
 */
import * as Arr from "effect/Array"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import * as Bulk from "./Bulk.ts"
import { type Connection, openWith } from "./Connection.ts"
import { broken, isNonsense, Kind, makeDecoder, type Packet, packet } from "./Framing.ts"
import { decodeBulkWelcome, decodeRefusal, encodeBulkHello, type Greeting } from "./Handshake.ts"
import { Hashing } from "./Hashing.ts"
import { firstPacket } from "./internal/greeting.ts"
import { makePool, type Pooled } from "./internal/pool.ts"

export interface ClientOptions {
  /** How to reach an address, as `node/BulkSocket.ts` knows for all kinds. What comes may be read into the `room` that there is for it. */
  readonly connect: (address: string, room: Bulk.Room) => Effect.Effect<Socket.Socket, { readonly message: string }>
  readonly greeting: Greeting
  /** Connections at most, those that idle included; beyond, questions wait. @default 512 */
  readonly limit?: number
  /** How long a connection is kept unused, in ms. @default 60000 */
  readonly idleMs?: number
  /** How long a connection and its greeting may take, in ms. @default 5000 */
  readonly handshakeMs?: number
  /** How long nothing may come while something should, in ms. @default 30000 */
  readonly stallMs?: number
  /** Bytes in one value at most. @default 2 GiB */
  readonly valueLimit?: number
}

/** Fetches values by number, and brings them. */
export class BulkClient extends Context.Service<BulkClient, {
  /** Asks one address for values, up to 4,096 in one question; the answers are in the order of what was asked for. */
  readonly fetch: (address: string, wanted: ReadonlyArray<Bulk.Wanted>) => Effect.Effect<ReadonlyArray<Bulk.Answer>, Bulk.BulkFailed>
  /** Brings a value to one address, where it is kept under these numbers. Completes once it is there. */
  readonly put: (address: string, named: Bulk.Wanted, bytes: Uint8Array) => Effect.Effect<void, Bulk.BulkFailed>
  /** Connections that nobody uses just now. */
  readonly idle: () => number
}>()("@skein/transport/BulkClient") {
  static readonly layer = (options: ClientOptions): Layer.Layer<BulkClient, never, Hashing> => Layer.effect(BulkClient, make(options))
}

/** One connection, and where the answer that it brings is put together. */
interface Line {
  readonly connection: Connection
  readonly receiver: Receiver
}

/** A client whose connections close with the scope. */
export const make = Effect.fnUntraced(function*(
  options: ClientOptions
): Effect.fn.Return<BulkClient["Service"], never, Hashing | Scope.Scope> {
  const hashing = yield* Hashing
  const stallMs = options.stallMs ?? 30_000
  const handshakeMs = options.handshakeMs ?? 5000

  const connect = Effect.fnUntraced(function*(address: string) {
    const failed = (reason: Bulk.BulkFailed["reason"]) => (error: { readonly message: string }) =>
      Effect.fail(new Bulk.BulkFailed({ address, reason, detail: error.message }))
    return yield* Effect.gen(function*() {
      const receiver = makeReceiver(options.valueLimit ?? 2 ** 31)
      const decoder = makeDecoder({ limit: Bulk.chunkBytes, crc32: hashing.crc32, place: receiver.place })
      const socket = yield* options.connect(address, decoder.room).pipe(Effect.catch(failed("Connect")))
      const connection = yield* openWith(socket, decoder, hashing.crc32)
      const hello = packet(Kind.Hello, 0, encodeBulkHello(options.greeting))
      const first = yield* firstPacket(connection, Effect.andThen(connection.write([hello]), connection.packets))
      if (first.packet.kind === Kind.Refusal) return yield* Effect.flatMap(decodeRefusal(first.packet.body), Effect.fail)
      if (first.packet.kind !== Kind.Welcome || first.rest > 0) return yield* Effect.fail(broken("no welcome"))
      yield* decodeBulkWelcome(first.packet.body)
      const line: Line = { connection, receiver }
      return line
    }).pipe(
      Effect.timeoutOrElse({ duration: handshakeMs, orElse: () => failed("Connect")({ message: `no connection within ${handshakeMs} ms` }) }),
      Effect.catchTag("SocketError", (error) => failed("Connect")({ message: detailOf(error) })),
      Effect.catchTag("HandshakeRefused", (refused) => failed(refused.reason === "Busy" ? "Connect" : "Unauthorized")(refused)),
      Effect.catchTag("NotAGreeting", failed("Unauthorized"))
    )
  })
  const pool = yield* makePool({
    open: connect,
    spoiled: ({ connection }: Line) => connection.packets,
    limit: options.limit ?? 512,
    idleMs: options.idleMs ?? 60_000
  })

  /** Fails with `Stale` if the connection had been kept, and nothing has come over it. */
  const ask = (address: string, wanted: ReadonlyArray<Bulk.Wanted>) => ({ connection: { connection, receiver }, reused }: Pooled<Line>) =>
    Effect.gen(function*() {
      receiver.start(wanted.length)
      yield* connection.write([packet(Kind.Want, 0, Bulk.encodeWanted(wanted))])
      while (!receiver.isDone()) {
        for (const one of yield* connection.packets) if (!receiver.accept(one)) return yield* Effect.fail(broken("no answer to the question"))
        const credit = receiver.takeCredit()
        if (credit > 0) yield* connection.write([packet(Kind.Credit, credit)])
      }
      return receiver.answers()
    }).pipe(
      stalling(() => receiver.progress(), stallMs),
      Effect.catchTag("SocketError", (error): Effect.Effect<never, Stale | Bulk.BulkFailed> =>
        reused && receiver.progress() === 0 ? Effect.fail(new Stale()) : Effect.fail(failure(address, error, receiver))),
      Effect.catchTag("Stalled", () => Effect.fail(new Bulk.BulkFailed({ address, reason: "Stalled", detail: `nothing came for ${stallMs} ms` })))
    )
  /** The same for a value that is brought. */
  const bring = (address: string, named: Bulk.Wanted, bytes: Uint8Array) => ({ connection: { connection }, reused }: Pooled<Line>) => {
    let progress = 0
    const failed = (error: Socket.SocketError): Effect.Effect<never, Stale | Bulk.BulkFailed> =>
      reused && progress <= 1
        ? Effect.fail(new Stale())
        : Effect.fail(new Bulk.BulkFailed({ address, reason: isNonsense(error) ? "Damaged" : "Lost", detail: detailOf(error) }))
    return Effect.gen(function*() {
      let head: ReadonlyArray<Packet> = [packet(Kind.Put, bytes.length, Bulk.encodeWanted([named]))]
      for (let at = 0; at < bytes.length; at += Bulk.chunkBytes) {
        yield* connection.write([...head, packet(Kind.Chunk, 0, bytes.subarray(at, at + Bulk.chunkBytes))])
        head = []
        progress++
      }
      if (head.length > 0) yield* connection.write(head)
      for (;;) {
        for (const { kind } of yield* connection.packets) return yield* kind === Kind.Stored ? Effect.void : Effect.fail(broken("no answer to a value"))
      }
    }).pipe(
      stalling(() => progress, stallMs),
      Effect.catchTag("SocketError", failed),
      Effect.catchTag("Stalled", () => Effect.fail(new Bulk.BulkFailed({ address, reason: "Stalled", detail: `nothing went for ${stallMs} ms` })))
    )
  }
  const fetchSome = (address: string, wanted: ReadonlyArray<Bulk.Wanted>) =>
    pool.use(address, ask(address, wanted)).pipe(
      Effect.catchTag("Stale", () => pool.use(address, ask(address, wanted), { fresh: true })),
      Effect.catchTag("Stale", () => Effect.fail(new Bulk.BulkFailed({ address, reason: "Lost", detail: "the connection broke" })))
    )
  return BulkClient.of({
    fetch: (address, wanted) => {
      if (wanted.length === 0) return Effect.succeed([])
      if (wanted.length <= Bulk.wantedLimit) return fetchSome(address, wanted)
      return Effect.map(Effect.forEach(Arr.chunksOf(wanted, Bulk.wantedLimit), (some) => fetchSome(address, some)), Arr.flatten)
    },
    put: (address, named, bytes) =>
      pool.use(address, bring(address, named, bytes)).pipe(
        Effect.catchTag("Stale", () => pool.use(address, bring(address, named, bytes), { fresh: true })),
        Effect.catchTag("Stale", () => Effect.fail(new Bulk.BulkFailed({ address, reason: "Lost", detail: "the connection broke" })))
      ),
    idle: pool.idle
  })
})

/** A kept connection turned out to be closed already; a fresh one will do. */
class Stale {
  readonly _tag = "Stale"
}
class Stalled {
  readonly _tag = "Stalled"
}

/** Fails once `progress` has not changed for so long. One timer in all, not one for each chunk. */
const stalling = (progress: () => number, stallMs: number) => <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | Stalled, R> =>
  Effect.raceFirst(
    effect,
    Effect.gen(function*() {
      for (let before = -1; before !== progress();) {
        before = progress()
        yield* Effect.sleep(stallMs)
      }
      return yield* Effect.fail(new Stalled())
    })
  )

const detailOf = (error: Socket.SocketError): string => {
  const cause = "cause" in error.reason ? error.reason.cause : undefined
  return cause instanceof Error ? cause.message : error.message
}

const failure = (address: string, error: Socket.SocketError, receiver: Receiver): Bulk.BulkFailed => {
  const detail = detailOf(error)
  if (receiver.tooLarge()) return new Bulk.BulkFailed({ address, reason: "TooLarge", detail })
  return new Bulk.BulkFailed({ address, reason: isNonsense(error) ? "Damaged" : "Lost", detail })
}

type Receiver = ReturnType<typeof makeReceiver>

/**
 * Puts an answer together. Chunks go to where they end, and nowhere else: so a value gets its place as soon as the header of its
 * `Found` is there (`place`), ahead of the packets that have come whole and undamaged (`accept`).
 */
const makeReceiver = (valueLimit: number) => {
  let expected = 0
  let answers: Array<Bulk.Answer> = []
  /** The value that chunks are placed in, and how much of it has been given away. */
  let placing = nothing
  let placed = 0
  /** Values that have a place, and of which nothing has been accepted yet. */
  let values: Array<Uint8Array> = []
  /** The value whose chunks are being accepted, and how much of it has been. */
  let accepting: Uint8Array | undefined
  let accepted = 0
  let owed = 0
  let progress = 0
  let tooLarge = false

  const place = (kind: number, number: number, length: number): Uint8Array | undefined => {
    progress++
    if (kind === Kind.Found) {
      if (placed < placing.length) throw broken("a value that ends too early")
      tooLarge = number > valueLimit
      if (tooLarge) throw broken(`a value of ${number} bytes, where ${valueLimit} are the limit`)
      placing = new Uint8Array(number)
      placed = 0
      values.push(placing)
    }
    if (kind !== Kind.Chunk) return undefined
    if (length === 0 || placed + length > placing.length) throw broken("a chunk without a place")
    placed += length
    return placing.subarray(placed - length, placed)
  }
  /** Whether the packet makes sense here. */
  const accept = ({ body, kind }: Packet): boolean => {
    if (kind === Kind.Chunk && accepting !== undefined) {
      accepted += body.length
      owed += body.length
      if (accepted === accepting.length) finish(accepting)
      return true
    }
    if (accepting !== undefined || answers.length === expected) return false
    if (kind === Kind.Found) {
      accepting = values.shift()!
      accepted = 0
      if (accepting.length === 0) finish(accepting)
      return true
    }
    if (kind !== Kind.Missing && kind !== Kind.Busy) return false
    answers.push(kind === Kind.Missing ? Bulk.missing : Bulk.busy)
    return true
  }
  const finish = (value: Uint8Array) => {
    answers.push(Bulk.found(value))
    accepting = undefined
  }
  return {
    place,
    accept,
    /** A new question; the answer to the last one is complete. */
    start: (count: number): void => {
      expected = count
      answers = []
      values = []
      placing = nothing
      placed = 0
      owed = 0
      progress = 0
    },
    /** Bytes to be granted now: not for each chunk, and none when all has come. */
    takeCredit: (): number => {
      if (owed < Bulk.creditBytes / 4 || answers.length === expected) return 0
      const granted = owed
      owed = 0
      return granted
    },
    isDone: () => answers.length === expected,
    answers: (): ReadonlyArray<Bulk.Answer> => answers,
    /** Grows with every packet that has begun to come. */
    progress: () => progress,
    tooLarge: () => tooLarge
  }
}

const nothing = new Uint8Array(0)
