/**
 * `Client`, with the layer that may start a cluster of its own. The same service
 * as the client package's: one who needs either is given what either makes.
 */
import type * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { Client as Connecting } from "@skein/client/Client"
import { namedBy } from "@skein/client/Configured"
import type { ClusterError, ConnectError } from "@skein/protocol/Errors"
import * as TaskImport from "@skein/protocol/TaskImport"
import { LocalCluster } from "./LocalCluster.ts"
import type { LocalClusterOptions } from "./Options.ts"

export class Client extends Connecting {
  /**
   * Dask's `Client()`: a client of the scheduler that the environment names (SKEIN_SCHEDULER_ADDRESS or SKEIN_SCHEDULER_FILE, with
   * SKEIN_TOKEN), and if it names none, a `LocalCluster` of its own with these options.
   */
  static layerAuto<E = never, R = never>(
    options: LocalClusterOptions<E, R> = {}
  ): Layer.Layer<Connecting, ConnectError | ClusterError | Config.ConfigError | E, R> {
    const chosen = Effect.gen(function*(): Effect.gen.Return<Layer.Layer<Connecting, ConnectError | ClusterError | Config.ConfigError | E, R>, Config.ConfigError> {
      const name = yield* namedBy
      if (Option.isNone(name)) return LocalCluster.layer(options)
      yield* Effect.logInfo(`${name.value} names a scheduler, so no local cluster is started`)
      return Connecting.layerConfig()
    })
    return Layer.unwrap(TaskImport.notForTasks(chosen))
  }
}
