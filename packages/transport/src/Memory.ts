/**
 * Connections inside one process: for clusters whose workers are fibers, and
 * for tests.
 *
 * They behave as a socket pair does: bytes arrive in order, chunks keep no
 * boundaries that anybody may rely on, what was written before a close arrives
 * before it, and a writer waits while the reader is 64 KiB behind. Bytes are
 * copied on the way, so that nobody shares memory by accident.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import * as SocketServer from "effect/socket/SocketServer"

/** The `inproc://` names of one process. Two networks know nothing of each other. */
export class Network extends Context.Service<Network, {
  /** Listens under this name until the scope closes. Fails if somebody else does. */
  readonly listen: (name: string) => Effect.Effect<SocketServer.SocketServer["Service"], SocketServer.SocketServerError, Scope.Scope>
  /** A socket that makes a new connection each time its reader is acquired. */
  readonly connect: (name: string) => Socket.Socket
}>()("@skein/transport/Memory/Network") {
  /** A network of its own for whoever builds it. */
  static readonly layer: Layer.Layer<Network> = Layer.fresh(Layer.sync(Network, () => makeNetwork()))
}

/** Bytes that may wait in one direction before writers wait. */
const HIGH_WATER = 64 * 1024
/** Connections that nobody has accepted yet, at most. */
const BACKLOG = 512

type Chunks = [Uint8Array, ...Array<Uint8Array>]

const closedError = (code: number) => new Socket.SocketError({ reason: new Socket.SocketCloseError({ code }) })
const refusedError = (name: string) =>
  new Socket.SocketError({
    reason: new Socket.SocketOpenError({ kind: "Unknown", cause: Object.assign(new Error(`nobody listens at inproc://${name}`), { code: "ECONNREFUSED" }) })
  })

/** A network without listeners. */
export const makeNetwork = (): Network["Service"] => {
  const listeners = new Map<string, Queue.Queue<Accepted>>()
  return Network.of({
    listen: (name) =>
      Effect.gen(function*() {
        if (listeners.has(name)) {
          return yield* new SocketServer.SocketServerError({
            reason: new SocketServer.SocketServerOpenError({ cause: new Error(`somebody listens at inproc://${name} already`) })
          })
        }
        const accepts = yield* Queue.dropping<Accepted>(BACKLOG)
        listeners.set(name, accepts)
        const links = new Set<Link>()
        yield* Effect.addFinalizer(() =>
          Effect.gen(function*() {
            listeners.delete(name)
            for (const { link } of yield* Queue.clear(accepts)) link.cut(closedError(1006))
            for (const link of links) link.cut(closedError(1006))
            yield* Queue.shutdown(accepts)
          })
        )
        return SocketServer.SocketServer.of({ address: NetAddress.unixPathAddress(`inproc://${name}`), run: runServer(accepts, links) })
      }),
    connect: (name) => dialling(() => listeners.get(name), name)
  })
}

/** Both directions of one connection. */
interface Link {
  readonly there: Pipe
  readonly back: Pipe
  readonly cut: (error: Socket.SocketError) => void
}
interface Accepted {
  readonly link: Link
}

const makeLink = (): Link => {
  const there = makePipe()
  const back = makePipe()
  return {
    there,
    back,
    cut: (error) => {
      there.cut(error)
      back.cut(error)
    }
  }
}

const runServer = (accepts: Queue.Queue<Accepted>, links: Set<Link>): SocketServer.SocketServer["Service"]["run"] => (handler) =>
  Effect.scoped(Effect.gen(function*() {
    const fibers = yield* FiberSet.make()
    while (true) {
      const { link } = yield* Queue.take(accepts)
      links.add(link)
      yield* FiberSet.run(
        fibers,
        // As a socket server of Node does: one connection's failure is logged and touches no other.
        handler(acceptedEnd(link)).pipe(
          Effect.ignoreCause({ log: "Unhandled", message: "Unhandled error in a server in memory" }),
          Effect.ensuring(Effect.sync(() => links.delete(link)))
        )
      )
    }
  }))

const acceptedEnd = ({ back, there }: Link): Socket.Socket =>
  Socket.make({
    reader: Effect.acquireRelease(
      Effect.succeed({ pull: there.pull, upgrade: Socket.SocketUpgradeError.unsupported }),
      () => Effect.sync(() => closeOwn(back, there))
    ),
    writer: Effect.succeed({
      write: (chunk) => Socket.isCloseEvent(chunk) ? Effect.sync(() => closeOwn(back, there)) : back.write([chunk]),
      writeAll: (chunks) => back.write(chunks)
    })
  })

