/**
 * A network in memory under virtual time, with latency, partitions and resets.
 *
 * It keeps the promises of real sockets:
 * - `write` and `writeAll` wait until the connection is up; what is written to a broken one is lost;
 * - what was written before a close arrives before it, what was under way at a reset is lost;
 * - a byte stream arrives in order or not at all: once a black hole has swallowed something, nothing more of that connection
 *   arrives, its close included, and the other end stays half open (TCP would retransmit or reset, never skip);
 * - chunks need not arrive as they were written (`fragment`);
 * - a connection can be made to break, or to damage a byte, at any offset of what one side writes (`harm`).
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import type * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as NetAddress from "effect/net/NetAddress"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import * as SocketServer from "effect/socket/SocketServer"

type Why = Cause.Cause<Socket.SocketError>

/** One direction of one connection. */
interface Pipe {
  readonly write: (bytes: Uint8Array) => void
  readonly arrivals: Queue.Queue<Uint8Array, Socket.SocketError>
  /** The writing end closes: the reading end hears of it after all that was written. */
  readonly finish: () => void
  /** Moves what was written to where it is read, each piece at its time. */
  readonly delivering: Effect.Effect<void>
}

interface Link {
  /** Both ends fail at once. */
  readonly cut: (why: Why) => void
  /** Only the dialling end fails; what it wrote still arrives. */
  readonly drop: () => void
}

/** What is to happen to the bytes that one side writes, counted over all its connections. */
export interface Harm {
  readonly link: string
  readonly at: number
  readonly what: "cut" | "damage"
}

const closed: Why = Cause.fail(new Socket.SocketError({ reason: new Socket.SocketCloseError({ code: 1000 }) }))
const refused = new Socket.SocketError({
  reason: new Socket.SocketOpenError({ kind: "Unknown", cause: Object.assign(new Error("connection refused"), { code: "ECONNREFUSED" }) })
})

export class SimNet {
  /** Milliseconds, from and to. */
  latency: readonly [number, number] = [1, 5]
  /** Share of written chunks that are cut in two on the way, 0 to 1: a reset may then fall inside a packet. */
  fragment = 0
  /** Directions, as `from->to`, in which everything is swallowed. */
  readonly blocked = new Set<string>()
  /** Happens once. */
  harm: Harm | undefined
  /** Bytes written in each direction so far, as `from->to`. */
  readonly written = new Map<string, number>()

  private readonly listeners = new Map<string, { readonly accepts: Queue.Queue<Socket.Socket>; readonly scope: Scope.Scope }>()
  private readonly links = new Map<string, Set<Link>>()

