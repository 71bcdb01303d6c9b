/**
 * Modules as Node finds them: files, imported once in a process.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { existsSync, readFileSync } from "node:fs"
import { pathToFileURL } from "node:url"
import { type CodeModule, moduleIdOf } from "@skein/protocol/Code"
import * as Watchdog from "../../node/Watchdog.ts"
import { importModule } from "../LoadFunction.ts"
import { ModuleFailed, Modules } from "../Modules.ts"

/** Of a process: what clients name is looked for where it is started. */
export const layer: Layer.Layer<Modules> = Layer.suspend(() => layerIn(pathToFileURL(`${process.cwd()}/`)))

/** Of one that is started in `project`, a folder. */
export const layerIn = (project: URL): Layer.Layer<Modules> => Layer.sync(Modules, () => {
  const ids = new Map<string, string>()
  const idOf = (url: string): string => {
    const known = ids.get(url)
    if (known !== undefined) return known
    const id = moduleIdOf(url, packageAt)
    ids.set(url, id)
    return id
  }
  return Modules.of({
    load: (url) =>
      Effect.callback((resume) => {
        // Its first statements may go on for ever.
        Watchdog.watchFromOutside()
        importModule(url).then((exports) => resume(Effect.succeed(exports)), (cause: unknown) => resume(failed(url, cause)))
      }),
    idOf,
    locate: (module) => isFile(module.url) && idOf(module.url) === module.id ? module.url : inPackages(module, project)
  })
})

/** The name in a folder's package.json, "" if it has none; undefined if there is no such file. */
export const packageAt = (folder: string): string | undefined => {
  try {
    const parsed: unknown = JSON.parse(readFileSync(new URL("package.json", folder), "utf8"))
    const name = typeof parsed === "object" && parsed !== null && "name" in parsed ? parsed.name : undefined
    return typeof name === "string" ? name : ""
  } catch {
    return undefined
  }
}

/** The module's file in its package: that is the project itself, or a folder around it, or installed in one of these. */
const inPackages = ({ id }: CodeModule, from: URL): string | undefined => {
  const [name, path] = partsOf(id)
  if (name === "") return undefined
  for (let folder = from;; folder = new URL("..", folder)) {
    if (packageAt(folder.href) === name) {
      const url = new URL(path, folder).href
      if (isFile(url)) return url
    }
    const installed = new URL(`node_modules/${name}/${path}`, folder).href
    if (isFile(installed)) return installed
    if (folder.pathname === "/" || new URL("..", folder).href === folder.href) return undefined
  }
}

/** `@scope/name/src/tasks.ts` → its package, and the path in it. */
const partsOf = (id: string): readonly [name: string, path: string] => {
  const found = /^((?:@[^/]+\/)?[^/]+)\/(.+)$/.exec(id)
  return found === null ? ["", id] : [found[1]!, found[2]!]
}

const isFile = (url: string): boolean => {
  try {
    return existsSync(new URL(url.replace(/[?#].*$/, "")))
  } catch {
    return false
  }
}

const failed = (url: string, cause: unknown): ModuleFailed => {
  if (!(cause instanceof Error) || !("code" in cause) || cause.code !== "ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX") return new ModuleFailed({ url, cause })
  // The first line of its stack is where: a path, and a line.
  const place = /^(\S.*:\d+)$/m.exec(cause.stack ?? "")?.[1] ?? url
  return new ModuleFailed({ url, cause, unsupported: { place, syntax: cause.message } })
}
