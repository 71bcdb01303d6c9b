/**
 * Modules that are started by their place: threads, makers of images, batches of
 * simulations.
 *
 * In a checkout they are TypeScript, which Node runs as it is; in an installed
 * package they are what a compiler made of it, for Node strips no types below
 * node_modules. An import statement is rewritten by the compiler, a URL is not.
 */

/** The URL of the module at `path`, a relative one that ends in `.ts`, in the form in which `from`, an `import.meta.url`, is there itself. */
export const siblingOf = (from: string, path: string): URL => {
  const isBuilt = new URL(from).pathname.endsWith(".js")
  return new URL(isBuilt ? path.replace(/\.ts$/, ".js") : path, from)
}
