/** RESULTS.md. */
import type { Run } from "./harness/Row.ts"
export const resultsFile = "apps/bench/RESULTS.md"
export const resultsText = (_: ReadonlyArray<Run>): string => ""