const dialling = (find: () => Queue.Queue<Accepted> | undefined, name: string): Socket.Socket => {
  let current: Link | undefined
  const up = Latch.makeUnsafe(false)
  const whenUp = (use: (link: Link) => Effect.Effect<void, Socket.SocketError>): Effect.Effect<void, Socket.SocketError> =>
    Effect.suspend(() => current === undefined ? up.whenOpen(whenUp(use)) : use(current))
  const open = Effect.suspend(() => {
    const listener = find()
    const link = makeLink()
    if (listener === undefined || !Queue.offerUnsafe(listener, { link })) return Effect.fail(refusedError(name))
    current = link
    up.openUnsafe()
    return Effect.succeed(link)
  })
  return Socket.make({
    reader: Effect.map(
      Effect.acquireRelease(open, (link) =>
        Effect.sync(() => {
          closeOwn(link.there, link.back)
          if (current !== link) return
          current = undefined
          up.closeUnsafe()
        })),
      ({ back }) => ({ pull: back.pull, upgrade: Socket.SocketUpgradeError.unsupported })
    ),
    writer: Effect.succeed({
      write: (chunk) => whenUp((link) => Socket.isCloseEvent(chunk) ? Effect.sync(() => closeOwn(link.there, link.back)) : link.there.write([chunk])),
      writeAll: (chunks) => whenUp((link) => link.there.write(chunks))
    })
  })
}

/** An end that closes reads nothing more itself, and what the other end writes is lost; the other end reads to the close. */
const closeOwn = (writing: Pipe, reading: Pipe) => {
  reading.cut(closedError(1000))
  writing.finish()
}

/** One direction of a connection. */
interface Pipe {
  /** Takes the chunks at once; completes when the reader has caught up. */
  readonly write: (chunks: ReadonlyArray<Uint8Array | string>) => Effect.Effect<void, Socket.SocketError>
  readonly pull: Effect.Effect<Chunks, Socket.SocketError>
  /** The writing end closes: the reading end hears of it after all that was written. */
  readonly finish: () => void
  /** Neither end can use it any more; what is under way is lost. */
  readonly cut: (error: Socket.SocketError) => void
}

const utf8 = new TextEncoder()

const makePipe = (): Pipe => {
  let chunks: Array<Uint8Array> = []
  let bytes = 0
  /** No more is written. */
  let closed: Socket.SocketError | undefined
  let reader: ((effect: Effect.Effect<Chunks, Socket.SocketError>) => void) | undefined
  const writers = new Set<(effect: Effect.Effect<void, Socket.SocketError>) => void>()

  const wakeWriters = (effect: Effect.Effect<void, Socket.SocketError>) => {
    const woken = [...writers]
    writers.clear()
    for (const resume of woken) resume(effect)
  }
  const take = (): Chunks => {
    const taken = chunks as Chunks // asked only when there is one
    chunks = []
    bytes = 0
    return taken
  }
  const wakeReader = () => {
    if (reader === undefined || (chunks.length === 0 && closed === undefined)) return
    const resume = reader
    reader = undefined
    resume(chunks.length > 0 ? Effect.succeed(take()) : Effect.failCause(Cause.fail(closed!)))
  }
  return {
    write: (written) =>
      Effect.callback<void, Socket.SocketError>((resume) => {
        if (closed !== undefined) return resume(Effect.fail(closed))
        for (const chunk of written) {
          const copy = typeof chunk === "string" ? utf8.encode(chunk) : new Uint8Array(chunk)
          if (copy.length === 0) continue
          chunks.push(copy)
          bytes += copy.length
        }
        wakeReader()
        if (bytes < HIGH_WATER) return resume(Effect.void)
        writers.add(resume)
        return Effect.sync(() => {
          writers.delete(resume)
        })
      }),
    pull: Effect.callback<Chunks, Socket.SocketError>((resume) => {
      if (chunks.length > 0) {
        const taken = take()
        resume(Effect.succeed(taken))
        return wakeWriters(Effect.void)
      }
      if (closed !== undefined) return resume(Effect.fail(closed))
      reader = resume
      return Effect.sync(() => {
        if (reader === resume) reader = undefined
      })
    }),
    finish: () => {
      closed ??= closedError(1000)
      wakeReader()
      wakeWriters(Effect.fail(closed))
    },
    cut: (error) => {
      closed ??= error
      chunks = []
      bytes = 0
      wakeReader()
      wakeWriters(Effect.fail(closed))
    }
  }
}
