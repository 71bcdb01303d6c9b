/**
 * Hands out values, and takes those that are brought. Keeps nothing of them
 * itself: `read` finds them, and they are written from where they are; `store`
 * gets what has come, in an array of its own.
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Redacted from "effect/Redacted"
import * as Semaphore from "effect/Semaphore"
import type * as Socket from "effect/socket/Socket"
import type * as SocketServer from "effect/socket/SocketServer"
import * as Bulk from "./Bulk.ts"
import { type Connection, open } from "./Connection.ts"
import { broken, Kind, type Packet, packet } from "./Framing.ts"
import { type Authorize, decodeBulkHello, encodeBulkWelcome, greetingLimit } from "./Handshake.ts"
import { Hashing } from "./Hashing.ts"
import { busy, firstPacket, makeRefusalLog, refuse } from "./internal/greeting.ts"

export interface ServeOptions<RA, R> {
  /** Asked at every connection, before anything else is done for it. */
  readonly authorize: Authorize<RA>
  /** Finds the values, each answer in the place of its question. What has no answer counts as missing. */
  readonly read: (wanted: ReadonlyArray<Bulk.Wanted>) => Effect.Effect<ReadonlyArray<Bulk.Answer>, never, R>
  /** Takes a value that somebody brings, under its numbers. @default whoever brings one is cut off */
  readonly store?: (named: Bulk.Wanted, bytes: Uint8Array) => Effect.Effect<void, never, R>
  /** Bytes in one value that is brought, and in all that are being brought at once, at most. @default 2 GiB */
  readonly valueLimit?: number
  /** Questions that are answered at once; further ones are told `Busy`. @default 10 */
  readonly maxRequests?: number
  /** Connections at most. @default 1024 */
  readonly maxConnections?: number
  /** How long the other side may take to greet, in ms. @default 5000 */
  readonly handshakeMs?: number
  /** How long the other side may read nothing of an answer before it is cut off, in ms. @default 30000 */
  readonly stallMs?: number
}

/** Never returns. A connection that asks nonsense is closed, and the others go on. */
export const serve = <RA, R>(
  server: SocketServer.SocketServer["Service"],
  options: ServeOptions<RA, R>
): Effect.Effect<never, SocketServer.SocketServerError, RA | R | Hashing> =>
  Effect.gen(function*() {
    const hashing = yield* Hashing
    const refusals = makeRefusalLog()
    const maxConnections = options.maxConnections ?? 1024
    const maxRequests = options.maxRequests ?? 10
    const stallMs = options.stallMs ?? 30_000
    const budget: Budget = { limitBytes: options.valueLimit ?? 2 ** 31, takenBytes: 0 }
    let connections = 0
    let requests = 0

    const read = (wanted: ReadonlyArray<Bulk.Wanted>) =>
      Effect.suspend(() => {
        if (requests > maxRequests) return Effect.succeed(wanted.map(() => Bulk.busy))
        return options.read(wanted)
      })
    const answer = (connection: Connection, credit: Credit, wanted: ReadonlyArray<Bulk.Wanted>) =>
      Effect.gen(function*() {
        const answers = yield* read(wanted)
        const out = makeWriter(connection, credit, stallMs)
        for (let index = 0; index < wanted.length; index++) yield* out.answer(answers[index] ?? Bulk.missing)
        yield* out.flush
      }).pipe(counted((by) => {
        requests += by
      }))
    const keep = (connection: Connection, { bytes, named }: Taken) =>
      Effect.andThen(options.store?.(named, bytes) ?? Effect.void, connection.write([packet(Kind.Stored, 0)]))
    const admit = Effect.fnUntraced(function*(connection: Connection) {
      if (connections > maxConnections) return yield* busy
      const first = yield* firstPacket(connection, connection.packets).pipe(
        Effect.timeoutOrElse({ duration: options.handshakeMs ?? 5000, orElse: () => Effect.fail(broken("no greeting in time")) })
      )
      if (first.packet.kind !== Kind.Hello || first.rest > 0) return yield* Effect.fail(broken("no greeting"))
      const { name, role, token } = yield* decodeBulkHello(first.packet.body)
      yield* options.authorize({ name, role, token: Redacted.make(token) })
    })
    const connected = Effect.fnUntraced(function*(socket: Socket.Socket) {
      const taking = makeTaking(budget)
      yield* Effect.addFinalizer(() => Effect.sync(taking.end))
      const connection = yield* open(socket, { limit: greetingLimit, crc32: hashing.crc32, place: taking.place })
      yield* Effect.tapError(admit(connection), (error) => error._tag === "HandshakeRefused" ? Effect.andThen(refuse(connection, error), refusals.note(error)) : Effect.void)
      yield* connection.write([packet(Kind.Welcome, 0, encodeBulkWelcome())])
      if (options.store !== undefined) {
        connection.setLimit(Bulk.chunkBytes)
        taking.allow()
      }
      let credit = makeCredit()
      // One question at a time: the next one comes after the answer, though perhaps before its writer has noticed that it is done.
      const questions = yield* Queue.dropping<readonly [ReadonlyArray<Bulk.Wanted>, Credit]>(1)
      const reading = Effect.gen(function*() {
        while (true) {
          for (const { body, kind, number } of yield* connection.packets) {
            if (kind === Kind.Credit) yield* credit.grant(number)
            else if (kind === Kind.Put || kind === Kind.Chunk) {
              const taken = yield* taking.accept(kind, body)
              if (taken !== undefined) yield* keep(connection, taken)
            } else {
              credit = makeCredit()
              const asked = kind === Kind.Want && Queue.offerUnsafe(questions, [yield* Bulk.decodeWanted(body), credit])
              if (!asked) return yield* Effect.fail(broken(`packet ${kind} makes no sense here`))
            }
          }
        }
      })
      const writing = Effect.gen(function*() {
        while (true) {
          const [wanted, granted] = yield* Queue.take(questions)
          yield* answer(connection, granted, wanted)
        }
      })
      yield* Effect.raceFirst(reading, writing)
    }, (handling) =>
      handling.pipe(
        Effect.scoped,
        Effect.catchTag(["SocketError", "NotAGreeting", "HandshakeRefused"], () => Effect.void), // the connection's end is no news here
        counted((by) => {
          connections += by
        })
      ))
    return yield* server.run(connected)
  })

