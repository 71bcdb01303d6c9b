/**
 * Where code that has been made of sources is kept. In the home directory, for
 * code in a shared one could be anybody's.
 *
 * Apart from all that uses it: a program may ask before it loads anything else.
 */
import { homedir } from "node:os"
import { join } from "node:path"

/** The folder of this user's, of which everything may be removed at any time. */
export const cacheFolder = (): string => join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "skein")

/**
 * The folder of compiled sources, unless the environment says so itself: without types to strip and code to compile children are up
 * in a quarter of the time.
 */
export const compileCache = (): string => process.env["NODE_COMPILE_CACHE"] ?? join(cacheFolder(), "compile-cache")
