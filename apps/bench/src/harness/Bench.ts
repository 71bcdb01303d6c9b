/**
 * What a group of rows gets to work with.
 */
import { Context, Effect, Schema } from "effect"
import type { Row } from "./Row.ts"

/** What a group is told, by the process that starts it. */
export const Options = Schema.Struct({
  group: Schema.String,
  /** Only rows whose name contains one of these; none: all. */
  parts: Schema.Array(Schema.String),
  /** `quick`: what is worth knowing before each change. `all`: with what takes very long. */
  extent: Schema.Literals(["quick", "usual", "all"]),
  /** Runs of each row, after those that warm up. */
  runs: Schema.Number,
  /** Systems to measure beside, and the Python that has them. */
  against: Schema.Array(Schema.Literals(["dask", "ray"])),
  python: Schema.String
})
export type Options = typeof Options.Type

export class Bench extends Context.Service<Bench, {
  readonly options: Options
  /** Whether a row of this name was asked for. What takes long to prepare asks before. */
  readonly wants: (name: string) => boolean
  readonly emit: (row: Row) => Effect.Effect<void>
}>()("@skein/bench/Bench") {}

/** Whether a row's name was asked for. */
export const wants = (parts: ReadonlyArray<string>, name: string): boolean => parts.length === 0 || parts.some((part) => name.includes(part))
