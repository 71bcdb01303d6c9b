/**
 * The scheduler's process.
 *
 * A child of a nanny: it reads its configuration from the nanny's line on
 * standard input, says on descriptor 3 where it listens, and cannot outlive its
 * parent. SIGTERM ends it in good order with exit code 0; an end of its own is
 * exit code 1, with the cause on standard error. Everything it logs goes there.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { Network } from "@skein/transport/Memory"
import * as Hashing from "@skein/transport/node/Hashing"
import { inTurns } from "@skein/transport/node/Turns"
import { begin, layerNotices } from "../node/NodeChild.ts"
import * as NodeMemory from "../node/NodeMemory.ts"
import * as NodeVersions from "../node/NodeVersions.ts"
import * as NodeSockets from "../worker/node/NodeSockets.ts"
import { Journal } from "./Journal.ts"
import { Memory } from "./Memory.ts"
import { program } from "./Program.ts"

const input = begin()

const scheduler = program(input.config).pipe(
  Effect.provideService(Memory, NodeMemory.make()),
  Effect.provide([Hashing.layer, Journal.layerNoop, NodeVersions.layer, layerNotices, Layer.provide(NodeSockets.layer, Network.layer)]),
  Effect.provide(Logger.layer([Logger.withConsoleError(Logger.formatLogFmt)])),
  inTurns
)

NodeRuntime.runMain(scheduler, {
  disableErrorReporting: true,
  teardown: (exit, onExit) => onExit(Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause) ? 0 : 1)
})
