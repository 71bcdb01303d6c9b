/**
 * What modules are called, as clients and workers find out: from files that no
 * run changes, so they are read once.
 */
import * as Code from "@skein/protocol/Code"
import { packageAt as read } from "@skein/runtime/worker/node/NodeModules"

const packages = new Map<string, string | undefined>()
const ids = new Map<string, string>()

/** The name in a folder's package.json, "" if it has none; undefined if there is no such file. */
export const packageAt = (folder: string): string | undefined => {
  if (!packages.has(folder)) packages.set(folder, read(folder))
  return packages.get(folder)
}

/** The name of the module at this URL on every machine. */
export const moduleIdOf = (url: string): string => {
  const known = ids.get(url)
  if (known !== undefined) return known
  const id = Code.moduleIdOf(url, packageAt)
  ids.set(url, id)
  return id
}
