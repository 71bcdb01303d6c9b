/**
 * What a caller learns of a handler's defect: that there was one.
 *
 * A defect is a bug, and its text may hold anything: paths, values, tokens. It is
 * logged where it happened. On the wire it is replaced in the schema of every
 * call's exit, which is the one place that all of them pass.
 */
import * as Predicate from "effect/Predicate"
import * as Rpc from "effect/rpc/Rpc"
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"

/** A handler on the other side has a bug; the other side's log has the details. */
export class RemoteDefect extends Schema.TaggedError<RemoteDefect>()("RemoteDefect", { detail: Schema.String }) {
  override get message() {
    return this.detail
  }
}

const DETAIL = "the handler failed by a defect; see the log of the process that was called"

/** Encodes every defect as the same few words. */
const Redacted = Schema.Json.pipe(
  Schema.decodeTo(
    Schema.Unknown,
    SchemaTransformation.transform<unknown, Schema.Json>({
      decode: (json) => new RemoteDefect({ detail: textOf(json) }),
      encode: () => ({ name: "RemoteDefect", message: DETAIL })
    })
  )
)

/** What the other side wrote must not forge lines of our log. */
const textOf = (json: Schema.Json): string =>
  Predicate.hasProperty(json, "message") && typeof json.message === "string"
    ? json.message.replace(/[\p{Cc}\u2028\u2029]/gu, "?").slice(0, 300)
    : DETAIL

/** The same Rpc, its defects redacted. */
export const redacted = (rpc: Rpc.AnyWithProps): Rpc.Any =>
  Rpc.make(rpc._tag, { payload: rpc.payloadSchema, success: rpc.successSchema, error: rpc.errorSchema, defect: Redacted })
