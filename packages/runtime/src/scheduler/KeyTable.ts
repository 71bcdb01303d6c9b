/**
 * Which key has which number.
 *
 * Inside, tasks are small integers, because a table of keys in the reducer's
 * state would cost it more than all its other work. So the shell keeps the
 * table, and gives an id back to be used again once the reducer has said
 * `Forgotten`.
 *
 * The table changes only in two places: where a submission is checked, and in the
 * step that has reduced a batch. So what a number means in a batch's commands is
 * what it meant in its events, though the commands leave later.
 *
 * Ids are given again in the order in which they came back, lowest unused number
 * last: the table depends on the order of events alone, and replaying the
 * journal rebuilds it.
 */
import * as IntSet from "@skein/core/persistent/IntSet"
import { makeOwner } from "@skein/core/persistent/Owner"
import type { Failure } from "@skein/protocol/Failure"
import type { CodeId, Key, Ref, TaskId } from "@skein/protocol/Ids"
import { refuse } from "./Violation.ts"

/** One key that was given an id: what the journal must remember beside the events. */
export interface Named {
  readonly id: TaskId
  readonly key: Key
  readonly code: CodeId
}

export interface KeyTable {
  /** The id of a key; draws one if it has none. `code`: what the task calls. */
  readonly idFor: (key: Key, code: CodeId) => TaskId
  /** The id of a key that somebody knows. */
  readonly idOf: (key: Key) => TaskId | undefined
  /** The key of an id that has not been given back. */
  readonly keyOf: (id: TaskId) => Key | undefined
  /** The code that an id was last named with. */
  readonly codeOf: (id: TaskId) => CodeId | undefined
  /** Frees the id of a forgotten task; one that is free already is left alone. */
  readonly forget: (id: TaskId) => void
  /** What follows belongs to one message, and `undo` makes it as if it had not come: a refused message leaves no names behind. */
  readonly begin: () => void
  readonly undo: () => void
  /** The names given since this was last asked, in order: to be journalled before the events that use them. */
  readonly takeNamed: () => ReadonlyArray<Named>
  /** Gives a key the id that it was given before: replay. */
  readonly restore: (named: Named) => void
  /** Keys that have an id. */
  readonly size: () => number
  /** All of it, to be compared. */
  readonly snapshot: () => {
    readonly keys: ReadonlyArray<readonly [Key, TaskId]>
    readonly free: ReadonlyArray<TaskId>
    /** The first number that was never given. */
    readonly next: number
  }
}

export const make = (): KeyTable => {
  const byKey = new Map<Key, TaskId>()
  const names: Array<Key | undefined> = []
  const called: Array<CodeId | undefined> = []
  const free = makeFifo<TaskId>()
  let named: Array<Named> = []
  /** Since `begin`: the ids drawn, and how many ids had ever been in use by then. */
  let drawn: Array<TaskId> = []
  let nextAtBegin = 0

  const bind = (id: TaskId, key: Key, code: CodeId): void => {
    byKey.set(key, id)
    names[id] = key
    called[id] = code
    named.push({ id, key, code })
  }
  /** The same key with another code: a conflict, or another life of it within one batch. */
  const rename = (id: TaskId, key: Key, code: CodeId): void => {
    if (called[id] === code) return
    called[id] = code
    named.push({ id, key, code })
  }
  const idFor = (key: Key, code: CodeId): TaskId => {
    const known = byKey.get(key)
    if (known !== undefined) {
      rename(known, key, code)
      return known
    }
    // The cast makes a number that this table alone hands out an id.
    const id = free.shift() ?? names.length as TaskId
    bind(id, key, code)
    drawn.push(id)
    return id
  }
  const unbind = (id: TaskId): boolean => {
    const key = names[id]
    if (key === undefined) return false
    byKey.delete(key)
    names[id] = undefined
    called[id] = undefined
    return true
  }
  return {
    idFor,
    idOf: (key) => byKey.get(key),
    keyOf: (id) => names[id],
    codeOf: (id) => called[id],
    forget: (id) => {
      if (unbind(id)) free.push(id)
    },
    begin: () => {
      if (drawn.length > 0) drawn = []
      nextAtBegin = names.length
    },
    undo: () => {
      const gone = new Set(drawn)
      for (const id of drawn.reverse()) {
        unbind(id)
        if (id < nextAtBegin) free.unshift(id)
      }
      names.length = nextAtBegin
      called.length = nextAtBegin
      drawn = []
      named = named.filter(({ id }) => !gone.has(id))
    },
    takeNamed: () => {
      // An empty list stays ours: names will be added to it.
      if (named.length === 0) return noNames
      const taken = named
      named = []
      return taken
    },
    restore: ({ code, id, key }) => {
      if (byKey.get(key) === id) rename(id, key, code)
      else {
        if (id < names.length) free.remove(id)
        bind(id, key, code)
      }
      named = []
    },
    size: () => byKey.size,
    snapshot: () => ({ keys: [...byKey].sort((a, b) => a[1] - b[1]), free: free.toArray(), next: names.length })
  }
}

const noNames: ReadonlyArray<Named> = []

/** Keys that one client may hold at once. */
export const REFS_PER_CLIENT = 1 << 23

/** What a client may not build on: another client's computation has its key, there was no room for its own, or nobody knows what it asked for. */
export interface Conflict {
  readonly failure: Extract<Failure, { readonly _tag: "Conflict" | "Refused" | "Unknown" }>
  /** The key in question, and what it calls here. Of a refusal it is not remembered: there may be very many when there is least room for them. */
  readonly origin: Key | undefined
  readonly originCode: CodeId | undefined
}

