/**
 * A directory that only this user can enter, for the cluster's sockets and the
 * workers' files; removed with all that is in it when the scope closes.
 *
 * An owner that ends itself by `process.exit` removes it in its last moment. One
 * that is killed cannot. So each directory says whose it is, and the next cluster
 * removes those of owners that are gone.
 *
 * Its name is short, for the path of a unix socket has 107 bytes at most.
 */
import { readFileSync, rmSync } from "node:fs"
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { ClusterError } from "@skein/protocol/Errors"
import { Directory } from "../Directory.ts"
import { badOption } from "../Options.ts"

/** The directory's path. Fails where the temporary directory cannot be written. */
export const make: Effect.Effect<string, ClusterError, Scope.Scope> = Effect.acquireRelease(
  Effect.tryPromise({
    try: async () => {
      await removeAbandoned()
      // mkdtemp makes directories of mode 0700.
      const path = await mkdtemp(join(tmpdir(), "skein-"))
      await writeFile(join(path, OWNER), String(process.pid), { mode: 0o600 })
      return { path, release: atExit(() => rmSync(path, { recursive: true, force: true })) }
    },
    catch: (error) =>
      ClusterError.because("WorkersFailed", {
        detail: `No directory could be made in ${tmpdir()}: ${String(error)}. Set TMPDIR to a folder that this user may write.`
      })
  }),
  ({ path, release }) => Effect.andThen(Effect.ignore(Effect.tryPromise(() => rm(path, { recursive: true, force: true }))), Effect.sync(release))
).pipe(Effect.map(({ path }) => path))

/** Makes a directory unless it is there. */
export const ensure = (path: string): Effect.Effect<void, ClusterError> =>
  Effect.asVoid(Effect.tryPromise({
    try: () => mkdir(path, { recursive: true }),
    catch: (error) => badOption({ option: "localDirectory", why: `cannot be made: ${String(error)}` })
  }))

/** The file goes with the scope; what somebody else has written there since does not. */
export const keepFile = (path: string, text: string): Effect.Effect<void, ClusterError, Scope.Scope> =>
  Effect.asVoid(Effect.acquireRelease(
    Effect.tryPromise({
      try: async () => {
        // Beside it, so that it is there whole as soon as it is there; nobody can have opened it before its mode was set.
        const beside = `${path}.${process.pid}.new`
        await rm(beside, { force: true })
        await writeFile(beside, text, { mode: 0o600, flag: "wx" })
        await rename(beside, path)
        return atExit(() => {
          if (readFileSync(path, "utf8") === text) rmSync(path)
        })
      },
      catch: (error) => badOption({ option: "schedulerFile", why: `cannot be written: ${String(error)}` })
    }),
    (release) => Effect.andThen(
      Effect.ignore(Effect.tryPromise(async () => {
        if (await readFile(path, "utf8") === text) await rm(path)
      })),
      Effect.sync(release)
    )
  ))

/** On this machine. */
export const layer: Layer.Layer<Directory> = Layer.sync(Directory, () => Directory.of({ make, ensure, keepFile }))

/** What to remove when the process ends before its scopes do: one hook for all, for Node warns of many. */
const remaining = new Set<() => void>()
let isHooked = false

/** Has something removed when this process exits; returns how to take that back. */
const atExit = (remove: () => void): (() => void) => {
  remaining.add(remove)
  if (!isHooked) {
    isHooked = true
    process.once("exit", () => {
      for (const remove of remaining) {
        try {
          remove()
        } catch {
          // It has gone, or is not ours any more; there is nobody left to tell.
        }
      }
    })
  }
  return () => void remaining.delete(remove)
}

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
