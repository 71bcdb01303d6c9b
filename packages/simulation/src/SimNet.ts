/**
 * A network in memory under virtual time: byte streams, and what goes wrong with them.
 *
 * It keeps the promises of real sockets:
 * - `write` and `writeAll` wait until the connection is up, and while the reader is too far behind; what is written to a broken
 *   connection is lost;
 * - what was written before a close arrives before it, what was under way at a reset is lost;
 * - a byte stream arrives in order or not at all: once a black hole has swallowed something, nothing more of that connection
 *   arrives, its close included, and the other end stays half open; or else what the hole held back is sent again when it is gone
 *   (`retransmit`), as TCP does if it is gone in time;
 * - chunks need not arrive as they were written (`fragment`);
 * - a connection can be made to break, or to damage a byte, at any offset of what one side writes (`harm`).
 *
 * Ends are named: a link is `from->to`, and that is where latency is drawn, bytes are counted and holes are. Deliveries are timers
 * of nobody: a process that stands still is delivered to, and reads when it goes on.
 */
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Latch from "effect/Latch"
import * as NetAddress from "effect/net/NetAddress"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import * as SocketServer from "effect/socket/SocketServer"
import { closed, reset, unopened } from "./internal/closing.ts"
import { type Line, makePipe, type Pipe } from "./internal/pipe.ts"
import { processOf, type SimProcess } from "./SimProcess.ts"
import type { Stream } from "./Stream.ts"
import * as World from "./World.ts"

/** What is to happen to the bytes that one side writes, counted over all its connections. */
export interface Harm {
  /** `from->to`. */
  readonly link: string
  /** How many bytes of the link arrive whole. */
  readonly at: number
  /** `cut`: both ends fail. `drop`: only the writing end fails, and what it wrote still arrives. `damage`: one bit is turned. */
  readonly what: "cut" | "drop" | "damage"
}

/** One connection. */
interface Link {
  readonly name: string
  /** What the dialling end writes, and what it reads. */
  readonly out: Pipe
  readonly back: Pipe
  readonly dialling: SimProcess
  readonly accepting: SimProcess
}

interface Listener {
  readonly name: string
  readonly process: SimProcess
  readonly accepts: Queue.Queue<Link>
}

/** Connections that nobody has accepted yet, at most. */
const BACKLOG = 512

/** What Linux waits before it sends again what was not acknowledged, at the least. */
const RESEND_MS = 200

export class SimNet {
  /** Milliseconds, least and greatest. */
  latency: readonly [number, number] = [1, 5]
  /** One chunk in so many takes twenty times as long; 0: none. */
  tail = 0
  /** Added to each, milliseconds. */
  extraLatency = 0
  /** Share of chunks that are lost on the way once, and sent again after `RESEND_MS`. */
  loss = 0
  /** Share of written chunks that are cut in two on the way, 0 to 1: a reset may then fall inside a packet. */
  fragment = 0
  /** Bytes that may be on their way and unread before a writer waits. */
  window = Infinity
  /** Share of connections on which what a black hole held back arrives once it is gone; the others stay silent for ever. */
  retransmit = 0
  /** Directions, as `from->to`, in which everything is swallowed. */
  readonly blocked = new Set<string>()
  /** Bytes per second at which these, by name, read. */
  readonly slow = new Map<string, number>()
  /** Each happens once, to the first bytes that reach it. */
  readonly harms = new Set<Harm>()
  /** Bytes written in each direction so far, as `from->to`. */
  readonly written = new Map<string, number>()

  readonly #listeners = new Map<string, Listener>()
  readonly #links = new Set<Link>()
  readonly #streams = new Map<string, Stream>()

