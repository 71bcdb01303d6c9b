/**
 * The script that Node preloads in a child: it runs the image.
 *
 * Not the image itself, because then Node would compile it, and Node keeps V8's
 * code of a script as it is right after that: without any function that has
 * been called since. Each child would compile those anew, a third of what its
 * start takes. So the first child of a kind that has an image keeps V8's code of
 * it, after its first seconds or at its end: from then on all of its kind have
 * it. Kinds differ in what they call; they are told apart by the names of their
 * folders.
 */

/** How old a child is when it keeps the code: it has long been up, and V8 has not yet begun to throw away what is no longer called. */
const KEEP_AFTER_MS = 5_000

/** The script, for the image at `<hash>/skein-image.cjs` below the script's own folder. */
export const preload = (hash: string, isAscii: boolean): string => `"use strict";
// Made by @skein/runtime/node/image; may be removed at any time.
(function () {
  const { readFileSync, renameSync, writeFileSync } = require("node:fs")
  const { basename, dirname, join } = require("node:path")
  const { Script, constants } = require("node:vm")
  const { isMainThread } = require("node:worker_threads")
  const read = (path, encoding) => {
    try {
      return readFileSync(path, encoding)
    } catch {
      // Not there yet; or the user has emptied the cache.
    }
  }
  const filename = join(__dirname, ${JSON.stringify(hash)}, "skein-image.cjs")
  // Ends of lines are as they are; of letters beyond ASCII each would take two bytes.
  const source = read(filename, ${JSON.stringify(isAscii ? "latin1" : "utf8")})
  if (source === undefined) return
  const codeFile = join(dirname(filename), basename(dirname(process.argv[1] ?? "")) + ".code")
  const trained = read(codeFile)
  const cachedData = trained ?? read(join(dirname(filename), "untrained.code"))
  // What it imports while it runs, and what the texts of tasks do, comes as in any module. Node calls that experimental, to the user, when
  // it first happens in a process: so it happens here, where nobody listens.
  const options = { filename, importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER }
  const { emitWarning } = process
  process.emitWarning = () => {}
  void new Script("import('node:fs')", options).runInThisContext()
  process.emitWarning = emitWarning
  const script = new Script(source, { ...options, cachedData })
  script.runInThisContext()(require("node:module"))
  if (!isMainThread || (trained !== undefined && script.cachedDataRejected === false)) return
  const keep = () => {
    clearTimeout(later)
    process.off("exit", keep)
    try {
      writeFileSync(codeFile + "." + process.pid, script.createCachedData(), { mode: 0o600 })
      renameSync(codeFile + "." + process.pid, codeFile)
    } catch {
      // The disk is full, or somebody has emptied the cache: the next child may have more luck.
    }
  }
  const later = setTimeout(keep, ${KEEP_AFTER_MS}).unref()
  process.on("exit", keep)
}())
`