  /** A server that listens until the scope closes. */
  listen(address: string): Effect.Effect<SocketServer.SocketServer["Service"], never, Scope.Scope> {
    return Effect.gen({ self: this }, function*() {
      const accepts = yield* Queue.unbounded<Socket.Socket>()
      this.listeners.set(address, { accepts, scope: yield* Effect.scope })
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          this.listeners.delete(address)
          this.each((name) => name.endsWith(`|${address}`), (link) => link.cut(closed))
        })
      )
      return SocketServer.SocketServer.of({
        address: NetAddress.unixPathAddress(address),
        run: <R, E, A>(handler: (socket: Socket.Socket) => Effect.Effect<A, E, R>) =>
          Effect.scoped(Effect.gen(function*() {
            const fibers = yield* FiberSet.make()
            const context = yield* Effect.context<R>()
            while (true) {
              const socket = yield* Queue.take(accepts)
              yield* FiberSet.run(fibers, Effect.ignoreCause(handler(socket), { log: "Unhandled" }).pipe(Effect.provideContext(Context.omit(Scope.Scope)(context) as Context.Context<R>)))
            }
          }))
      })
    })
  }

  /** A socket that makes a new connection each time its reader is acquired. */
  socket(from: string, to: string): Socket.Socket {
    let current: Pipe | undefined
    // The latch tests again inside its registration; a list of waiters beside `current` would miss a connection that comes up in between.
    const up = Latch.makeUnsafe(false)
    const whenUp = (write: (pipe: Pipe) => void): Effect.Effect<void> =>
      Effect.suspend(() => current === undefined ? up.whenOpen(whenUp(write)) : Effect.succeed(write(current)))
    const reader = Effect.gen({ self: this }, function*() {
      yield* Effect.sleep(1)
      const listener = this.listeners.get(to)
      if (listener === undefined || this.blocked.has(`${from}->${to}`)) return yield* Effect.fail(refused)
      const name = `${from}|${to}`
      const links = this.links.get(name) ?? new Set()
      const cut = (why: Why) => {
        links.delete(link)
        Queue.failCauseUnsafe(out.arrivals, why)
        Queue.failCauseUnsafe(back.arrivals, why)
        delivering?.interruptUnsafe()
      }
      const out: Pipe = yield* this.pipe(`${from}->${to}`, () => cut(closed))
      const back: Pipe = yield* this.pipe(`${to}->${from}`, () => cut(closed))
      let delivering: Fiber.Fiber<void> | undefined
      const link: Link = { cut, drop: () => void Queue.failCauseUnsafe(back.arrivals, closed) }
      this.links.set(name, links.add(link))
      delivering = yield* Effect.all([out.delivering, back.delivering], { concurrency: 2, discard: true }).pipe(
        // Both ends have closed, or the loop died; an interruption is the cut itself.
        Effect.onExit((exit) => Effect.sync(() => cut(exit._tag === "Failure" && !Cause.hasInterruptsOnly(exit.cause) ? exit.cause : closed))),
        Effect.forkIn(listener.scope)
      )
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          closeOwn(out, back)
          if (current !== out) return
          current = undefined
          up.closeUnsafe()
        })
      )
      current = out
      up.openUnsafe()
      yield* Queue.offer(listener.accepts, acceptedEnd(out, back))
      return { pull: Queue.takeAll(back.arrivals), upgrade: Socket.SocketUpgradeError.unsupported }
    })
    return Socket.make({
      reader,
      writer: Effect.succeed({
        write: (chunk) => whenUp((pipe) => Socket.isCloseEvent(chunk) ? pipe.finish() : pipe.write(chunk as Uint8Array)),
        writeAll: (chunks) => whenUp((pipe) => chunks.forEach((chunk) => pipe.write(chunk as Uint8Array)))
      })
    })
  }

  isUp(from: string, to: string): boolean {
    return (this.links.get(`${from}|${to}`)?.size ?? 0) > 0
  }
  /** Both ends hear of it, and what is under way is lost. */
  reset(from: string, to: string): void {
    this.each((name) => name === `${from}|${to}`, (link) => link.cut(closed))
  }
  /** The dialling end loses it first, and its next connection may overtake what it said on this one. */
  drop(from: string, to: string): void {
    this.each((name) => name === `${from}|${to}`, (link) => link.drop())
  }

  private each(which: (name: string) => boolean, f: (link: Link) => void) {
    for (const [name, links] of this.links) if (which(name)) for (const link of [...links]) f(link)
  }
  private pipe(link: string, cut: () => void): Effect.Effect<Pipe> {
    return Effect.gen({ self: this }, function*() {
      const arrivals = yield* Queue.unbounded<Uint8Array, Socket.SocketError>()
      const wire = yield* Queue.unbounded<readonly [at: number, bytes: Uint8Array | undefined | "cut"]>()
      const clock = yield* Clock.clockWith(Effect.succeed)
      const random = yield* Random.Random
      let last = 0
      const send = (bytes: Uint8Array | undefined | "cut") => {
        const now = clock.currentTimeMillisUnsafe()
        last = Math.max(last, now + this.latency[0] + random.nextDoubleUnsafe() * (this.latency[1] - this.latency[0]))
        Queue.offerUnsafe(wire, [last, bytes])
      }
      const write = (written: Uint8Array) => {
        const bytes = new Uint8Array(written) // a copy, as the kernel makes
        const before = this.written.get(link) ?? 0
        this.written.set(link, before + bytes.length)
        const harm = this.harm
        if (harm !== undefined && harm.link === link && harm.at < before + bytes.length) {
          this.harm = undefined
          const at = Math.max(0, harm.at - before)
          if (harm.what === "cut") {
            if (at > 0) send(bytes.slice(0, at))
            return send("cut")
          }
          bytes[at]! ^= 1 << (harm.at % 8)
        }
        if (bytes.length < 2 || this.fragment === 0 || random.nextDoubleUnsafe() >= this.fragment) return send(bytes)
        const middle = 1 + Math.floor(random.nextDoubleUnsafe() * (bytes.length - 1))
        send(bytes.slice(0, middle))
        send(bytes.slice(middle))
      }
      const delivering = Effect.gen({ self: this }, function*() {
        let hole = false
        while (true) {
          const [at, bytes] = yield* Queue.take(wire)
          const now = yield* Clock.currentTimeMillis
          if (at > now) yield* Effect.sleep(at - now)
          hole ||= this.blocked.has(link)
          if (hole) continue
          if (bytes === "cut") return cut()
          if (bytes === undefined) return void Queue.failCauseUnsafe(arrivals, closed)
          yield* Queue.offer(arrivals, bytes)
        }
      })
      return { arrivals, write, finish: () => send(undefined), delivering }
    })
  }
}

/** An end that closes reads nothing more itself; the other end reads to the close. */
const closeOwn = (writing: Pipe, reading: Pipe) => {
  Queue.failCauseUnsafe(reading.arrivals, closed)
  writing.finish()
}

/** The accepting end: its connection is up from the start. */
const acceptedEnd = (out: Pipe, back: Pipe): Socket.Socket =>
  Socket.make({
    reader: Effect.acquireRelease(
      Effect.succeed({ pull: Queue.takeAll(out.arrivals), upgrade: Socket.SocketUpgradeError.unsupported }),
      () => Effect.sync(() => closeOwn(back, out))
    ),
    writer: Effect.succeed({
      write: (chunk) => Effect.sync(() => Socket.isCloseEvent(chunk) ? closeOwn(back, out) : back.write(chunk as Uint8Array)),
      writeAll: (chunks) => Effect.sync(() => chunks.forEach((chunk) => back.write(chunk as Uint8Array)))
    })
  })
