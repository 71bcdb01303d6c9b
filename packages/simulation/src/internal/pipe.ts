/**
 * One direction of a simulated connection.
 *
 * Pieces wait in the order in which they were written, each with the time at
 * which it may arrive; one timer stands for the first of them. What has arrived
 * waits for the reader, in a list that the writer's window bounds.
 */
import * as Effect from "effect/Effect"
import type * as Socket from "effect/socket/Socket"
import { closed } from "./closing.ts"
import type { SimProcess } from "../SimProcess.ts"
import type { Timer } from "../Timers.ts"
import type { World } from "../World.ts"

/** What a pipe lies in. */
export interface Line {
  /** `from->to`. */
  readonly link: string
  readonly writer: SimProcess
  readonly reader: SimProcess
  readonly world: World
  /** How long the next piece takes, milliseconds. */
  readonly delay: () => number
  /** Bytes on their way and unread before a writer waits. */
  readonly window: number
  readonly isBlocked: () => boolean
  /** Whether what a hole held back is sent again. */
  readonly retransmits: boolean
  /** Bytes per second that the reader takes; undefined: all. */
  readonly rate: () => number | undefined
  readonly pieces: (bytes: Uint8Array) => { readonly pieces: ReadonlyArray<Uint8Array>; readonly then?: "cut" | "drop" }
  /** Breaks the connection for both ends. */
  readonly cut: () => void
  /** Breaks it for the writing end. */
  readonly drop: () => void
  /** The pipe has been closed at its reading end. */
  readonly closed: () => void
}

export interface Pipe {
  readonly line: Line
  /** Takes the chunks at once; completes when the window has room again. Nothing happens on one that is closed. */
  readonly write: (chunks: ReadonlyArray<Uint8Array | string>) => Effect.Effect<void>
  /** All that has arrived, at least one chunk. */
  readonly pull: Effect.Effect<Chunks, Socket.SocketError>
  /** The writing end closes: the reading end hears of it after all that was written. */
  readonly finish: () => void
  /** The same by a reset, which overtakes what was written. */
  readonly break: (why: Socket.SocketError) => void
  /** The reading end hears of it now; what is under way is lost. */
  readonly fail: (why: Socket.SocketError) => void
  /** Something has changed about holes and rates. */
  readonly look: () => void
  readonly isClosed: () => boolean
  /** Something has arrived that nobody has read. */
  readonly hasUnread: () => boolean
  /** Somebody is reading. */
  readonly isAwaited: () => boolean
}

type Chunks = [Uint8Array, ...Array<Uint8Array>]
type Resume = (effect: Effect.Effect<Chunks, Socket.SocketError>) => void

/** Something under way: bytes, or the end. */
interface Piece {
  at: number
  readonly bytes: Uint8Array | undefined
  readonly then: (() => void) | undefined
}

const utf8 = new TextEncoder()
/** A slow reader is handed so much of a second's worth at once. */
const SLOW_SHARE = 1 / 16
/** Milliseconds after which the first lost bytes are sent again once a hole is gone. */
const RETRANSMIT_MS = 200

/** As the world rounds times: a piece must not be due later than its timer. */
const micros = (ms: number): number => Math.round(ms * 1000) / 1000

