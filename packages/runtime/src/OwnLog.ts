/**
 * What a part that is fibers of a process logs: kept as lines, as a nanny keeps
 * those of a process, and printed by whatever prints the process's log.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as LogLevel from "effect/LogLevel"
import * as Logger from "effect/Logger"
import { Ring } from "./nanny/Lines.ts"

export interface OwnLog {
  /** Has what this logs, and whatever it starts, kept. */
  readonly keep: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** The last 1,000 lines, oldest first. */
  readonly lines: () => ReadonlyArray<string>
}

/** `isPrinted`: whether what is of a level goes on to the loggers that are around. @default all of it */
export const make = (isPrinted: (level: LogLevel.LogLevel) => boolean = () => true): OwnLog => {
  const kept = new Ring<string>(1_000)
  const keeping = Logger.map(Logger.formatLogFmt, (line) => kept.push(line))
  return {
    keep: (effect) =>
      Effect.withFiber((fiber) => {
        const printing = [...Context.get(fiber.context, Logger.CurrentLoggers)].map((logger) =>
          Logger.make<unknown, unknown>((options) => isPrinted(options.logLevel) ? logger.log(options) : undefined))
        return Effect.provideService(effect, Logger.CurrentLoggers, new Set([keeping, ...printing]))
      }),
    lines: () => kept.all()
  }
}
