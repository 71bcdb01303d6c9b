/**
 * A whole cluster on this machine, started with one line.
 *
 * Clients and workers show a token that is drawn for this cluster alone, and
 * unless TCP is asked for, nobody but this user can even reach its sockets.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Client, make as makeClient } from "@skein/client/Client"
import { Cluster, MoreClients } from "@skein/client/Cluster"
import * as NodePlatform from "@skein/client/node/Platform"
import { Platform } from "@skein/client/Platform"
import type { ClusterError, ConnectError } from "@skein/protocol/Errors"
import * as TaskImport from "@skein/protocol/TaskImport"
import * as NodeProcesses from "@skein/runtime/node/NodeProcesses"
import * as NodeSockets from "@skein/runtime/worker/node/NodeSockets"
import { Hashing } from "@skein/transport/Hashing"
import { Network } from "@skein/transport/Memory"
import * as Fibers from "./Fibers.ts"
import * as Machine from "./node/Machine.ts"
import * as PrivateDirectory from "./node/PrivateDirectory.ts"
import { type LocalClusterOptions, plan } from "./Options.ts"
import * as Processes from "./Processes.ts"

/**
 * A scheduler, workers, and a client of them. Ready once every worker has
 * registered; ends, and leaves nothing behind, with the layer's scope.
 *
 * Fails with `ClusterError` "BadOption" for an option that is wrong, "PortTaken"
 * and "WorkersFailed" if it does not come up.
 */
export const layer = <E = never, R = never>(
  options: LocalClusterOptions<E, R> = {}
): Layer.Layer<Client | Cluster, ClusterError | ConnectError | E, R> =>
  // Where a worker imports the program for its tasks, no cluster is started.
  Layer.effectContext(TaskImport.notForTasks(Effect.gen(function*() {
    const planned = yield* Effect.fromResult(plan(options, Machine.here()))
    // The layer of tasks fails and needs what its type says: it is built beside the workers, which share the surroundings.
    const surroundings = yield* Effect.context<R>()
    const own = planned.layer === undefined ? undefined : Layer.provide(planned.layer, Layer.succeedContext(surroundings))
    const started = planned.processes
      ? yield* Processes.start({ ...planned, layer: undefined })
      : yield* Fibers.start({ ...planned, layer: own as Layer.Layer<never> | undefined })
    // These two alone: what else is around has the cluster's scope in it, and a client ends with its own.
    const around = Context.pick(Platform, Hashing)(yield* Effect.context<Platform | Hashing>())
    const newClient = Effect.provideContext(makeClient({ address: started.address, token: started.token }, started.gone, started), around)
    const client = yield* newClient
    return Context.make(Client, client).pipe(Context.add(Cluster, client.cluster), Context.add(MoreClients, newClient))
  }))).pipe(
    Layer.provide(NodePlatform.layer),
    Layer.provide(NodeProcesses.layer),
    Layer.provide(PrivateDirectory.layer),
    Layer.provide(NodeSockets.layer),
    Layer.provide(Network.layer)
  )

export const LocalCluster = { layer }