export const makePipe = (line: Line): Pipe => {
  const { reader: process, world } = line
  let wire: Array<Piece> = []
  let arrived: Array<Uint8Array> = []
  /** Bytes written and not yet read. */
  let outstanding = 0
  let last = 0
  let closedBy: Socket.SocketError | undefined
  let finished = false
  /** A hole has swallowed something for good: nothing more goes out (`muted`), nothing more arrives (`silent`). */
  let muted = false
  let silent = false
  /** A hole holds back what is to be sent again. */
  let stalled = false
  let timer: Timer<SimProcess | undefined> | undefined
  let reading: Resume | undefined
  const writers = new Set<() => void>()

  const wakeWriters = () => {
    const woken = [...writers]
    writers.clear()
    for (const wake of woken) wake()
  }
  const take = (): Chunks => {
    const taken = arrived as Chunks // asked only when there is one
    arrived = []
    for (const bytes of taken) outstanding -= bytes.length
    if (writers.size > 0 && outstanding < line.window) wakeWriters()
    return taken
  }
  const wakeReader = () => {
    if (reading === undefined) return
    const resume = reading
    // What has arrived by the time it runs is what it gets; it may be gone by then.
    world.enqueue(process, () => {
      if (reading !== resume) return
      if (arrived.length === 0 && closedBy === undefined) return
      reading = undefined
      resume(arrived.length > 0 ? Effect.succeed(take()) : Effect.fail(closedBy!))
    })
  }
  const close = (why: Socket.SocketError) => {
    if (closedBy !== undefined) return
    closedBy = why
    wire = []
    if (timer !== undefined) world.cancelTimer(timer)
    timer = undefined
    wakeReader()
    wakeWriters()
    line.closed()
  }
  const schedule = () => {
    const first = wire[0]
    if (first === undefined || timer !== undefined || stalled) return
    timer = world.setTimer(Math.max(first.at, world.now), undefined, () => {
      timer = undefined
      deliver()
      schedule()
    })
  }
  const deliver = () => {
    const before = arrived.length
    for (let first = wire[0]; first !== undefined && first.at <= world.now; first = wire[0]) {
      if (line.isBlocked()) {
        if (line.retransmits) stalled = true
        else silent = true
      }
      if (stalled) return
      if (silent) {
        outstanding = 0
        wire = []
        return wakeWriters()
      }
      wire.shift()
      if (first.bytes !== undefined) arrive(first.bytes)
      first.then?.()
    }
    if (arrived.length > before) wakeReader()
  }
  /** A slow reader gets a part, and the rest in its time. */
  const arrive = (bytes: Uint8Array) => {
    const rate = line.rate()
    const most = rate === undefined ? Infinity : Math.max(1, Math.floor(rate * SLOW_SHARE))
    if (bytes.length <= most) {
      arrived.push(bytes)
    } else {
      arrived.push(bytes.slice(0, most))
      wire.unshift({ at: micros(world.now + 1000 * SLOW_SHARE), bytes: bytes.slice(most), then: undefined })
    }
    if (rate !== undefined && wire[0] !== undefined) wire[0].at = micros(Math.max(wire[0].at, world.now + (1000 * Math.min(bytes.length, most)) / rate))
  }
  const send = (bytes: Uint8Array | undefined, then?: () => void) => {
    if (muted || silent || closedBy !== undefined) return
    const blocked = line.isBlocked()
    if (blocked && !line.retransmits) {
      muted = true
      outstanding = wire.reduce((sum, piece) => sum + (piece.bytes?.length ?? 0), 0)
      return wakeWriters()
    }
    if (blocked) stalled = true
    last = micros(Math.max(last, world.now + line.delay()))
    wire.push({ at: last, bytes, then })
    schedule()
  }
  const write = (chunk: Uint8Array | string) => {
    if (finished || closedBy !== undefined || chunk.length === 0) return
    const bytes = typeof chunk === "string" ? utf8.encode(chunk) : new Uint8Array(chunk) // a copy, as the kernel makes
    world.sent(line.link, bytes)
    const { pieces, then } = line.pieces(bytes)
    for (const piece of pieces) {
      if (!muted && !silent) outstanding += piece.length
      send(piece)
    }
    if (then === "cut") send(undefined, line.cut)
    if (then === "drop") line.drop()
  }
  return {
    line,
    write: (chunks) =>
      Effect.callback<void>((resume) => {
        for (const chunk of chunks) write(chunk)
        if (outstanding < line.window || closedBy !== undefined || finished) return resume(Effect.void)
        const wake = () => world.enqueue(line.writer, () => resume(Effect.void))
        writers.add(wake)
        return Effect.sync(() => void writers.delete(wake))
      }),
    pull: Effect.callback<Chunks, Socket.SocketError>((resume) => {
      if (arrived.length > 0) return resume(Effect.succeed(take()))
      if (closedBy !== undefined) return resume(Effect.fail(closedBy))
      reading = resume
      return Effect.sync(() => {
        if (reading === resume) reading = undefined
      })
    }),
    finish: () => {
      if (finished) return
      finished = true
      send(undefined, () => close(closed))
    },
    break: (why) => {
      finished = true
      wire = []
      last = 0
      if (timer !== undefined) world.cancelTimer(timer)
      timer = undefined
      send(undefined, () => close(why))
    },
    fail: close,
    look: () => {
      if (stalled && !line.isBlocked()) {
        stalled = false
        const first = wire[0]
        if (first !== undefined) first.at = micros(Math.max(first.at, world.now + RETRANSMIT_MS))
      }
      schedule()
    },
    isClosed: () => closedBy !== undefined,
    hasUnread: () => arrived.length > 0,
    isAwaited: () => reading !== undefined
  }
}
