/**
 * The process of one group: a compiler of its own, and a heap of its own, so
 * that no group slows down another.
 *
 * It is told what to do as its only argument, and sends rows to the process
 * that started it.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Effect, Logger, Schema } from "effect"
import { groups } from "./groups.ts"
import { Bench, Options, wants } from "./harness/Bench.ts"

const options = Schema.decodeUnknownSync(Schema.fromJsonString(Options))(process.argv[2])
const group = groups.find(({ name }) => name === options.group)
if (group === undefined || process.send === undefined) throw new Error("child.ts is started by main.ts")

const bench = Bench.of({
  options,
  wants: (name) => wants(options.parts, name),
  emit: (row) =>
    Effect.callback((resume) => {
      process.send?.(row, undefined, {}, () => resume(Effect.void))
    })
})

group.run.pipe(
  Effect.provideService(Bench, bench),
  Effect.ensuring(Effect.sync(() => process.disconnect?.())),
  Effect.provide(Logger.layer([Logger.withConsoleError(Logger.formatLogFmt)])),
  (program) => NodeRuntime.runMain(program)
)
