/**
 * The lines of a scheduler or worker that is fibers of this process: printed, as
 * those of a process of its own would be, from a level on.
 */
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import * as OwnLog from "@skein/runtime/OwnLog"
import type { LogsFrom } from "../Options.ts"
import { isFrom } from "./printing.ts"

export type { OwnLog } from "@skein/runtime/OwnLog"

export const make = (from: LogsFrom): OwnLog.OwnLog => {
  const { keep, lines } = OwnLog.make((level) => isFrom(from, level))
  return {
    keep: (effect) => from === "Debug" ? Effect.provideService(keep(effect), References.MinimumLogLevel, "Debug") : keep(effect),
    lines
  }
}
