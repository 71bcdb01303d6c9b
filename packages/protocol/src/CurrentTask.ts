/**
 * The task that runs in this place of the program, for bodies that have no
 * context to read: plain and async functions.
 *
 * Who runs a body says so for the time of its call. Without further help that
 * reaches to the body's first `await`; what remembers it beyond that is the
 * platform's (Node's `AsyncLocalStorage`), and is put in place by the programs
 * that run there, threads among them. So this file imports nothing.
 */

/** The web's `AbortSignal`, wherever the program knows such a type. */
export type Signal = typeof globalThis extends { readonly AbortSignal: { readonly prototype: infer S } } ? S : { readonly aborted: boolean }

/** How far a body says that it is. */
export interface ProgressSaid {
  /** In whatever it counts. */
  readonly done: number
  /** Of how many; undefined: it does not know. */
  readonly total: number | undefined
  /** In words, `NOTE_LIMIT` characters at most; "" for none. */
  readonly note: string
}

/** Characters of a note that are kept. */
const NOTE_LIMIT = 200

/**
 * What a body says, as it travels; of a note that is too long, its beginning. Throws what the body then fails with, if it is not what
 * the types say: not all bodies were checked by a compiler, and what could not travel would hurt the worker.
 */
export const progressSaid = (done: number, total: number | undefined, note = ""): ProgressSaid => {
  if (typeof done !== "number" || (total !== undefined && typeof total !== "number") || typeof note !== "string") {
    throw new TypeError("progress takes two numbers and a text, such as progress(3, 10, \"reading\")")
  }
  return { done, total, note: note.slice(0, NOTE_LIMIT) }
}

/** What a body can know of its own task, and say of it. */
export interface CurrentTask {
  readonly key: string
  /** 1 for the first attempt. */
  readonly attempt: number
  /** The worker's name. */
  readonly worker: string
  /** Aborted when the task is cancelled, has run for too long, or is interrupted for another reason. A thread is ended instead, so there it never is. */
  readonly signal: Signal
  /**
   * Says how far it is, to whoever watches `future.progress`. Costs next to nothing, so it may be said at every step: the latest is
   * sent a few times a second, and the last before the task ends.
   */
  progress(done: number, total?: number, note?: string): void
}

/** Remembers which task runs where. */
export interface Keeper {
  /** Calls `f`; what it calls, and as far as the keeper can tell what follows from it later, is of this task. */
  readonly run: <A>(task: CurrentTask, f: () => A) => A
  readonly get: () => CurrentTask | undefined
}

const makeKeeper = (): Keeper => {
  let current: CurrentTask | undefined
  return {
    run: (task, f) => {
      const before = current
      current = task
      try {
        return f()
      } finally {
        current = before
      }
    },
    get: () => current
  }
}

/** One for the whole process or thread, however many copies of this module it has. The version in the name changes when the shape does. */
const place = Symbol.for("skein/CurrentTask/1")
const held = globalThis as { [place]?: Keeper }

/** Has a better one remember from now on. */
export const keepWith = (keeper: Keeper): void => {
  held[place] = keeper
}

/** Calls a body as this task. */
export const runAs = <A>(task: CurrentTask, f: () => A): A => (held[place] ??= makeKeeper()).run(task, f)

/** The running task; undefined outside of bodies. */
export const current = (): CurrentTask | undefined => held[place]?.get()
