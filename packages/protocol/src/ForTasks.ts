/**
 * Whether this process or thread is a worker's, where a program's modules are
 * imported for their tasks and for nothing else (see TaskImport.ts).
 *
 * Said by the programs that workers' processes and threads are, before they
 * import anything of the user's. Threads must start quickly, so this file imports
 * nothing.
 */

/** One for the whole process or thread, however many copies of this module it has. */
const place = Symbol.for("skein/ForTasks/1")
const held = globalThis as { [place]?: boolean }

/** From here on modules are imported for their tasks only. */
export const begin = (): void => {
  held[place] = true
}

export const isForTasks = (): boolean => held[place] === true
