/**
 * A directory that only this user can enter, for the cluster's sockets and the
 * workers' files; removed with all that is in it when the scope closes.
 *
 * An owner that is killed cannot remove it. So each directory says whose it is,
 * and the next cluster removes those of owners that are gone.
 *
 * Its name is short, for the path of a unix socket has 107 bytes at most.
 */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { ClusterError } from "@skein/protocol/Errors"
import { Directory } from "../Directory.ts"

/** The directory's path. Fails where the temporary directory cannot be written. */
export const make: Effect.Effect<string, ClusterError, Scope.Scope> = Effect.acquireRelease(
  Effect.tryPromise({
    try: async () => {
      await removeAbandoned()
      // mkdtemp makes directories of mode 0700.
      const path = await mkdtemp(join(tmpdir(), "skein-"))
      await writeFile(join(path, OWNER), String(process.pid), { mode: 0o600 })
      return path
    },
    catch: (error) =>
      ClusterError.because("WorkersFailed", {
        detail: `No directory could be made in ${tmpdir()}: ${String(error)}. Set TMPDIR to a folder that this user may write.`
      })
  }),
  (path) => Effect.ignore(Effect.tryPromise(() => rm(path, { recursive: true, force: true })))
)

/** On this machine. */
export const layer: Layer.Layer<Directory> = Layer.sync(Directory, () => Directory.of({ make }))

/** Holds the owner's process id. */
const OWNER = "owner"

/** Removes what killed owners left behind. What cannot be read or removed is another user's, and none of our business. */
const removeAbandoned = async (): Promise<void> => {
  const names = (await readdir(tmpdir())).filter((name) => /^skein-[A-Za-z0-9]{6}$/.test(name))
  await Promise.allSettled(names.map(async (name) => {
    const path = join(tmpdir(), name)
    const pid = Number(await readFile(join(path, OWNER), "utf8"))
    if (Number.isSafeInteger(pid) && pid > 0 && !isAlive(pid)) await rm(path, { recursive: true, force: true })
  }))
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // Somebody else's process is alive as well.
    return error instanceof Error && "code" in error && error.code === "EPERM"
  }
}
