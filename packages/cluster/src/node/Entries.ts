/**
 * The modules that child processes run.
 *
 * Found by their place in the runtime package and not imported: each is a
 * program, and starts as one.
 */

/** A file URL. */
export const scheduler: string = import.meta.resolve("@skein/runtime/scheduler/main")
/** A file URL. */
export const worker: string = import.meta.resolve("@skein/runtime/worker/main")
/** Both: they share most of their modules, and so one image of them. */
export const all: ReadonlyArray<string> = [scheduler, worker]
