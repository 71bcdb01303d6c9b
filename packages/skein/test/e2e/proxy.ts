/**
 * A TCP proxy that cuts connections in the middle of what they carry: each after
 * a number of bytes, of both directions together, that a seed draws.
 *
 * The cut falls inside whatever is under way: a frame of which one half has
 * arrived is the ordinary case. Once it has cut as often as it was told, it
 * only carries, until it is told to cut more often.
 */
import { createServer, type AddressInfo, connect, type Socket } from "node:net"
import { Effect } from "effect"

/** A generator of numbers from 0 to 1 that is the same everywhere: mulberry32. */
const draws = (seed: number): () => number => {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

export interface CuttingProxy {
  /** Where it listens; it goes with the scope. */
  readonly address: string
  /** Cuts so many times more, the connections that are open included. */
  readonly cutMore: (times: number) => void
  /** How often it has cut so far. */
  readonly cuts: () => number
  /** Until none of its connections is open, at either side. */
  readonly quiet: Effect.Effect<void>
}

/** `bytes`: the range from which each connection's length is drawn. `to`: `tcp://host:port`. */
export const cuttingProxy = Effect.fnUntraced(function*(to: string, options: { readonly seed: number; readonly bytes: readonly [least: number, most: number] }) {
  const target = new URL(to)
  const draw = draws(options.seed)
  const sockets = new Set<Socket>()
  const waiting = new Set<() => void>()
  let cuts = 0
  /** Cuts that are done or under way, and as many as there may be. */
  let begun = 0
  let allowed = 0
  const carry = (near: Socket) => {
    const far = connect(Number(target.port), target.hostname)
    const [least, most] = options.bytes
    /** Bytes that it carries from now on; undefined: any number. */
    let left: number | undefined
    const end = () => {
      near.destroy()
      far.destroy()
    }
    for (const [from, into] of [[near, far], [far, near]] as const) {
      sockets.add(from)
      from.setNoDelay(true).on("error", end).on("close", () => {
        sockets.delete(from)
        end()
        if (sockets.size === 0) for (const resume of waiting) resume()
      }).on("data", (bytes: Buffer) => {
        if (left === undefined && begun < allowed) {
          begun++
          left = least + Math.floor(draw() * (most - least))
        }
        if (left !== undefined && left <= 0) return
        into.write(left === undefined ? bytes : bytes.subarray(0, left))
        if (left === undefined) return
        left -= bytes.length
        if (left > 0) return
        cuts++
        // What was written before still arrives: the cut is in the middle of a message, not before it.
        into.end(end)
      })
    }
  }
  const server = createServer(carry)
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => {
      server.listen(0, "127.0.0.1", () => resume(Effect.void))
    }),
    () =>
      Effect.sync(() => {
        server.close()
        for (const socket of sockets) socket.destroy()
      })
  )
  const { port } = server.address() as AddressInfo
  const quiet = Effect.callback<void>((resume) => {
    const done = () => {
      waiting.delete(done)
      resume(Effect.void)
    }
    waiting.add(done)
    if (sockets.size === 0) done()
  })
  const cutMore = (times: number) => {
    allowed += times
  }
  const proxy: CuttingProxy = { address: `tcp://127.0.0.1:${port}`, cutMore, cuts: () => cuts, quiet }
  return proxy
})
