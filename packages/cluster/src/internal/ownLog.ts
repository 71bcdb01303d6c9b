/**
 * The lines of a scheduler or worker that is fibers of this process: kept as
 * those of a process of its own would be, and printed from a level on.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import { Ring } from "@skein/runtime/nanny/Lines"
import type { LogsFrom } from "../Options.ts"
import { isFrom } from "./printing.ts"

export interface OwnLog {
  /** Has what this logs, and whatever it starts, kept. */
  readonly keep: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** The last 1,000 lines, oldest first. */
  readonly lines: () => ReadonlyArray<string>
}

export const make = (from: LogsFrom): OwnLog => {
  const kept = new Ring<string>(1_000)
  const keeping = Logger.map(Logger.formatLogFmt, (line) => kept.push(line))
  return {
    keep: (effect) =>
      Effect.withFiber((fiber) => {
        // This process's own loggers print it, each in its way.
        const printing = [...Context.get(fiber.context, Logger.CurrentLoggers)].map((logger) =>
          Logger.make<unknown, unknown>((options) => isFrom(from, options.logLevel) ? logger.log(options) : undefined))
        return effect.pipe(
          Effect.provideService(Logger.CurrentLoggers, new Set([keeping, ...printing])),
          from === "Debug" ? Effect.provideService(References.MinimumLogLevel, "Debug") : (same) => same
        )
      }),
    lines: () => kept.all()
  }
}
