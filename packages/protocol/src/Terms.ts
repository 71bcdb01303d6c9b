/**
 * On what terms a task is submitted: where it may run, what it occupies there,
 * and what it belongs to.
 *
 * Few tasks say any of this, and many that do say the same: so it travels beside
 * the rows, once for all rows of a message that share it, and a row names it by
 * its place.
 */
import * as Schema from "effect/Schema"
import { Resources } from "./Resources.ts"

/** Names, addresses and hosts in one list at most. */
export const WORKERS_LIMIT = 1_024
/** Characters of one of them, and of a span, at most. */
export const NAME_LIMIT = 256
/** Bytes of encoded annotations at most. */
export const ANNOTATIONS_LIMIT = 16 << 10

const Name = Schema.String.check(Schema.isMaxLength(NAME_LIMIT))

export const Terms = Schema.Struct({
  /** What it occupies on its worker, from when it is given to it until nothing of it runs any more. */
  resources: Resources,
  /** Names, addresses or hosts of workers; none: any worker. */
  workers: Schema.Array(Name).check(Schema.isMaxLength(WORKERS_LIMIT)),
  /** `workers` is a wish: while none of them is connected, others will do. */
  allowOtherWorkers: Schema.Boolean,
  /** The larger piece of work that it belongs to; empty: none. */
  span: Name,
  /** Free data, encoded as values are; no bytes: none. Opaque to the scheduler. */
  annotations: Schema.Uint8Array.check(
    Schema.makeFilter((bytes: Uint8Array) => bytes.length <= ANNOTATIONS_LIMIT ? undefined : `expected at most ${ANNOTATIONS_LIMIT} bytes`)
  )
})
export type Terms = typeof Terms.Type
