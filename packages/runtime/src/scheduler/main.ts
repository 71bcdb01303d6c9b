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
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as Address from "@skein/transport/Address"
import * as Hashing from "@skein/transport/node/Hashing"
import * as Tcp from "@skein/transport/node/Tcp"
import * as Unix from "@skein/transport/node/Unix"
import { Notices } from "../nanny/Notices.ts"
import { begin, layerNotices } from "../node/NodeChild.ts"
import { Journal } from "./Journal.ts"
import { decode } from "./SchedulerConfig.ts"
import * as Tree from "./Tree.ts"

const input = begin()

const program = Effect.gen(function*() {
  const config = yield* decode(input.config)
  const server = yield* config.path !== null && config.protocol === "unix"
    ? Unix.listen(config.path)
    : Tcp.listen({ host: config.host, port: config.port })
  const tree = yield* Tree.start(config, server)
  const notices = yield* Notices
  yield* notices.write({ ready: Address.print(Tcp.addressOf(server)) })
  return yield* tree.ended
}).pipe(
  Effect.scoped,
  Effect.tapCause((cause) => Cause.hasInterruptsOnly(cause) ? Effect.void : Console.error(Cause.pretty(cause))),
  Effect.provide([Hashing.layer, Journal.layerNoop, layerNotices]),
  Effect.provide(Logger.layer([Logger.withConsoleError(Logger.formatLogFmt)]))
)

NodeRuntime.runMain(program, {
  disableErrorReporting: true,
  teardown: (exit, onExit) => onExit(Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause) ? 0 : 1)
})
