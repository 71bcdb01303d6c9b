/**
 * The machine this process runs on, for the defaults.
 */
import { availableParallelism, networkInterfaces } from "node:os"
import { pathToFileURL } from "node:url"
import { machineBytes } from "@skein/runtime/node/NodeMemory"
import type { Machine } from "../Machine.ts"

/** This one. */
export const here = (): Machine => ({
  cores: availableParallelism(),
  memoryBytes: machineBytes(),
  interfaces: Object.fromEntries(Object.entries(networkInterfaces()).map(([name, addresses = []]) => [name, addresses.map(({ address }) => address)])),
  folder: pathToFileURL(`${process.cwd()}/`).href
})