/** What is being brought, over all connections. */
interface Budget {
  readonly limitBytes: number
  takenBytes: number
}

interface Taken {
  readonly named: Bulk.Wanted
  readonly bytes: Uint8Array
}

/**
 * Puts a value together that somebody brings: as a client does an answer, each chunk goes to where it ends as it comes (`place`), and
 * counts once it has come whole and undamaged (`accept`). One value at a time: the next one comes after the word that this is stored.
 */
const makeTaking = (budget: Budget) => {
  let isAllowed = false
  let value: Uint8Array | undefined
  let placed = 0
  let named: Bulk.Wanted | undefined
  let accepted = 0
  const place = (kind: number, number: number, length: number): Uint8Array | undefined => {
    if (kind !== Kind.Put && kind !== Kind.Chunk) return undefined
    if (!isAllowed) throw broken("nobody takes values here")
    if (kind === Kind.Put) {
      if (value !== undefined) throw broken("a value inside another")
      // Whoever is cut off for that comes again, when others have ended.
      if (budget.takenBytes + number > budget.limitBytes) throw broken(`a value of ${number} bytes more, where ${budget.limitBytes} in all are the limit`)
      budget.takenBytes += number
      value = new Uint8Array(number)
      placed = 0
      accepted = 0
      return undefined
    }
    if (value === undefined || length === 0 || placed + length > value.length) throw broken("a chunk without a place")
    placed += length
    return value.subarray(placed - length, placed)
  }
  const accept = Effect.fnUntraced(function*(kind: number, body: Uint8Array) {
    if (kind === Kind.Put) {
      const [only, ...more] = yield* Bulk.decodeWanted(body)
      if (only === undefined || more.length > 0) return yield* Effect.fail(broken("a value is brought under one name"))
      named = only
    } else accepted += body.length
    if (value === undefined || named === undefined || accepted < value.length) return undefined
    const taken: Taken = { named, bytes: value }
    end()
    return taken
  })
  const end = () => {
    budget.takenBytes -= value?.length ?? 0
    value = undefined
    named = undefined
  }
  return {
    place,
    accept,
    /** What has come of a value is of no use. */
    end,
    /** From now on values are taken: whoever brings them has been let in. */
    allow: () => {
      isAllowed = true
    }
  }
}

/** Adds one while the effect runs. */
const counted = (add: (by: 1 | -1) => void) => <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.acquireUseRelease(Effect.sync(() => add(1)), () => effect, () => Effect.sync(() => add(-1)))

interface Credit {
  /** Waits until so many bytes may be sent. */
  readonly take: (bytes: number) => Effect.Effect<void>
  readonly available: (bytes: number) => boolean
  readonly grant: (bytes: number) => Effect.Effect<void, Socket.SocketError>
}

const makeCredit = (): Credit => {
  const semaphore = Semaphore.makeUnsafe(Bulk.creditBytes)
  let used = 0
  return {
    available: (bytes) => used + bytes <= Bulk.creditBytes,
    take: (bytes) =>
      Effect.andThen(
        semaphore.take(bytes),
        Effect.sync(() => {
          used += bytes
        })
      ),
    grant: (bytes) =>
      Effect.suspend(() => {
        if (bytes > used) return Effect.fail(broken("more credit than was used"))
        used -= bytes
        return Effect.asVoid(semaphore.release(bytes))
      })
  }
}

/** Gathers packets into writes of about a megabyte: small values are many, and large ones should not wait for the socket to run dry. */
const makeWriter = (connection: Connection, credit: Credit, stallMs: number) => {
  let packets: Array<Packet> = []
  let bytes = 0
  const inTime = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E | Socket.SocketError> =>
    Effect.timeoutOrElse(effect, { duration: stallMs, orElse: () => Effect.fail(broken("the other side has stopped reading")) })
  const flush = Effect.suspend(() => {
    if (packets.length === 0) return Effect.void
    const out = packets
    packets = []
    bytes = 0
    return inTime(connection.write(out))
  })
  const chunk = Effect.fnUntraced(function*(part: Uint8Array) {
    // What has been gathered must leave before this waits: the other side grants credit for what it has seen.
    if (!credit.available(part.length)) yield* flush
    yield* inTime(credit.take(part.length))
    packets.push(packet(Kind.Chunk, 0, part))
    bytes += part.length
    if (bytes >= Bulk.chunkBytes) yield* flush
  })
  const answer = Effect.fnUntraced(function*(one: Bulk.Answer) {
    if (one._tag !== "Found") {
      packets.push(packet(one._tag === "Busy" ? Kind.Busy : Kind.Missing, 0))
      return
    }
    packets.push(packet(Kind.Found, one.bytes.length))
    for (let at = 0; at < one.bytes.length; at += Bulk.chunkBytes) yield* chunk(one.bytes.subarray(at, at + Bulk.chunkBytes))
  })
  return { answer, flush }
}
