/**
 * Modules as Node finds them: files, imported once in a process.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { readFileSync } from "node:fs"
import { moduleIdOf } from "@skein/protocol/Code"
import { learnExports } from "@skein/protocol/Portable"
import { ModuleFailed, Modules } from "../Code.ts"
import { importModule } from "../LoadFunction.ts"

export const layer: Layer.Layer<Modules> = Layer.sync(Modules, () => {
  const ids = new Map<string, string>()
  return Modules.of({
    load: (url) =>
      Effect.callback((resume) => {
        importModule(url).then((exports) => {
          learnExports(exports)
          resume(Effect.succeed(exports))
        }, (cause: unknown) => resume(new ModuleFailed({ url, cause })))
      }),
    idOf: (url) => {
      const known = ids.get(url)
      if (known !== undefined) return known
      const id = moduleIdOf(url, packageAt)
      ids.set(url, id)
      return id
    }
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
