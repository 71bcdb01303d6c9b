#!/usr/bin/env node
/**
 * The program `skein`.
 *
 * Exits 0 when a command has done what it was asked for, or was ended by
 * SIGINT or SIGTERM in good order; 1, with the reason on standard error, when
 * not.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import { run } from "./skein.ts"

run.pipe(
  Effect.provide(NodeServices.layer),
  // Standard output is for what a command answers.
  Effect.provide(Logger.layer([Logger.withConsoleError(Logger.formatLogFmt)])),
  (program) => NodeRuntime.runMain(program)
)
