/**
 * The sending half of a session: frames wait here, in order, until the other
 * side has handled them; writers wait while there are too many bytes of them.
 *
 * The fiber that handles frames must never wait here. It makes the room that
 * others wait for: if it waited as well, two full sides would wait for each
 * other for ever. All that it sends is an answer to what came; a side that piles
 * up such answers unread is cut off.
 */
import * as Effect from "effect/Effect"
import { Kind, type Packet, packet, sizeOf } from "../Framing.ts"
import { FrameTooLarge, SessionEnded } from "../SessionEnded.ts"

export interface OutgoingOptions {
  readonly window: number
  readonly frameLimit: number
  /** Called whenever there is something to write, and when somebody begins to wait for room. */
  readonly onFrame: () => void
  /** Called whenever nothing waits any more, neither for room nor for its acknowledgement. */
  readonly onEmpty: () => void
}

export const makeOutgoing = ({ frameLimit, onEmpty, onFrame, window }: OutgoingOptions) => {
  /** The frames `acked + 1` … `acked + unacked.length`. */
  const unacked: Array<Packet> = []
  /** Who found the buffer full, in this order. */
  const waiting: Array<{ readonly frame: Uint8Array; readonly resume: (effect: Effect.Effect<void, SessionEnded>) => void }> = []
  let acked = 0
  let buffered = 0
  let over: SessionEnded | undefined

  const hasRoom = (frame: Uint8Array) => buffered === 0 || buffered + sizeOf(frame) <= window
  const push = (frame: Uint8Array) => {
    unacked.push(packet(Kind.Frame, acked + unacked.length + 1, frame))
    buffered += sizeOf(frame)
    onFrame()
  }
  /** Pushes on the writers' behalf, so that nobody overtakes them. */
  const admit = () => {
    while (waiting.length > 0 && hasRoom(waiting[0]!.frame)) {
      const { frame, resume } = waiting.shift()!
      push(frame)
      resume(Effect.void)
    }
    if (waiting.length === 0 && unacked.length === 0) onEmpty()
  }
  const waitForRoom = (frame: Uint8Array) =>
    Effect.callback<void, SessionEnded>((resume) => {
      // Asked again in the step that registers: the fiber may have been preempted since `send` looked.
      if (over !== undefined) return resume(Effect.fail(over))
      const writer = { frame, resume }
      waiting.push(writer)
      admit()
      onFrame()
      return Effect.sync(() => {
        const index = waiting.indexOf(writer)
        if (index < 0) return
        waiting.splice(index, 1)
        admit()
      })
    })
  const sendable = (frame: Uint8Array): Effect.Effect<void, SessionEnded> | undefined => {
    if (over !== undefined) return Effect.fail(over)
    if (frame.length > frameLimit) return Effect.die(new FrameTooLarge({ bytes: frame.length, limit: frameLimit }))
    return undefined
  }

  return {
    /** Accepts the frame, or waits for room. */
    send: (frame: Uint8Array): Effect.Effect<void, SessionEnded> => {
      const refused = sendable(frame)
      if (refused !== undefined) return refused
      if (waiting.length > 0 || !hasRoom(frame)) return waitForRoom(frame)
      push(frame)
      return Effect.void
    },
    /** Accepts the frame, room or not. Fails with `overrun` when four windows and a frame are exceeded. */
    sendNow: (frame: Uint8Array): Effect.Effect<void, SessionEnded> => {
      const refused = sendable(frame)
      if (refused !== undefined) return refused
      push(frame)
      return buffered > window * 4 + sizeOf(frame) + frameLimit
        ? Effect.fail(SessionEnded.of("overrun", `the other side has not acknowledged ${buffered} bytes`))
        : Effect.void
    },
    /** The other side has handled everything up to this number. */
    acknowledge: (number: number): void => {
      if (number <= acked) return
      for (const { body } of unacked.splice(0, number - acked)) buffered -= sizeOf(body)
      acked = number
      admit()
    },
    /** Nothing is accepted any more; whoever waits fails. */
    end: (why: SessionEnded): void => {
      over = why
      for (const writer of waiting.splice(0)) writer.resume(Effect.fail(why))
    },
    /** The number of the last frame that the other side has handled. */
    acked: () => acked,
    /** The number of the last frame accepted. */
    last: () => acked + unacked.length,
    /** The accepted frame of this number, which must be after `acked`. */
    frame: (number: number): Packet => unacked[number - acked - 1]!,
    /** Whether somebody waits for room. */
    isFull: () => waiting.length > 0,
    isEmpty: () => waiting.length === 0 && unacked.length === 0
  }
}
