/**
 * A *tell*: a message that gets no reply.
 *
 * The session beneath makes it arrive once and in order, or ends; so a reply
 * would only say what the session says anyway, and cost a message.
 * `Duplex` (transport) reads the annotation, and has a message of its own for it.
 */
import * as Context from "effect/Context"
import type * as Schema from "effect/Schema"
import * as Rpc from "effect/rpc/Rpc"

/** Marks an Rpc as a tell. */
export class Tell extends Context.Service<Tell, true>()("@skein/protocol/Tell") {}

/** What the types know it by. */
export interface Told {
  readonly isTold: true
}

/** An Rpc without a reply; the call completes when the session has accepted the message. */
export const tell = <const Tag extends string, const Fields extends Schema.Struct.Fields>(tag: Tag, payload: Fields) => {
  const told: Told = { isTold: true }
  return Object.assign(Rpc.make(tag, { payload }).annotate(Tell, true), told)
}
