/**
 * The file in which a scheduler says where it is, for clients and workers of the
 * same machine or of one that shares its disk.
 *
 * It may hold the token that they must show, so whoever writes it lets nobody
 * else read it.
 *
 * Source: dask.distributed, `--scheduler-file`.
 */
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

export const SchedulerFile = Schema.Struct({
  type: Schema.Literal("skein-scheduler"),
  /** As clients and workers dial it. */
  address: Schema.String,
  /** What they must show; null: nothing. */
  token: Schema.NullOr(Schema.String)
})
export type SchedulerFile = typeof SchedulerFile.Type

const Text = Schema.fromJsonString(SchedulerFile)

/** The text of the file. */
export const format = (address: string, token: Redacted.Redacted<string> | undefined): string =>
  `${Schema.encodeSync(Text)({ type: "skein-scheduler", address, token: token === undefined ? null : Redacted.value(token) })}\n`

/** What the file says; none for a text that no scheduler wrote. */
export const parse: (text: string) => Option.Option<SchedulerFile> = Schema.decodeUnknownOption(Text)
