/**
 * What lies in an image's folder.
 */
import { join } from "node:path"

/** What an image was made of, or was to be made of. */
export interface MadeOf {
  readonly files: ReadonlyArray<readonly [path: string, modifiedMs: number, bytes: number]>
  /** Why there is none. */
  readonly failed?: string
}

/** The image. `protocol/src/Task.ts` knows it by this name, for it stands in stacks. */
export const imageIn = (folder: string): string => join(folder, "skein-image.cjs")
/** `MadeOf`, as JSON; there once the image is. */
export const madeOfIn = (folder: string): string => join(folder, "made-of.json")
/** Holds the id of the process that is making it. */
export const makerIn = (folder: string): string => join(folder, "maker")
