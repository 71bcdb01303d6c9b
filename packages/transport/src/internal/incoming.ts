/**
 * The receiving half of a session: frames wait here, in order, until they are
 * handled, and the other side is told how far that is.
 *
 * Every message of every task passes here, so a frame is handed over by plain
 * calls: by the fiber that reads the connection, in the step that read it. Only
 * what a frame wants done beyond that step is left to the fiber of `run`, and
 * until it is done the next frames wait.
 *
 * An acknowledgement leaves with whatever else is sent. It is *due*, and leaves
 * by itself, when a quarter of the window has been handled and not been told of,
 * so that a sender who fills the window is not stopped by silence; and when the
 * other side has said that somebody waits for it.
 */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import { HEADER, Kind, type Packet, packet, sizeOf } from "../Framing.ts"
import { SessionEnded } from "../SessionEnded.ts"

export interface IncomingOptions {
  readonly window: number
  readonly frameLimit: number
  /** Called whenever an acknowledgement is due. */
  readonly onDue: () => void
}

type Handle = (frame: Uint8Array) => Effect.Effect<void>

export const makeIncoming = ({ frameLimit, onDue, window }: IncomingOptions) => {
  /** Those received and not handed over, from `next` on. Bounded by `overrun`, in bytes. */
  const inbox: Array<Uint8Array | undefined> = []
  let next = 0
  let received = 0
  let handled = 0
  /** Bytes received and not handled. */
  let unhandled = 0
  /** Bytes handled of which the other side has not been told. */
  let untold = 0
  /** The other side wants to hear when this many frames are handled. */
  let wanted = 0
  let due = false
  let runner: number | undefined
  let handle: Handle | undefined
  /** Takes what a frame wants done; there while the fiber of `run` waits for that. */
  let resume: ((effect: Effect.Effect<void, SessionEnded>) => void) | undefined
  let over: SessionEnded | undefined

  /** Four windows and two frames: more than a sender who keeps the rules can have under way, so it is not one. */
  const overrun = window * 4 + 2 * (HEADER + frameLimit)

  const nowDue = (): void => {
    due = true
    onDue()
  }
  const noteHandled = (frame: Uint8Array): void => {
    handled++
    unhandled -= sizeOf(frame)
    untold += sizeOf(frame)
    if (untold >= window / 4 || handled === wanted) nowDue()
  }
  const shift = (): Uint8Array => {
    const frame = inbox[next]! // asked only when there is one
    inbox[next++] = undefined
    if (next === inbox.length) next = inbox.length = 0
    else if (next >= 1024 && next * 2 >= inbox.length) {
      inbox.splice(0, next)
      next = 0
    }
    return frame
  }
  /** Hands frames over, until one of them wants more than a step. */
  const deliver = (): void => {
    while (handle !== undefined && resume !== undefined && next < inbox.length && over === undefined) {
      const leaveTo = resume
      // Meanwhile nothing else is handed over: what is called here may come back to this function.
      resume = undefined
      const frame = shift()
      let effect: Effect.Effect<void>
      try {
        effect = handle(frame)
      } catch (defect) {
        return leaveTo(Effect.die(defect))
      }
      if (effect !== Effect.void) return leaveTo(Effect.map(effect, () => noteHandled(frame)))
      noteHandled(frame)
      resume = leaveTo
    }
    stopIfOver()
  }
  const stopIfOver = (): void => {
    if (over === undefined || resume === undefined) return
    const stop = resume
    resume = undefined
    stop(Effect.fail(over))
  }
  /** Completes when one frame that wanted more than a step is handled. */
  const handling = Effect.callback<void, SessionEnded>((leaveTo) => {
    resume = leaveTo
    deliver()
    return Effect.sync(() => {
      resume = undefined
    })
  })

  return {
    /** Takes a frame of this number; one that an earlier connection has brought is dropped. Whether it can be one at all. */
    receive: (number: number, frame: Uint8Array): boolean => {
      if (number > received + 1) return false
      if (number <= received) return true
      received = number
      unhandled += sizeOf(frame)
      inbox.push(frame)
      return true
    },
    /** Whether more has come than anybody sends who keeps the rules, and why that is too much. */
    overrun: (): SessionEnded | undefined =>
      unhandled > overrun ? SessionEnded.of("overrun", `${unhandled} bytes came faster than they are handled`) : undefined,
    /** Hands over what has come, as far as that goes in this step. */
    deliver,
    /** Hands over until the session is over. To be run once; `onExit` is run whatever stops it. */
    run: (handler: Handle, onExit: (exit: Exit.Exit<never, SessionEnded>) => Effect.Effect<void>): Effect.Effect<never, SessionEnded> =>
      Effect.withFiber<never, SessionEnded>((fiber) => {
        runner = fiber.id
        handle = handler
        return Effect.forever(handling, { disableYield: true })
      }).pipe(Effect.onExit((exit) => {
        handle = undefined
        return onExit(exit)
      })),
    /** The fiber of `run`, which must never wait for room. */
    isRunner: (fiberId: number): boolean => fiberId === runner,
    /** The other side waits for the acknowledgement of this number. Whether it can be one. */
    wantAck: (number: number): boolean => {
      if (number > received) return false
      wanted = number
      if (handled >= number) nowDue()
      return true
    },
    /** One is to be sent even if there is nothing new to say. */
    beDue: nowDue,
    /** The acknowledgement to send now, if one is due or has news and can go with something else. */
    ack: (withOthers: boolean): Packet | undefined => {
      if (!due && !(withOthers && untold > 0)) return undefined
      due = false
      untold = 0
      return packet(Kind.Ack, handled)
    },
    /** Nothing is handed over any more. */
    end: (why: SessionEnded): void => {
      over = why
      stopIfOver()
    },
    received: () => received
  }
}
