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
/**
 * What modules of tasks import, from `skein` and from `effect` as a whole. A worker needs half of it itself; to find, load and compile
 * the rest took it twice as long as all else that its start takes.
 */
const forTasks: ReadonlyArray<string> = [import.meta.resolve("effect"), import.meta.resolve("@skein/client"), import.meta.resolve("@skein/cluster")]
/** All of them: they share most of their modules, and so one image of them. */
export const all: ReadonlyArray<string> = [scheduler, worker, ...forTasks]
