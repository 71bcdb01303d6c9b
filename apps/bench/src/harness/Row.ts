/**
 * What the benchmark finds, as data: rows, and the file that keeps a run of it.
 */
import { Schema } from "effect"

/** One figure, measured several times. */
export const Row = Schema.Struct({
  group: Schema.String,
  name: Schema.String,
  unit: Schema.String,
  /** Which way is better. */
  better: Schema.Literals(["less", "more"]),
  /** The figure of each run; empty if it could not be had. */
  values: Schema.Array(Schema.Number),
  /** Microseconds of processor for each unit of work, by process: medians of the runs. */
  cpu: Schema.Record(Schema.String, Schema.Number),
  /** What one unit of work is, such as "task". */
  per: Schema.String,
  /** The machine's load average of one minute. */
  load: Schema.Struct({ before: Schema.Number, after: Schema.Number }),
  /** What has to be known to read the figure; often nothing. */
  note: Schema.String,
  /** Why there is no figure. */
  missing: Schema.NullOr(Schema.String)
})
export type Row = typeof Row.Type

export const Machine = Schema.Struct({
  processor: Schema.String,
  cores: Schema.Number,
  memoryGiB: Schema.Number,
  system: Schema.String
})
export type Machine = typeof Machine.Type

/** A run, as `--json` keeps it. */
export const Run = Schema.Struct({
  format: Schema.Literal("skein-bench-1"),
  /** When it began. */
  date: Schema.String,
  quick: Schema.Boolean,
  /** Of Node, of our packages, of the peers that were found. */
  versions: Schema.Record(Schema.String, Schema.String),
  machine: Machine,
  rows: Schema.Array(Row)
})
export type Run = typeof Run.Type

/** Names a row among all. */
export const idOf = (row: Pick<Row, "group" | "name">): string => `${row.group}/${row.name}`
