/**
 * A connection for reading bulk data: it reads to where the bytes end, if that is
 * known, and else into one buffer of its own, again and again, instead of
 * allocating one for each read, which the collector would have to find (a third
 * of the time that a large value takes).
 *
 * **What a pull brings is valid until the next pull.** `BulkClient` copies what is
 * not yet where it belongs at once; nothing else should use this.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import * as Net from "node:net"
import * as Address from "../Address.ts"
import type { Room } from "../Bulk.ts"
import { Network } from "../Memory.ts"

/** Bytes in one read at most whose end is not known. What belongs to a large value is copied from here once in a chunk, so no more than small values want. */
const BUFFER = 64 * 1024

/** A socket that makes a new connection each time its reader is acquired. */
export const connect = (address: Address.Address, room: Room): Effect.Effect<Socket.Socket, Address.BadAddress, Network> => {
  switch (address._tag) {
    case "Tcp":
      return Effect.sync(() => make({ host: address.host, port: address.port, noDelay: true }, room))
    case "Unix": {
      const problem = Address.unixPathProblem(address.path)
      return problem === undefined
        ? Effect.sync(() => make({ path: address.path }, room))
        : Effect.fail(new Address.BadAddress({ address: Address.print(address), detail: problem }))
    }
    case "Inproc":
      return Effect.map(Network, (network) => network.connect(address.name))
  }
}

/** The same for an address as people write it: what `BulkClient` wants for its `connect`. */
export const connectTo = (address: string, room: Room): Effect.Effect<Socket.Socket, Address.BadAddress, Network> =>
  Effect.flatMap(Effect.fromResult(Address.parse(address)), (parsed) => connect(parsed, room))

type Chunk = [Uint8Array]
type Resume<A> = (effect: Effect.Effect<A, Socket.SocketError>) => void

const failed = (reason: Socket.SocketErrorReason) => new Socket.SocketError({ reason })

const make = (options: Net.NetConnectOpts, room: Room): Socket.Socket => {
  let current: Net.Socket | undefined
  const up = Latch.makeUnsafe(false)

  const reader: Effect.Effect<Socket.Reader, Socket.SocketError, Scope.Scope> = Effect.gen(function*() {
    let arrived: Uint8Array | undefined
    let over: Socket.SocketError | undefined
    let waiting: Resume<Chunk> | undefined
    let connected: Resume<Net.Socket> | undefined

    const deliver = () => {
      if (waiting === undefined || (arrived === undefined && over === undefined)) return
      const resume = waiting
      waiting = undefined
      const chunk = arrived
      arrived = undefined
      resume(chunk === undefined ? Effect.fail(over!) : Effect.succeed([chunk]))
    }
    const end = (error: Socket.SocketError) => {
      over ??= error
      connected?.(Effect.fail(over))
      deliver()
    }
    const open = Effect.sync(() => {
      const buffer = Buffer.allocUnsafe(BUFFER)
      const conn = Net.createConnection({
        ...options,
        onread: {
          // Asked after each read. Unless the next pull has come, what was read has not been seen, and there may be room no longer.
          buffer: () => waiting === undefined ? buffer : room() ?? buffer,
          callback: (count, buffer) => {
            arrived = buffer.subarray(0, count)
            deliver()
            // Nothing more is read into the buffer before the next pull; which may have come already, from within `deliver`.
            return waiting !== undefined
          }
        }
      })
      conn.on("error", (cause) =>
        end(failed(conn.connecting || conn.pending ? new Socket.SocketOpenError({ kind: "Unknown", cause }) : new Socket.SocketReadError({ cause }))))
      conn.on("end", () => end(failed(new Socket.SocketCloseError({ code: 1000 }))))
      conn.on("close", () => end(failed(new Socket.SocketCloseError({ code: 1006 }))))
      conn.once("connect", () => connected?.(Effect.succeed(conn)))
      return conn
    })
    const conn = yield* Effect.acquireRelease(open, (conn) =>
      Effect.sync(() => {
        end(failed(new Socket.SocketCloseError({ code: 1006 })))
        conn.destroy()
        if (current !== conn) return
        current = undefined
        up.closeUnsafe()
      }))
    yield* Effect.callback<Net.Socket, Socket.SocketError>((resume) => {
      if (over !== undefined) return resume(Effect.fail(over))
      connected = resume
    })
    connected = undefined
    current = conn
    up.openUnsafe()
    const pull = Effect.callback<Chunk, Socket.SocketError>((resume) => {
      waiting = resume
      if (arrived === undefined && over === undefined) conn.resume()
      deliver()
      return Effect.sync(() => {
        if (waiting === resume) waiting = undefined
      })
    })
    return { pull, upgrade: Socket.SocketUpgradeError.unsupported }
  })

  const use = (f: (conn: Net.Socket) => Effect.Effect<void, Socket.SocketError>): Effect.Effect<void, Socket.SocketError> =>
    Effect.suspend(() => current === undefined ? up.whenOpen(use(f)) : f(current))
  return Socket.make({
    reader,
    writer: Effect.succeed({
      write: (chunk) => use((conn) => Socket.isCloseEvent(chunk) ? Effect.sync(() => void conn.destroy()) : write(conn, [chunk])),
      writeAll: (chunks) => use((conn) => write(conn, chunks))
    })
  })
}

/** Completes when the kernel has taken all of it: what this side writes is small, or a chunk of a value that it brings. */
const write = (conn: Net.Socket, chunks: ReadonlyArray<Uint8Array | string>): Effect.Effect<void, Socket.SocketError> =>
  Effect.callback<void, Socket.SocketError>((resume) => {
    const done = (cause?: Error | null) =>
      resume(cause === undefined || cause === null ? Effect.void : Effect.fail(failed(new Socket.SocketWriteError({ cause }))))
    conn.cork()
    chunks.forEach((chunk, index) => index === chunks.length - 1 ? conn.write(chunk, done) : conn.write(chunk))
    conn.uncork()
  })
