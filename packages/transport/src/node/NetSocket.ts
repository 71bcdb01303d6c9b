/**
 * Sockets of Node as Effect's sockets: those that sessions stand on.
 *
 * Bytes are handed on as Node brings them. A reader that asks for more before
 * `data` has returned, and a session's does, is given each chunk within the very
 * callback that read it from the kernel: no buffer, no tick and no turn is in
 * between. Only when nobody asks is the stream paused, and what it had read
 * already waits here.
 *
 * Completing a write means that Node has taken it; where its buffer is full, one
 * waits until it has drained.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import * as SocketServer from "effect/socket/SocketServer"
import * as Net from "node:net"
import * as Prompt from "../Prompt.ts"
import type * as PromptSocket from "../PromptSocket.ts"

/** A socket that makes a new connection each time its reader is acquired. */
export const connect = (options: Net.NetConnectOpts): Socket.Socket =>
  make(
    Effect.acquireRelease(
      Effect.sync(() => Net.createConnection(options)),
      (conn) => Effect.sync(() => close(conn))
    ).pipe(Effect.tap((conn) =>
      Effect.callback<void, Socket.SocketError>((resume) => {
        conn.once("connect", () => resume(Effect.void))
        conn.on("error", (cause) => resume(Effect.fail(failed(new Socket.SocketOpenError({ kind: "Unknown", cause })))))
      })
    ))
  )

/** Listens until the scope closes; so long, connections wait until somebody handles them. */
export const listen = Effect.fnUntraced(function*(
  options: Net.ListenOptions & { readonly noDelay?: boolean }
): Effect.fn.Return<SocketServer.SocketServer["Service"], SocketServer.SocketServerError, Scope.Scope> {
  /** Accepted, and handled by nobody yet. */
  const waiting = new Set<Net.Socket>()
  let accept = (conn: Net.Socket): void => {
    waiting.add(conn)
    conn.once("close", () => waiting.delete(conn))
  }
  const server = yield* Effect.acquireRelease(
    // Nothing is read before there is a reader.
    Effect.sync(() => Net.createServer({ noDelay: options.noDelay ?? false, pauseOnConnect: true })),
    (server) =>
      Effect.callback<void>((resume) => {
        for (const conn of waiting) conn.destroy()
        server.close(() => resume(Effect.void))
      })
  )
  server.on("connection", (conn) => {
    conn.on("error", ignore) // its reader hears of it as well
    accept(conn)
  })
  yield* Effect.callback<void, SocketServer.SocketServerError>((resume) => {
    server.on("error", (cause) => resume(Effect.fail(new SocketServer.SocketServerError({ reason: new SocketServer.SocketServerOpenError({ cause }) }))))
    server.listen(options, () => resume(Effect.void))
  })
  const run: SocketServer.SocketServer["Service"]["run"] = (handler) =>
    Effect.acquireUseRelease(
      Scope.make("parallel"),
      Effect.fnUntraced(function*(scope) {
        const before = accept
        const fork = Effect.runForkWith(Context.omit(Scope.Scope)(yield* Effect.context<never>()))
        const track = Fiber.runIn(scope)
        accept = (conn) => {
          const handling = handler(make(Effect.acquireRelease(Effect.succeed(conn), (conn) => Effect.sync(() => close(conn))))) as Effect.Effect<unknown, unknown> // its services are in the context
          track(fork(Effect.ignoreCause(handling, { log: "Unhandled", message: "Unhandled error in a socket server" })))
        }
        for (const conn of waiting) accept(conn)
        waiting.clear()
        return yield* Effect.ensuring(
          Effect.never,
          Effect.sync(() => {
            accept = before
          })
        )
      }),
      (scope) => Scope.close(scope, Exit.void)
    )
  return SocketServer.SocketServer.of({ address: addressOf(server), run })
})

const addressOf = (server: Net.Server): NetAddress.SocketAddress => {
  const address = server.address()! // it listens
  if (typeof address === "string") return NetAddress.unixPathAddress(address)
  return Result.getOrThrow(NetAddress.inetAddressFromIpString(address.address, address.port)) // Node's own words
}


/** Somebody who reads. */
interface Asking {
  /** Whether he goes on asking. */
  readonly take: (chunks: PromptSocket.Chunks) => boolean
  readonly fail: (error: Socket.SocketError) => void
}

const ignore = () => {}
const failed = (reason: Socket.SocketErrorReason) => new Socket.SocketError({ reason })
const closed = (code: number) => failed(new Socket.SocketCloseError({ code }))

/** What was written still leaves, if the connection ever stood. */
const close = (conn: Net.Socket): void => {
  if (conn.closed) return
  if (conn.connecting || conn.pending) conn.destroy()
  else conn.destroySoon()
}

