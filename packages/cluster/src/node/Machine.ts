/**
 * The machine this process runs on, for the defaults.
 */
import { availableParallelism } from "node:os"
import { pathToFileURL } from "node:url"
import type { Machine } from "../Options.ts"

/** This one. */
export const here = (): Machine => ({
  cores: availableParallelism(),
  folder: pathToFileURL(`${process.cwd()}/`).href
})
