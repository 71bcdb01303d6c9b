#!/usr/bin/env node
/**
 * The program `skein`.
 *
 * Its modules come from Node's cache of compiled code, in this user's cache
 * folder, as those of workers do: that halves what `skein --help` takes. So this
 * module loads nothing else before it has said so.
 */
// Not by its names: a Node that is too old has not all of them, and could not even say that it is.
import nodeModule from "node:module"
import { compileCache } from "@skein/runtime/node/caches"
import { tooOld } from "./nodeVersion.ts"

const refused = tooOld(process.versions.node)
if (refused !== undefined) {
  process.stderr.write(`${refused}\n`)
  process.exit(2)
}
nodeModule.enableCompileCache(compileCache())
await import("./program.ts")
