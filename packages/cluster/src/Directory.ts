/**
 * A directory for the cluster's sockets and the workers' files.
 *
 * A service, for a simulated cluster has no files; the real one is
 * node/PrivateDirectory.ts.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ClusterError } from "@skein/protocol/Errors"

export class Directory extends Context.Service<Directory, {
  /** The path of a new one, which goes with the scope and all that is in it. */
  readonly make: Effect.Effect<string, ClusterError, Scope.Scope>
  /** Makes the directory of this path, and those above it, unless it is there. It stays. */
  readonly ensure: (path: string) => Effect.Effect<void, ClusterError>
  /** Writes a file at once or not at all, for this user's eyes only; it goes with the scope, unless somebody has written another there. */
  readonly keepFile: (path: string, text: string) => Effect.Effect<void, ClusterError, Scope.Scope>
}>()("@skein/cluster/Directory") {}

/** The path of a socket in the directory. */
export const socketIn = (directory: string, name: string): string => `${directory}/${name}.sock`
