/**
 * The worker's process.
 *
 * A child of a nanny: it reads its configuration from the nanny's line on
 * standard input, writes notices to descriptor 3, and cannot outlive its parent.
 * SIGTERM ends its session in good order and the process with exit code 0, and
 * so does the scheduler's word; an end of its own is exit code 1, with the cause
 * on standard error. Everything it logs goes there.
 *
 * Here the worker and the client that its bodies use are put together, which
 * know nothing of each other.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as NodePlatform from "@skein/client/node/Platform"
import * as TaskClient from "@skein/client/TaskClient"
import * as ForTasks from "@skein/protocol/ForTasks"
import { Network } from "@skein/transport/Memory"
import * as Hashing from "@skein/transport/node/Hashing"
import { inTurns } from "@skein/transport/node/Turns"
import { begin, layerNotices } from "../node/NodeChild.ts"
import * as NodeThreads from "../node/NodeThreads.ts"
import * as NodeCurrentTask from "./node/NodeCurrentTask.ts"
import * as NodeHost from "./node/NodeHost.ts"
import * as NodeModules from "./node/NodeModules.ts"
import * as NodeSockets from "./node/NodeSockets.ts"
import * as textImports from "./node/textImports.ts"
import { program } from "./Program.ts"
import { TaskClients } from "./TaskClients.ts"
import { urlFor } from "./ThreadCode.ts"
import type { WorkerConfig } from "./WorkerConfig.ts"

const input = begin()

// Only a body can leave a promise behind that nobody looks at: it may have ended long ago, and its neighbours are not to die of it.
process.on("unhandledRejection", (reason) => {
  process.stderr.write(`a task left a rejected promise behind that nobody handles: ${reason instanceof Error ? reason.stack ?? reason.message : String(reason)}\n`)
})

ForTasks.begin()
NodeCurrentTask.install()
textImports.install()

const services = (config: WorkerConfig) =>
  Layer.mergeAll(
    Hashing.layer,
    layerNotices,
    NodeHost.layer,
    NodeModules.layer,
    Layer.provide(NodeSockets.layer, Network.layer),
    Layer.provide(Layer.effect(TaskClients, TaskClient.maker), NodePlatform.layer),
    NodeThreads.layer({ codeModule: urlFor(config.tasks), worker: config.name })
  )

const worker = program(input, services).pipe(Effect.provide(Logger.layer([Logger.withConsoleError(Logger.formatLogFmt)])), inTurns)

NodeRuntime.runMain(worker, {
  disableErrorReporting: true,
  // At once: what bodies have left running, such as a timer, would keep the process alive.
  teardown: (exit) => process.exit(Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause) ? 0 : 1)
})