/** One client's numbers for the keys it holds. Numbers it does not hold are refused. */
export interface Refs {
  /** The client holds this key under this number; asking twice is asking once. */
  readonly hold: (ref: Ref, id: TaskId) => void
  /** The id under a number, or the conflict that it stands for. */
  readonly idOf: (ref: Ref) => TaskId | Conflict
  /** Its number for an id, if it holds that still. */
  readonly refOf: (id: TaskId) => Ref | undefined
  /** The client lets go; the id that it let go of, unless that was a conflict. */
  readonly release: (ref: Ref) => TaskId | undefined
  /** The client takes this number for a key that cannot be its own. */
  readonly holdConflict: (ref: Ref, conflict: Conflict) => void
  /** The client does not hold the key after all, and has not yet heard of it. */
  readonly conflict: (ref: Ref, conflict: Conflict) => void
  /** Whether the client has let go of this key and taken it again since the last batch was addressed. */
  readonly isHeldAnew: (id: TaskId) => boolean
  /** A batch has been addressed. */
  readonly addressed: () => void
  readonly size: () => number
}

export const makeRefs = (): Refs => {
  const byRef = new Map<Ref, TaskId | Conflict>()
  const byId = new Map<TaskId, Ref>()
  /** Numbers of keys that were refused, a bit each: they are never handed out, so that all edits may be in place. */
  let refused = IntSet.empty<Ref>()
  const owner = makeOwner()
  let noRoom: Conflict | undefined
  /** Since the last batch was addressed: what was let go of, and what of it was taken again. */
  const released = new Set<TaskId>()
  const anew = new Set<TaskId>()
  const idOf = (ref: Ref): TaskId | Conflict =>
    byRef.get(ref) ?? (isRefused(ref) ? noRoom : undefined) ?? refuse(`it names ${ref}, which it does not hold`)
  const isRefused = (ref: Ref): boolean => noRoom !== undefined && isSmall(ref) && IntSet.has(refused, ref)
  const forgetRefused = (ref: Ref): void => {
    if (isRefused(ref)) refused = IntSet.remove(refused, owner, ref)
  }
  const setConflict = (ref: Ref, conflict: Conflict): void => {
    if (conflict.failure._tag !== "Refused" || !isSmall(ref)) return void byRef.set(ref, conflict)
    byRef.delete(ref)
    refused = IntSet.add(refused, owner, ref)
    if (noRoom?.failure !== conflict.failure) noRoom = { failure: conflict.failure, origin: undefined, originCode: undefined }
  }
  const checkNew = (ref: Ref): void => {
    if (!isCount(ref)) refuse(`${ref} is no reference`)
    if (byRef.has(ref)) refuse(`it gave the reference ${ref} to a second key before it released the first`)
    if (byRef.size + IntSet.size(refused) >= REFS_PER_CLIENT) refuse(`it holds more than ${REFS_PER_CLIENT} keys`)
  }
  return {
    hold: (ref, id) => {
      const before = byRef.get(ref)
      if (before === id) return
      // A key that was another's may be this client's by now: it asks again under the number it has for it.
      if (typeof before === "object") byRef.delete(ref)
      forgetRefused(ref)
      checkNew(ref)
      if (byId.has(id)) refuse(`it holds one key under two references, ${byId.get(id)} and ${ref}`)
      byRef.set(ref, id)
      byId.set(id, ref)
      if (released.size > 0 && released.has(id)) anew.add(id)
    },
    holdConflict: (ref, conflict) => {
      if (typeof byRef.get(ref) === "object") byRef.delete(ref)
      forgetRefused(ref)
      checkNew(ref)
      setConflict(ref, conflict)
    },
    idOf,
    refOf: (id) => byId.get(id),
    release: (ref) => {
      const id = idOf(ref)
      byRef.delete(ref)
      forgetRefused(ref)
      if (typeof id !== "number") return undefined
      byId.delete(id)
      released.add(id)
      return id
    },
    isHeldAnew: (id) => anew.size > 0 && anew.has(id),
    addressed: () => {
      if (released.size > 0) released.clear()
      if (anew.size > 0) anew.clear()
    },
    conflict: (ref, conflict) => {
      const id = byRef.get(ref)
      if (typeof id === "number") byId.delete(id)
      setConflict(ref, conflict)
    },
    size: () => byRef.size + IntSet.size(refused)
  }
}

/** Whether a bit set takes it; clients count up from 0. */
const isSmall = (ref: Ref): boolean => ref < 2 ** 30

/** Whether a number from outside can be an id, a reference or a count at all: −1, 1.5, NaN and 2⁵³ cannot. */
export const isCount = (n: number): boolean => Number.isSafeInteger(n) && n >= 0

/** First in, first out, in constant time; `remove` searches, and is for replay. */
const makeFifo = <A>() => {
  let items: Array<A> = []
  let head = 0
  return {
    push: (item: A): void => {
      items.push(item)
    },
    shift: (): A | undefined => {
      if (head === items.length) return undefined
      const item = items[head++]
      if (head >= 1024 && head * 2 >= items.length) {
        items = items.slice(head)
        head = 0
      }
      return item
    },
    unshift: (item: A): void => {
      if (head === 0) items.unshift(item)
      else items[--head] = item
    },
    remove: (item: A): void => {
      const at = items.indexOf(item, head)
      if (at >= 0) items.splice(at, 1)
    },
    toArray: (): ReadonlyArray<A> => items.slice(head)
  }
}
