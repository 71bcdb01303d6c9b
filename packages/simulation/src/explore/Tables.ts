/**
 * Tables that can be copied, in place of the product's, for worlds that are
 * copied at every step. A key always has the same id here: which ids are given
 * when is the product's table to show (reducers/Simulation.ts).
 */
import type { CodeId, Key, Ref, RunId, TaskId } from "@skein/protocol/Ids"
import type { Held } from "@skein/protocol/WorkerRpcs"
import type { Conflict, KeyTable, Named, Refs } from "@skein/runtime/scheduler/KeyTable"
import type { DataStore, Entry } from "@skein/runtime/worker/DataStore"
import { breaks } from "../reducers/World.ts"

/** Ids by the order of the keys. */
export class Keys implements KeyTable {
  private readonly all: ReadonlyArray<Key>
  private readonly known: Set<TaskId>

  constructor(all: ReadonlyArray<Key>, known: ReadonlySet<TaskId> = new Set()) {
    this.all = all
    this.known = new Set(known)
  }

  copy(): Keys {
    return new Keys(this.all, this.known)
  }

  idFor(key: Key, _code: CodeId): TaskId {
    const id = this.all.indexOf(key) as TaskId // the place of a key is its id
    this.known.add(id)
    return id
  }

  idOf(key: Key): TaskId | undefined {
    const id = this.all.indexOf(key) as TaskId // as above
    return this.known.has(id) ? id : undefined
  }

  keyOf(id: TaskId): Key | undefined {
    return this.known.has(id) ? this.all[id] : undefined
  }

  codeOf(): CodeId | undefined {
    return undefined
  }

  forget(id: TaskId): void {
    this.known.delete(id)
  }

  begin(): void {}

  undo(): void {
    breaks("the explorer refuses no message", "a submission was refused")
  }

  takeNamed(): ReadonlyArray<Named> {
    return []
  }

  restore(): void {
    breaks("the explorer replays no journal", "a name was restored")
  }

  size(): number {
    return this.known.size
  }

  snapshot() {
    return { keys: [], free: [], next: this.all.length }
  }
}

export class References implements Refs {
  private readonly byRef: Map<Ref, TaskId>
  private readonly byId: Map<TaskId, Ref>

  /** Since the last batch: released, and of that what is held anew. */
  private readonly released: Set<TaskId>
  private readonly anew: Set<TaskId>

  constructor(of?: References) {
    this.byRef = new Map(of?.byRef)
    this.byId = new Map(of?.byId)
    this.released = new Set(of?.released)
    this.anew = new Set(of?.anew)
  }

  copy(): References {
    return new References(this)
  }

  hold(ref: Ref, id: TaskId): void {
    this.byRef.set(ref, id)
    this.byId.set(id, ref)
    if (this.released.has(id)) this.anew.add(id)
  }

  isHeldAnew(id: TaskId): boolean {
    return this.anew.has(id)
  }

  addressed(): void {
    this.released.clear()
    this.anew.clear()
  }

  idOf(ref: Ref): TaskId | Conflict {
    return this.byRef.get(ref) ?? breaks("clients name what they hold", `reference ${ref}`)
  }

  refOf(id: TaskId): Ref | undefined {
    return this.byId.get(id)
  }

  release(ref: Ref): TaskId | undefined {
    const id = this.byRef.get(ref)
    this.byRef.delete(ref)
    if (id === undefined) return undefined
    this.byId.delete(id)
    this.released.add(id)
    return id
  }

  holdConflict(ref: Ref): void {
    breaks("equal tasks are no conflict", `reference ${ref}`)
  }

  conflict(ref: Ref): void {
    breaks("equal tasks are no conflict", `reference ${ref}`)
  }

  size(): number {
    return this.byRef.size
  }
}

export class Store implements DataStore {
  readonly entries: Map<TaskId, Entry>
  private age: number
  /** Follows from the session that the process has, so it makes no state another. */
  private offering: boolean

  constructor(entries: ReadonlyMap<TaskId, Entry> = new Map(), age = 0, offering = false) {
    this.entries = new Map(entries)
    this.age = age
    this.offering = offering
  }

  copy(): Store {
    return new Store(this.entries, this.age, this.offering)
  }

  generation(): number {
    return this.age
  }

  put(entry: Entry, begun: number): void {
    if (begun !== this.age) return
    const old = this.entries.get(entry.id)
    if (old === undefined || old.run <= entry.run) this.entries.set(entry.id, entry)
  }

  find(id: TaskId, run: RunId): Uint8Array | undefined {
    const entry = this.entries.get(id)
    return entry?.run === run ? entry.bytes : undefined
  }

  latest(id: TaskId): Uint8Array | undefined {
    return this.entries.get(id)?.bytes
  }

  drop(id: TaskId, run: RunId): void {
    if (this.entries.get(id)?.run === run) this.entries.delete(id)
  }

  isOffering(): boolean {
    return this.offering
  }

  offer() {
    this.offering = true
    return [...this.entries.values()].flatMap((entry) => entry.key === null ? [] : [{ ...entry, key: entry.key }])
  }

  adopt(kept: ReadonlyArray<{ readonly entry: Entry; readonly id: TaskId }>): ReadonlyArray<Held> {
    this.entries.clear()
    this.age++
    this.offering = false
    for (const { entry, id } of kept) this.entries.set(id, { ...entry, id })
    return [...this.entries.values()].map(({ bytes, id, run }) => ({ id, run, nbytes: bytes.length }))
  }

  managedBytes(): number {
    return [...this.entries.values()].reduce((sum, { bytes }) => sum + bytes.length, 0)
  }

  size(): number {
    return this.entries.size
  }
}
