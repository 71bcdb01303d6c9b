/** Rows and runs for tests. */
import type { Row, Run } from "../src/harness/Row.ts"

export const row = (id: string, values: ReadonlyArray<number>, more: Partial<Row> = {}): Row => ({
  group: id.slice(0, id.indexOf("/")),
  name: id.slice(id.indexOf("/") + 1),
  unit: "µs a task",
  better: "less",
  values,
  cpu: {},
  per: "task",
  load: { before: 0, after: 0 },
  note: "",
  missing: null,
  ...more
})

export const run = (rows: ReadonlyArray<Row>): Run => ({
  format: "skein-bench-1",
  date: "2026-11-21T12:00:00.000Z",
  quick: false,
  versions: { node: "v24.21.0" },
  machine: { processor: "a processor", cores: 2, memoryGiB: 24, system: "Linux" },
  rows
})
