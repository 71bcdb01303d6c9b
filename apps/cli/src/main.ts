#!/usr/bin/env node
/**
 * The program `skein`.
 *
 * Its modules come from Node's cache of compiled code, in this user's cache
 * folder, as those of workers do: that halves what `skein --help` takes. So this
 * module loads nothing else before it has said so.
 */
import { enableCompileCache } from "node:module"
import { compileCache } from "@skein/runtime/node/caches"

enableCompileCache(compileCache())
await import("./program.ts")
