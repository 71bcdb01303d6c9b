/**
 * Where `import("name")` leads in functions that came as text: where it would in
 * this process's project, the folder it was started in. Node itself would look
 * where Skein lies.
 *
 * Threads must start quickly, so this file imports nothing of ours.
 */
import * as nodeModule from "node:module"
import { pathToFileURL } from "node:url"

/** Does so from now on, in this process or thread. */
export const install = (): void => {
  // A Node that has no such hooks (before 22.15) looks where Skein lies, which is often the same place.
  if (typeof nodeModule.registerHooks !== "function") return
  const project = pathToFileURL(`${process.cwd()}/`).href
  nodeModule.registerHooks({
    resolve: (specifier, context, next) => {
      if (context.parentURL === undefined || !texts.test(context.parentURL) || !isBare(specifier)) return next(specifier, context)
      try {
        return next(specifier, { ...context, parentURL: project })
      } catch {
        return next(specifier, context)
      }
    }
  })
}

/** Where texts become functions: LoadFunction.ts, or the image of it. */
const texts = /\/(LoadFunction\.[jt]s|skein-image\.cjs)$/

const isBare = (specifier: string): boolean => !/^(\.{0,2}\/|[a-z][a-z0-9+.-]*:)/i.test(specifier)
