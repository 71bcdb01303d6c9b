/**
 * The image of what children run: their modules in one file, which Node preloads
 * (image/link.ts says how and why). Children are up in a third of the time.
 *
 * It is made beside the first cluster that finds none, for the next one, as soon
 * as that is up: before, it would take its share of the processor, however low its
 * priority, for Linux weighs priorities only within a session. It is made again
 * when any file it was made of has changed: all of them are looked at before each
 * use, so it cannot be out of date, and nobody has to build anything. It lies in
 * the user's own cache, for code in a shared directory could be anybody's, and may
 * be removed at any time. Without one children load their modules one by one,
 * which is slower, and the same otherwise.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs"
import { constants, setPriority } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import { cacheFolder, compileCache } from "./caches.ts"
import { type MadeOf, madeOfIn, preloadIn } from "./image/files.ts"
import { siblingOf } from "./sibling.ts"

/** Images kept: of this many sets of entries, versions of Node and checkouts. */
const KEPT = 8
/**
 * The path of the script that preloads an up-to-date image of these entries, file URLs. Undefined if there is none; if it cannot be
 * made, that is written to the log; or if none is wanted: `SKEIN_IMAGE=off` is for those who debug, and with coverage each module
 * counts for itself.
 */
export const find = (entries: ReadonlyArray<string>): Effect.Effect<string | undefined> =>
  Effect.suspend(() => {
    if (!isWanted()) return Effect.undefined
    const folder = folderOf(entries)
    const madeOf = upToDate(folder)
    if (madeOf?.failed === undefined) return Effect.succeed(madeOf === undefined ? undefined : preloadIn(folder))
    return Effect.as(Effect.logWarning(`processes start slower than they could: no image of their modules can be made: ${madeOf.failed}`), undefined)
  })

/** Has an image made where one is missing, by a process of the lowest priority that ends within seconds, whoever has asked for it. */
export const makeBeside = (entries: ReadonlyArray<string>): void => {
  const folder = folderOf(entries)
  if (isWanted() && upToDate(folder) === undefined) beside(startMaker(folder, entries, true))
}

const isWanted = (): boolean => process.env["SKEIN_IMAGE"] !== "off" && process.env["NODE_V8_COVERAGE"] === undefined

/** Makes an image unless it is there, and waits for it: for those who measure, or count processes, and want no other beside. */
export const make = (entries: ReadonlyArray<string>): Effect.Effect<string | undefined> =>
  Effect.suspend(() => isWanted() && upToDate(folderOf(entries)) === undefined ? making(entries) : Effect.void).pipe(Effect.andThen(Effect.suspend(() => find(entries))))

const making = (entries: ReadonlyArray<string>): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    const maker = startMaker(folderOf(entries), entries, false)
    maker.once("error", () => resume(Effect.void))
    maker.once("exit", () => resume(Effect.void))
    return Effect.sync(() => void maker.kill("SIGKILL"))
  })

const imagesFolder = (): string => join(cacheFolder(), "images")

const folderOf = (entries: ReadonlyArray<string>): string =>
  join(imagesFolder(), createHash("sha256").update(JSON.stringify([process.version, entries])).digest("hex").slice(0, 16))

/** It takes a second, in which nobody should have to wait. One that cannot be started is as good as none. */
const startMaker = (folder: string, entries: ReadonlyArray<string>, detached: boolean): ChildProcess => {
  removeOldest(imagesFolder())
  const maker = spawn(process.execPath, ["--no-warnings", fileURLToPath(siblingOf(import.meta.url, "./image/main.ts")), ...(detached ? [] : ["--wait"]), folder, ...entries], {
    detached,
    stdio: "ignore",
    env: { ...process.env, NODE_COMPILE_CACHE: compileCache() }
  })
  return maker.on("error", () => {})
}

/** Lets it run when nobody else wants to, and keeps nobody alive for it. */
const beside = (maker: ChildProcess): void => {
  maker.unref()
  try {
    if (maker.pid !== undefined) setPriority(maker.pid, constants.priority.PRIORITY_LOW)
  } catch {
    // It has ended already.
  }
}

/** What the image in this folder was made of, or would have been, if all of that is as it was. */
const upToDate = (folder: string): MadeOf | undefined => {
  try {
    const madeOf = JSON.parse(readFileSync(madeOfIn(folder), "utf8")) as MadeOf // written by image/main.ts; nonsense throws
    const same = madeOf.files.every(([path, modifiedMs, bytes]) => {
      const found = statSync(path, { throwIfNoEntry: false })
      return found !== undefined && found.mtimeMs === modifiedMs && found.size === bytes
    })
    return same && (madeOf.failed !== undefined || existsSync(preloadIn(folder))) ? madeOf : undefined
  } catch {
    return undefined
  }
}

const removeOldest = (images: string): void => {
  try {
    // One more is about to come.
    const folders = readdirSync(images).map((name) => join(images, name))
    const byAge = folders.map((folder) => ({ folder, madeMs: statSync(folder).mtimeMs })).sort((a, b) => b.madeMs - a.madeMs)
    for (const { folder } of byAge.slice(KEPT - 1)) rmSync(folder, { recursive: true, force: true })
  } catch {
    // There are none yet, or somebody else is tidying up.
  }
}
