/**
 * A directory that only this user can enter, for the cluster's sockets and the
 * workers' files; removed with all that is in it when the scope closes.
 *
 * Its name is short, for the path of a unix socket has 107 bytes at most.
 */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { ClusterError } from "@skein/protocol/Errors"

/** The directory's path. Fails where the temporary directory cannot be written. */
export const make: Effect.Effect<string, ClusterError, Scope.Scope> = Effect.acquireRelease(
  Effect.tryPromise({
    // mkdtemp makes directories of mode 0700.
    try: () => mkdtemp(join(tmpdir(), "skein-")),
    catch: (error) =>
      ClusterError.because("WorkersFailed", {
        detail: `No directory could be made in ${tmpdir()}: ${String(error)}. Set TMPDIR to a folder that this user may write.`
      })
  }),
  (path) => Effect.ignore(Effect.tryPromise(() => rm(path, { recursive: true, force: true })))
)

/** The path of a socket in the directory. */
export const socketIn = (directory: string, name: string): string => join(directory, `${name}.sock`)
