/**
 * Makes an image: `node main.ts [--wait] <folder> <entry> …`, entries being file URLs.
 *
 * Node itself finds the modules: it loads the entries as it always would, except
 * that it is given their import statements only, and what they have it resolve,
 * so that nothing of them runs.
 *
 * The image is put into the folder (image/files.ts), and then what it was made
 * of as `made-of.json`: the paths, times and sizes of all the files whose
 * change would change it. Where it cannot be made, that says why, so that nobody
 * tries again before something has changed. If another process is at it, this
 * one has nothing to do; with `--wait` it ends when that has ended.
 */
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs"
import { registerHooks, stripTypeScriptTypes } from "node:module"
import { dirname, join } from "node:path"
import { setTimeout } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { Script } from "node:vm"
import { imageIn, makerIn, type MadeOf, madeOfIn, preloadIn, untrainedIn } from "./files.ts"
import { siblingOf } from "../sibling.ts"
import { CannotLink, link, type Module, read, resolvedBy, specifiersOf } from "./link.ts"
import { preload } from "./preload.ts"

const waits = process.argv[2] === "--wait"
const [folder, ...entries] = process.argv.slice(waits ? 3 : 2)
if (folder === undefined || entries.length === 0) throw new Error("usage: node main.ts [--wait] <folder> <entry> …")

/** Whether nobody else is making it, or who was has died of it. */
const isMine = (): boolean => {
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      writeFileSync(makerIn(folder), String(process.pid), { flag: "wx", mode: 0o600 })
      return true
    } catch {
      try {
        process.kill(Number(readFileSync(makerIn(folder), "utf8")) || -1, 0)
        return false
      } catch {
        rmSync(makerIn(folder), { force: true })
      }
    }
  }
  return false
}

mkdirSync(folder, { recursive: true, mode: 0o700 })
const isMade = (): boolean => existsSync(madeOfIn(folder)) && statSync(madeOfIn(folder)).mtimeMs >= began
const began = Date.now()
while (!isMine()) {
  if (!waits) process.exit(0)
  await setTimeout(20)
  // Whoever was at it may have died before it was done.
  if (isMade()) process.exit(0)
}
process.on("exit", () => rmSync(makerIn(folder), { force: true }))

const modules: Array<Module & { readonly imports: Map<string, string> }> = []
const files = new Map<string, MadeOf["files"][number]>()

/** Before it is read: a change while this runs makes the image one that is out of date. */
const note = (path: string): void => {
  const { mtimeMs, size } = statSync(path)
  if (!files.has(path)) files.set(path, [path, mtimeMs, size])
}
const noteModule = (path: string): void => {
  note(path)
  // The package.json says what kind of module it is, and where its imports lead.
  for (let at = dirname(path); ; at = dirname(at)) {
    const description = join(at, "package.json")
    if (existsSync(description)) return note(description)
    if (at === dirname(at)) return
  }
}

/**
 * Makes an instance of each module that is not this process's own: what this file imports itself has been loaded, and would be loaded
 * no more. A child had to find those modules one by one, and to strip their types.
 */
const ANEW = "?skein-image"
/** By the URL of that instance. */
const of = new Map<string, Module & { readonly imports: Map<string, string> }>()
const hooks = registerHooks({
  resolve: (specifier, context, next) => {
    const found = next(specifier, context)
    of.get(context.parentURL ?? "")?.imports.set(specifier, found.url)
    if (!found.url.startsWith("file:")) return found
    noteModule(fileURLToPath(found.url))
    return { ...found, url: found.url + ANEW }
  },
  load: (anew, context, next) => {
    if (!anew.startsWith("file:")) return next(anew, context)
    const url = anew.slice(0, -ANEW.length)
    const { format, source } = next(url, context)
    if (format === "commonjs") return { format: "module", source: "", shortCircuit: true }
    if ((format !== "module" && format !== "module-typescript") || source === undefined || source === null) throw new CannotLink(`${url} is of the kind ${String(format)}`)
    const text = typeof source === "string" ? source : new TextDecoder().decode(source)
    const module = { url, ...read(format === "module" ? text : stripTypeScriptTypes(text)), imports: new Map<string, string>() }
    of.set(anew, module)
    modules.push(module)
    const imports = specifiersOf(module).map((specifier) => `import ${JSON.stringify(specifier)}`)
    const resolutions = resolvedBy(module).map((specifier) => `import.meta.resolve(${JSON.stringify(specifier)})`)
    return { format: "module", source: [...imports, ...resolutions].join("\n"), shortCircuit: true }
  }
})
const put = (path: string, text: string | Uint8Array): void => {
  const unfinished = `${path}.${process.pid}`
  writeFileSync(unfinished, text, { mode: 0o600 })
  renameSync(unfinished, path)
}
/** All images but this one, and the one before it, which children may be about to read. */
const removeOld = (hash: string): void => {
  const others = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory() && entry.name !== hash).map(({ name }) => join(folder, name))
  const byAge = others.map((path) => ({ path, madeMs: statSync(path).mtimeMs })).sort((a, b) => b.madeMs - a.madeMs)
  for (const { path } of byAge.slice(1)) rmSync(path, { recursive: true, force: true })
}

// A change of the linker is a change of what it makes.
for (const own of ["./main.ts", "./link.ts", "./preload.ts", "./files.ts"]) note(fileURLToPath(siblingOf(import.meta.url, own)))
let failed: string | undefined
try {
  for (const entry of entries) await import(entry)
  hooks.deregister()
  const image = link(modules)
  const hash = createHash("sha256").update(image).digest("hex").slice(0, 16)
  mkdirSync(join(folder, hash), { recursive: true, mode: 0o700 })
  put(imageIn(folder, hash), image)
  put(untrainedIn(folder, hash), new Script(image).createCachedData())
  put(preloadIn(folder), preload(hash, /^[\0-\x7f]*$/.test(image)))
  removeOld(hash)
} catch (error) {
  failed = error instanceof Error ? error.message : String(error)
}
put(madeOfIn(folder), JSON.stringify({ files: [...files.values()], ...(failed === undefined ? {} : { failed }) } satisfies MadeOf))
