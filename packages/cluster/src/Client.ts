/**
 * `Client`, with the layers that look for a cluster: in the environment, or else
 * by starting one. The same service as the client package's: one who needs either
 * is given what either makes.
 *
 * They stand here because of what they load: a worker's process has a client in
 * it, and neither reads the environment nor starts clusters.
 */
import type * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { Client as Connecting, make } from "@skein/client/Client"
import * as NodePlatform from "@skein/client/node/Platform"
import type { ClusterError, ConnectError } from "@skein/protocol/Errors"
import * as TaskImport from "@skein/protocol/TaskImport"
import { type Configurable, configured, namedBy } from "./internal/configured.ts"
import { LocalCluster } from "./LocalCluster.ts"
import type { LocalClusterOptions } from "./Options.ts"

export class Client extends Connecting {
  /**
   * Where the environment says: SKEIN_SCHEDULER_ADDRESS or SKEIN_SCHEDULER_FILE, and SKEIN_TOKEN. What `options` say wins. With TLS
   * (SKEIN_TLS_…) it fails with "BadOption": not in this version.
   */
  static layerConfig(options: Config.Wrap<Configurable> = {}): Layer.Layer<Connecting, ConnectError | Config.ConfigError> {
    const connected = Effect.flatMap(configured(options), (merged) => make(merged))
    return Layer.provide(Layer.effect(Connecting, TaskImport.notForTasks(connected)), NodePlatform.layer)
  }

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
      return Client.layerConfig()
    })
    return Layer.unwrap(TaskImport.notForTasks(chosen))
  }
}
