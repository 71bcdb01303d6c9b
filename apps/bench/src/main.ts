/**
 * `npm run bench`: the figures, beside those of others.
 *
 * Exits 1 if something it was asked for is wrong or gives no row; figures are
 * shown and not judged.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect, Logger } from "effect"
import { Command } from "effect/cli"
import { endUnread } from "@skein/runtime/node/endUnread"
import { bench } from "./command.ts"

// In good order: it has children.
endUnread(() => process.kill(process.pid, "SIGTERM"))

bench.pipe(
  Command.run({ version: "0.1.0" }),
  Effect.provide(NodeServices.layer),
  Effect.provide(Logger.layer([Logger.withConsoleError(Logger.formatLogFmt)])),
  (program) => NodeRuntime.runMain(program)
)
