/**
 * All tasks of this process: what `Task.fn` and `Task.make` have made.
 *
 * A worker that imports a module finds its tasks here as soon as each is made,
 * and need not wait for the end of the import, which may never come: a file that
 * defines tasks and then starts a cluster is also the module of its tasks.
 *
 * There is one registry for each process, not for each copy of this package, so
 * that two copies agree. It is bounded: a program that makes tasks without end
 * loses the oldest, and a worker then finds them by their text or not at all.
 */
import * as Base64 from "effect/encoding/Base64"
import type * as Layer from "effect/Layer"
import type * as Schema from "effect/Schema"
import type { CheckedOptions } from "./TaskOptions.ts"

/** How values of a task travel. */
export type Codec = Schema.Codec<any, any>

/** One task made by `Task.fn`. */
export interface FnEntry {
  readonly name: string
  readonly body: (...args: ReadonlyArray<any>) => unknown
  /** The body's source, as the language gives it. */
  readonly text: string
  /** URL of the module that the task named, or else of the one it was made in; null if that is not known. */
  readonly module: string | null
  /** The task itself named the module. */
  readonly moduleFirst: boolean
  /** What is known of the body without running it. */
  readonly returns: "effect" | "async" | "unknown"
  readonly defaults: CheckedOptions
  /** A record of the values that go with the text, encoded; undefined if it captures none. */
  readonly captures: Uint8Array | undefined
  /** What the body finds around it, built once for each worker. */
  readonly services: Layer.Layer<never, unknown> | undefined
  readonly success: Codec | undefined
  readonly error: Codec | undefined
}

/** Tasks, and codecs, that are remembered at most. */
export const TASKS_KEPT = 10_000

interface State {
  readonly entries: Set<FnEntry>
  readonly codecs: Map<string, Codec>
  readonly listeners: Set<(entry: FnEntry) => void>
  /** By name, module, text and captures: the first body of that identity. */
  readonly bodies: Map<string, FnEntry["body"]>
  readonly ambiguous: Set<string>
}

/** The version in the name changes when the state's shape does: copies that differ must not share. */
const place = Symbol.for("skein/TaskRegistry/2")
const state: State = ((globalThis as { [place]?: State })[place] ??= {
  entries: new Set(),
  codecs: new Map(),
  listeners: new Set(),
  bodies: new Map(),
  ambiguous: new Set()
})

/** All that are remembered, oldest first. */
export const entries = (): Iterable<FnEntry> => state.entries

/** Hears of every task made from now on. Returns what ends that. */
export const onRegistered = (listener: (entry: FnEntry) => void): () => void => {
  state.listeners.add(listener)
  return () => {
    state.listeners.delete(listener)
  }
}

/** Remembers a task. */
export const register = (entry: FnEntry): void => {
  state.entries.add(entry)
  trim(state.entries)
  const identity = identityOf(entry)
  const first = state.bodies.get(identity)
  if (first === undefined) state.bodies.set(identity, entry.body)
  else if (first !== entry.body) state.ambiguous.add(identity)
  trim(state.bodies)
  for (const listener of state.listeners) listener(entry)
}

/**
 * Whether another task has the same name, module, text and captures and yet another
 * body: both were made by one function, and differ in what that closed over. By
 * identity a worker could take one for the other.
 */
export const isAmbiguous = (entry: FnEntry): boolean => state.ambiguous.has(identityOf(entry))

/** Remembers a codec under the name that what it writes travels under. */
export const registerCodec = (name: string, codec: Codec): void => {
  state.codecs.set(name, codec)
  trim(state.codecs)
}

/** The codec of this name, if its task is known in this process. */
export const codec = (name: string): Codec | undefined => state.codecs.get(name)

const identityOf = ({ captures, module, name, text }: FnEntry): string =>
  JSON.stringify([name, module, text, ...(captures === undefined ? [] : [Base64.encode(captures)])])

/** Sets and maps keep the order in which things were added. */
const trim = (kept: { readonly size: number; keys(): Iterable<unknown>; delete(key: any): boolean }): void => {
  if (kept.size <= TASKS_KEPT) return
  for (const oldest of kept.keys()) {
    kept.delete(oldest)
    return
  }
}
