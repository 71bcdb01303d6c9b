/**
 * A worker in this process: fibers of it, with what such a worker finds around.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NodePlatform from "@skein/client/node/Platform"
import * as TaskClient from "@skein/client/TaskClient"
import { Notices } from "@skein/runtime/nanny/Notices"
import * as NodeThreads from "@skein/runtime/node/NodeThreads"
import * as NodeCurrentTask from "@skein/runtime/worker/node/NodeCurrentTask"
import * as NodeHost from "@skein/runtime/worker/node/NodeHost"
import * as NodeModules from "@skein/runtime/worker/node/NodeModules"
import * as NodeSockets from "@skein/runtime/worker/node/NodeSockets"
import { TaskClients } from "@skein/runtime/worker/TaskClients"
import { urlFor } from "@skein/runtime/worker/ThreadCode"
import * as WorkerTree from "@skein/runtime/worker/Tree"
import type { WorkerConfig } from "@skein/runtime/worker/WorkerConfig"

/** Returns once it has been registered, or has failed; see `Tree.start`. It ends with the scope. `tasks`: contracts of this process. */
export const start = (config: WorkerConfig, tasks: Layer.Layer<never, unknown> | undefined) =>
  Effect.suspend(() => {
    NodeCurrentTask.install()
    const services = Layer.mergeAll(
      Notices.layerNoop,
      NodeHost.layer,
      NodeModules.layer,
      NodeSockets.layer,
      Layer.provide(Layer.effect(TaskClients, TaskClient.maker), NodePlatform.layer),
      NodeThreads.layer({ codeModule: urlFor(config.tasks), worker: config.name })
    )
    return Effect.provide(WorkerTree.start(config, tasks === undefined ? {} : { tasks }), services)
  })
