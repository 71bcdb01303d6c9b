/**
 * What lies in an image's folder.
 *
 *   preload.cjs                 what Node preloads; it names the image it is for
 *   <its hash>/skein-image.cjs  the image
 *   <its hash>/scheduler.code   V8's code of it, as far as such a child had used it (image/preload.ts)
 *   <its hash>/untrained.code   the same before anything had been used
 *   made-of.json                what the image was made of
 *
 * A folder for each image, because children of an older one may be starting
 * while the next is put there.
 */
import { join } from "node:path"

/** What an image was made of, or was to be made of. */
export interface MadeOf {
  readonly files: ReadonlyArray<readonly [path: string, modifiedMs: number, bytes: number]>
  /** Why there is none. */
  readonly failed?: string
}

/** The script that Node preloads. */
export const preloadIn = (folder: string): string => join(folder, "preload.cjs")
/** The image with this hash. `protocol/src/Task.ts` knows it by this name, for it stands in stacks. */
export const imageIn = (folder: string, hash: string): string => join(folder, hash, "skein-image.cjs")
/** V8's code of it, as the first child of each kind finds it. */
export const untrainedIn = (folder: string, hash: string): string => join(folder, hash, "untrained.code")
/** `MadeOf`, as JSON; there once the image is. */
export const madeOfIn = (folder: string): string => join(folder, "made-of.json")
/** Holds the id of the process that is making it. */
export const makerIn = (folder: string): string => join(folder, "maker")