  /** A server that listens until the scope closes, or its process ends. `name`: of this end in links. @default the address */
  listen(address: string, name = address): Effect.Effect<SocketServer.SocketServer["Service"], SocketServer.SocketServerError, Scope.Scope> {
    return Effect.withFiber((fiber) => Effect.gen({ self: this }, function*() {
      const process = processOf(fiber)
      if (this.#listeners.has(address)) {
        const cause = Object.assign(new Error(`listen EADDRINUSE: address already in use ${address}`), { code: "EADDRINUSE" })
        return yield* new SocketServer.SocketServerError({ reason: new SocketServer.SocketServerOpenError({ cause }) })
      }
      const accepts = yield* Queue.dropping<Link>(BACKLOG)
      const listener: Listener = { name, process, accepts }
      this.#listeners.set(address, listener)
      process.onEnd(() => void this.#unlisten(address, listener))
      const accepted = new Set<Link>()
      yield* Effect.addFinalizer(() =>
        Effect.gen({ self: this }, function*() {
          this.#unlisten(address, listener)
          for (const link of [...(yield* Queue.clear(accepts)), ...accepted]) this.#cut(link, closed)
          yield* Queue.shutdown(accepts)
        })
      )
      const run: SocketServer.SocketServer["Service"]["run"] = (handler) =>
        Effect.scoped(Effect.gen({ self: this }, function*() {
          const fibers = yield* FiberSet.make()
          while (true) {
            const link = yield* Queue.take(accepts)
            accepted.add(link)
            yield* FiberSet.run(
              fibers,
              Effect.ignoreCause(handler(acceptedEnd(link)), { log: "Unhandled" }).pipe(Effect.ensuring(Effect.sync(() => accepted.delete(link))))
            )
          }
        }))
      return SocketServer.SocketServer.of({ address: NetAddress.unixPathAddress(address), run })
    }))
  }

  /** A socket that makes a new connection from this name to whoever listens at the address each time its reader is acquired. */
  socket(from: string, address: string): Socket.Socket {
    let current: Link | undefined
    // The latch tests again inside its registration; a list of waiters beside `current` would miss a connection that comes up in between.
    const up = Latch.makeUnsafe(false)
    const whenUp = (use: (pipe: Pipe) => Effect.Effect<void>): Effect.Effect<void> =>
      Effect.suspend(() => current === undefined ? up.whenOpen(whenUp(use)) : use(current.out))
    const reader: Socket.Socket["reader"] = Effect.withFiber((fiber) =>
      Effect.uninterruptibleMask((restore) => Effect.gen({ self: this }, function*() {
        const listener = yield* restore(this.#approach(from, address))
        const link = this.#connect(processOf(fiber), from, listener)
        current = link
        up.openUnsafe()
        yield* Effect.addFinalizer(() =>
          Effect.sync(() => {
            closeOwn(link.out, link.back)
            if (current !== link) return
            current = undefined
            up.closeUnsafe()
          })
        )
        return { pull: link.back.pull, upgrade: Socket.SocketUpgradeError.unsupported }
      }))
    )
    return Socket.make({
      reader,
      writer: Effect.succeed({
        write: (chunk) => whenUp((pipe) => Socket.isCloseEvent(chunk) ? Effect.sync(() => pipe.finish()) : pipe.write([chunk])),
        writeAll: (chunks) => whenUp((pipe) => pipe.write(chunks))
      })
    })
  }

  /** Whether a connection is up from one name to another. */
  isUp(from: string, to: string): boolean {
    return this.#between(from, to).length > 0
  }

  /** Both ends hear of it, and what is under way is lost. */
  reset(from: string, to: string): void {
    for (const link of this.#between(from, to)) this.#cut(link, closed)
  }

  /** The dialling end loses it first, and its next connection may overtake what it said on this one. */
  drop(from: string, to: string): void {
    for (const { back } of this.#between(from, to)) back.fail(closed)
  }

  /** The ends of connections that are open in a process, in words. */
  openEnds(process: SimProcess): ReadonlyArray<string> {
    const ends: Array<string> = []
    for (const { accepting, back, dialling, name, out } of this.#links) {
      if (dialling === process && !back.isClosed()) ends.push(`${name}: the dialling end${back.isAwaited() ? ", reading" : ""}`)
      if (accepting === process && !out.isClosed()) ends.push(`${name}: the accepting end${out.isAwaited() ? ", reading" : ""}`)
    }
    for (const [address, listener] of this.#listeners) if (listener.process === process) ends.push(`listening at ${address}`)
    return ends
  }

  /**
   * A process has ended, and the kernel closes its sockets: of each connection the other end hears by a close after all that was
   * written, or by a reset that overtakes it. That comes if something was unread, or if the machine is not orderly about a kill.
   */
  ended(process: SimProcess): void {
    for (const link of this.#links) {
      const { accepting, back, dialling, out } = link
      if (dialling !== process && accepting !== process) continue
      const [writing, reading] = dialling === process ? [out, back] : [back, out]
      const orderly = process.ending?.signal === null || this.#stream(writing.line.link).chance(0.5)
      if (orderly && !reading.hasUnread()) writing.finish()
      else writing.break(reset)
      reading.fail(closed)
      if (dialling === accepting) continue
      if ((dialling === process ? accepting : dialling).status === "ended") this.#links.delete(link)
    }
  }

  /** All of what holes held back, and slow readers had not yet been handed, moves on. To be called after `blocked` or `slow` has changed. */
  changed(): void {
    for (const { back, out } of this.#links) {
      out.look()
      back.look()
    }
  }

  /** Comes to whoever listens there, or hears that nobody does. */
  #approach(from: string, address: string): Effect.Effect<Listener, Socket.SocketError> {
    return Effect.gen({ self: this }, function*() {
      const stream = this.#stream(`dial/${from}`)
      yield* Effect.sleep(this.delay(stream))
      const listener = this.#listeners.get(address)
      const refused = Effect.suspend(() => Effect.fail(unopened("ECONNREFUSED", `connect ECONNREFUSED ${address}`)))
      if (listener === undefined || Queue.sizeUnsafe(listener.accepts) >= BACKLOG) return yield* refused
      if (this.blocked.has(`${from}->${listener.name}`) || (this.retransmit > 0 && this.blocked.has(`${listener.name}->${from}`))) {
        // A hole swallows the first packet as well; where a router says so, that is known at once.
        if (this.retransmit > 0 && stream.chance(0.5)) return yield* Effect.never
        return yield* refused
      }
      return listener
    })
  }

  #connect(dialling: SimProcess, from: string, { accepts, name, process: accepting }: Listener): Link {
    const link: Link = {
      name: `${from}|${name}`,
      dialling,
      accepting,
      out: makePipe(this.#line(`${from}->${name}`, name, dialling, accepting, () => this.#cut(link, closed), () => link.back.fail(closed))),
      back: makePipe(this.#line(`${name}->${from}`, from, accepting, dialling, () => this.#cut(link, closed), () => link.out.fail(closed)))
    }
    this.#links.add(link)
    const world = World.current()
    world.note(from, `connects to ${name}`)
    world.enqueue(accepting, () => void Queue.offerUnsafe(accepts, link))
    return link
  }

  /** How long something is under way on a link, milliseconds to the microsecond. */
  delay(stream: Stream): number {
    const [least, most] = this.latency
    const lost = this.loss > 0 && stream.chance(this.loss) ? RESEND_MS : 0
    const base = stream.between(least, most) + this.extraLatency + lost
    return Math.round((this.tail > 0 && stream.int(this.tail) === 0 ? base * 20 : base) * 1000) / 1000
  }

  #line(link: string, to: string, writer: SimProcess, reader: SimProcess, cut: () => void, drop: () => void): Line {
    const stream = this.#stream(link)
    const retransmits = this.retransmit > 0 && stream.chance(this.retransmit)
    return {
      link,
      writer,
      reader,
      world: World.current(),
      delay: () => this.delay(stream),
      window: this.window,
      isBlocked: () => this.blocked.has(link),
      retransmits,
      rate: () => this.slow.get(to),
      pieces: (bytes) => this.#pieces(link, stream, bytes),
      cut,
      drop,
      closed: () => this.#sweep()
    }
  }

  /** What becomes of written bytes on the way: pieces, and perhaps the connection's end after them. */
  #pieces(link: string, stream: Stream, bytes: Uint8Array): { readonly pieces: ReadonlyArray<Uint8Array>; readonly then?: "cut" | "drop" } {
    const before = this.written.get(link) ?? 0
    this.written.set(link, before + bytes.length)
    for (const harm of this.harms) {
      if (harm.link !== link || harm.at >= before + bytes.length) continue
      this.harms.delete(harm)
      const at = Math.max(0, harm.at - before)
      if (harm.what === "damage") bytes[at]! ^= 1 << (harm.at % 8)
      else if (harm.what === "cut") return { pieces: at > 0 ? [bytes.slice(0, at)] : [], then: "cut" }
      else return { pieces: [bytes], then: "drop" }
    }
    if (bytes.length < 2 || this.fragment === 0 || !stream.chance(this.fragment)) return { pieces: [bytes] }
    const middle = 1 + stream.int(bytes.length - 1)
    return { pieces: [bytes.slice(0, middle), bytes.slice(middle)] }
  }

  #cut({ back, out }: Link, why: Socket.SocketError): void {
    out.fail(why)
    back.fail(why)
  }

  /** Forgets connections of which nothing is left. */
  #sweep(): void {
    for (const link of this.#links) if (link.out.isClosed() && link.back.isClosed()) this.#links.delete(link)
  }

  #between(from: string, to: string): ReadonlyArray<Link> {
    return [...this.#links].filter(({ back, name, out }) => name === `${from}|${to}` && !(out.isClosed() && back.isClosed()))
  }

  #unlisten(address: string, listener: Listener): void {
    if (this.#listeners.get(address) === listener) this.#listeners.delete(address)
  }

  #stream(name: string): Stream {
    const known = this.#streams.get(name)
    if (known !== undefined) return known
    const stream = World.current().stream(`net/${name}`)
    this.#streams.set(name, stream)
    return stream
  }
}

/** An end that closes reads nothing more itself; the other end reads to the close. */
const closeOwn = (writing: Pipe, reading: Pipe) => {
  reading.fail(closed)
  writing.finish()
}

/** The accepting end: its connection is up from the start. */
const acceptedEnd = ({ back, out }: Link): Socket.Socket =>
  Socket.make({
    reader: Effect.acquireRelease(
      Effect.succeed({ pull: out.pull, upgrade: Socket.SocketUpgradeError.unsupported }),
      () => Effect.sync(() => closeOwn(back, out))
    ),
    writer: Effect.succeed({
      write: (chunk) => Socket.isCloseEvent(chunk) ? Effect.sync(() => closeOwn(back, out)) : back.write([chunk]),
      writeAll: (chunks) => back.write(chunks)
    })
  })
