/**
 * How sessions end, and how they fail to begin.
 */
import * as Cause from "effect/Cause"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { EndKind } from "./Handshake.ts"

/** The session is over, and why. What it had accepted may or may not have been handled. */
export class SessionEnded extends Schema.TaggedError<SessionEnded>()("SessionEnded", {
  /**
   * - `closed`: one side closed it; nothing is wrong.
   * - `grace`: no connection for longer than it may be without, or the other side has forgotten it.
   * - `refused`: the other side does not let it in any more.
   * - `overrun`: one side sends faster than the other reads, and does not wait.
   * - `protocol`: the other side says what makes no sense.
   * - `failed`: whoever used it gave up, with the failure in `cause`.
   * - `defect`: a bug; `cause` has it, on the side where it happened.
   */
  kind: EndKind,
  reason: Schema.String,
  /** All that is known on this side, defects included. */
  cause: Schema.Cause(Schema.Unknown, Schema.Unknown)
}) {
  override get message() {
    return `The session is over (${this.kind}): ${this.reason}`
  }

  /** An end that is nobody's failure in the program. */
  static of(kind: EndKind, reason: string): SessionEnded {
    return new SessionEnded({ kind, reason, cause: Cause.empty })
  }

  /** What stopped a loop, as the end of its session. An end that is among the causes is kept as it is. */
  static from(cause: Cause.Cause<unknown>): SessionEnded {
    const error = Cause.findError(cause)
    if (Result.isSuccess(error) && error.success instanceof SessionEnded) return error.success
    if (Cause.hasInterruptsOnly(cause)) return new SessionEnded({ kind: "closed", reason: "closed", cause })
    return new SessionEnded({ kind: Cause.hasDies(cause) ? "defect" : "failed", reason: String(Cause.squash(cause)), cause })
  }
}

/** A frame larger than both sides agreed to. A defect of the sender: large values travel by `Bulk`. */
export class FrameTooLarge extends Schema.TaggedError<FrameTooLarge>()("FrameTooLarge", {
  bytes: Schema.Int,
  limit: Schema.Int
}) {
  override get message() {
    return `A message of ${this.bytes} bytes does not fit into a frame of ${this.limit}. Send large values by Bulk, or raise frameLimit on both sides.`
  }
}

/** The first connection did not come about. */
export class ConnectFailed extends Schema.TaggedError<ConnectFailed>()("ConnectFailed", {
  /**
   * - `Refused`: nobody listens there, or who does lets nobody in just now.
   * - `Unauthorized`: wrong token, or this role may not connect there.
   * - `Version`: the other side speaks another version, or another protocol altogether.
   * - `Timeout`: no answer in time.
   * - `BadAddress`: no connection can be made to such an address.
   * - `Dns`: nobody knows the host's name.
   */
  reason: Schema.Literals(["Refused", "Unauthorized", "Version", "Timeout", "BadAddress", "Dns"]),
  detail: Schema.String
}) {
  override get message() {
    return `Could not connect (${this.reason}): ${this.detail}`
  }
}