const make = (open: Effect.Effect<Net.Socket, Socket.SocketError, Scope.Scope>): Socket.Socket => {
  let current: Net.Socket | undefined
  const up = Latch.makeUnsafe(false)
  const reader = Effect.gen(function*() {
    const conn = yield* open
    const reading = read(conn)
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        reading.stop()
        if (current !== conn) return
        current = undefined
        up.closeUnsafe()
      })
    )
    current = conn
    up.openUnsafe()
    const reader: PromptSocket.Reader = { pull: reading.pull, whileDone: reading.whileDone, upgrade: Socket.SocketUpgradeError.unsupported }
    return reader
  })
  const use = (f: (conn: Net.Socket) => Effect.Effect<void, Socket.SocketError>): Effect.Effect<void, Socket.SocketError> =>
    Effect.suspend(() => current === undefined ? up.whenOpen(use(f)) : f(current))
  return Socket.make({
    reader,
    writer: Effect.acquireRelease(
      Effect.succeed<PromptSocket.Writer>({
        write: (chunk) => use((conn) => Socket.isCloseEvent(chunk) ? Effect.sync(() => void conn.destroy()) : write(conn, [chunk])),
        writeAll: (chunks) => use((conn) => write(conn, chunks)),
        writeNow: (chunks) => current === undefined ? use((conn) => write(conn, chunks)) : write(current, chunks)
      }),
      () => Effect.sync(() => void current?.end())
    )
  })
}

const read = (conn: Net.Socket) => {
  /** What came while nobody asked. */
  let arrived: Array<Uint8Array> = []
  let over: Socket.SocketError | undefined
  let asking: Asking | undefined

  const deliver = (): void => {
    while (asking !== undefined && (arrived.length > 0 || over !== undefined)) {
      const mine = asking
      // Whoever asks may do so anew from within these calls.
      asking = undefined
      if (arrived.length === 0) return mine.fail(over!) // the other of the two
      const chunks = arrived as [Uint8Array, ...Array<Uint8Array>] // at least one, as just seen
      arrived = []
      if (mine.take(chunks)) asking = mine
    }
  }
  /** Has it delivered from now on. Gives what ends that. */
  const ask = (mine: Asking): Effect.Effect<void> | undefined => {
    asking = mine
    deliver()
    if (asking !== mine) return undefined
    if (conn.isPaused()) conn.resume()
    return Effect.sync(() => {
      if (asking === mine) asking = undefined
    })
  }
  const onData = (chunk: Uint8Array): void => {
    // Node brings a `Buffer`, whose `slice` is a view where everybody else's is a copy: nothing behind this line shall meet one.
    arrived.push(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length))
    deliver()
    if (asking === undefined) conn.pause()
  }
  /** What came before is still delivered, unless the connection was torn down. */
  const end = (why: Socket.SocketError, torn: boolean): void => {
    over ??= why
    if (torn) arrived = []
    deliver()
  }
  const onEnd = () => end(closed(1000), false)
  const onError = (cause: Error) => end(failed(new Socket.SocketReadError({ cause })), true)
  const onClose = (hadError: boolean) => end(closed(hadError ? 1006 : 1000), hadError)
  conn.pause()
  conn.on("data", onData)
  conn.on("end", onEnd)
  conn.on("error", onError)
  conn.on("close", onClose)
  if (conn.destroyed) onClose(false)
  return {
    pull: Effect.callback<PromptSocket.Chunks, Socket.SocketError>((resume) =>
      ask({
        take: (chunks) => {
          resume(Effect.succeed(chunks))
          return false
        },
        fail: (error) => resume(Effect.fail(error))
      })),
    whileDone: <E>(take: (chunks: PromptSocket.Chunks) => Effect.Effect<void, E>) =>
      Effect.callback<void, E | Socket.SocketError>((resume) => {
        let isOver = false
        const end = ask({
          take: (chunks) => {
            const left = Prompt.call(() => take(chunks))
            if (Prompt.isDone(left)) return !isOver
            resume(left)
            return false
          },
          fail: (error) => resume(Effect.fail(error))
        })
        return end === undefined ? undefined : Effect.andThen(Effect.sync(() => { isOver = true }), end)
      }),
    /** Whoever reads hears that it is over. */
    stop: () => {
      end(closed(1006), true)
      conn.off("data", onData)
      conn.off("end", onEnd)
      conn.off("close", onClose)
      // The listener of errors stays: without one, an error ends the process.
    }
  }
}

/** Completes when Node has taken it all; waits while its buffer is full. */
const write = (conn: Net.Socket, chunks: ReadonlyArray<Uint8Array | string>): Effect.Effect<void, Socket.SocketError> => {
  const broken = (cause: unknown) => Effect.fail(failed(new Socket.SocketWriteError({ cause })))
  let room = true
  try {
    if (chunks.length > 1) conn.cork()
    for (const chunk of chunks) room = conn.write(chunk)
    if (chunks.length > 1) conn.uncork()
  } catch (cause) {
    return broken(cause)
  }
  if (room) return Effect.void
  return Effect.callback<void, Socket.SocketError>((resume) => {
    const onDrain = () => settle(Effect.void)
    const onError = (cause: Error) => settle(broken(cause))
    const onClose = () => settle(broken(new Error("the connection is closed")))
    const stop = () => {
      conn.off("drain", onDrain)
      conn.off("error", onError)
      conn.off("close", onClose)
    }
    const settle = (effect: Effect.Effect<void, Socket.SocketError>) => {
      stop()
      resume(effect)
    }
    conn.on("drain", onDrain)
    conn.on("error", onError)
    conn.on("close", onClose)
    if (conn.destroyed) onClose()
    return Effect.sync(stop)
  })
}
