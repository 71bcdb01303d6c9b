/**
 * A session: a reliable, ordered stream of frames between two parties, over
 * connections that come and go. RPC stands on it (`Duplex`) and sees only its
 * end, never a reconnect.
 *
 * - Every frame has a number and stays in the sender's buffer until the other
 *   side has *handled* it. After a re-dial the two tell each other how far they
 *   have received, and the rest is sent again. What comes twice is dropped, so a
 *   frame is applied once, in order, or the session is over.
 * - Acknowledgement is one number, "handled up to here". It leaves with whatever
 *   else is sent, for a write of its own costs as much as the message it is
 *   about; by itself only once a quarter of the window has been handled, with
 *   every beat, and at once if the other side wants it: because somebody there
 *   waits for room, or for the end.
 * - Writers wait while the buffer is full. Because frames are acknowledged when
 *   handled, the same bytes bound what waits on the other side.
 * - A broken connection is an event of every day; anything else that stops a
 *   loop, a defect above all, ends the session and is its cause.
 */
import type * as Cause from "effect/Cause"
import type * as Effect from "effect/Effect"
import type * as SubscriptionRef from "effect/SubscriptionRef"
import type { Greeting } from "./Handshake.ts"
import type { SessionEnded } from "./SessionEnded.ts"

export { dial, type DialOptions } from "./Dial.ts"
export { unauthorizedCount } from "./internal/greeting.ts"
export { serve, type ServeOptions } from "./Serve.ts"
export { ConnectFailed, FrameTooLarge, SessionEnded } from "./SessionEnded.ts"

/** `lost`: it is over. */
export type Status = "connected" | "reconnecting" | "lost"

/** A reliable, ordered stream of frames in both directions. */
export interface Session {
  /**
   * Completes when the frame is accepted; waits for room. From then on it arrives, or the session ends. The frame is kept, not
   * copied: do not change it any more. Dies with `FrameTooLarge` if it is.
   */
  readonly send: (frame: Uint8Array) => Effect.Effect<void, SessionEnded>
  /** Like `send`, but accepts it within the call if there is room (`Prompt`), and only what it gives waits. */
  readonly offer: (frame: Uint8Array) => Effect.Effect<void, SessionEnded>
  /** Like `send`, but never waits: for the few messages that make room. Too many of them end the session. */
  readonly sendNow: (frame: Uint8Array) => Effect.Effect<void, SessionEnded>
  /**
   * Hands over what arrives, one after the other; to be run once. `handle` is called when the frame's turn has come; where it
   * returns `Effect.void`, the frame is handled by then, and no fiber is woken for it. Whatever stops this ends the session: an
   * interruption in good order, a defect of `handle` with that cause.
   */
  readonly run: (handle: (frame: Uint8Array) => Effect.Effect<void>) => Effect.Effect<never, SessionEnded>
  /** Ends it at once and tells the other side; the first cause counts. */
  readonly end: (cause: Cause.Cause<unknown>) => Effect.Effect<void>
  /** Ends it in good order: accepts nothing more, and waits up to `closeMs` until the other side has handled what was accepted. */
  readonly close: Effect.Effect<void>
  /** Fails when the session is over. */
  readonly ended: Effect.Effect<never, SessionEnded>
  /** For people to see; nothing is to be decided by it. */
  readonly status: SubscriptionRef.SubscriptionRef<Status>
  /** How often each side gives a sign of life, as of now, in milliseconds. A good measure for other things that are said over and over. */
  readonly beatMs: () => number
  /** How long it outlives its connection, as both sides have agreed, in milliseconds. */
  readonly graceMs: number
  /** What the other side said of itself, without its token. */
  readonly peer: Greeting
}

/** What both sides may choose. Raw numbers are milliseconds and bytes. */
export interface SessionOptions {
  /** Bytes that may wait for their acknowledgement before writers wait; the smaller of both sides' counts. @default 1 MiB */
  readonly window?: number
  /** Bytes in one frame at most; likewise. @default 16 MiB */
  readonly frameLimit?: number
  /**
   * A sign of life this often, or as seldom as the other side wants it; after three silent beats the connection counts as broken.
   * `Infinity`: none. The accepting side may change it while the session lasts (`paceMs` of `serve`). @default 1000
   */
  readonly beatMs?: number
  /** How long either side may take to greet. @default 5000 */
  readonly handshakeMs?: number
  /** How long `close` waits for acknowledgements. @default 1000 */
  readonly closeMs?: number
}
