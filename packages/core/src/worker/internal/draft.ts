/**
 * One batch's edits, before they become the state.
 *
 * Records and containers are copied once a batch, when they are first written,
 * and changed in place after that (see persistent/Owner.ts). So a record is
 * written only through `own…`, and one that was read before may be stale after
 * anybody has written it: read late.
 */
import type { Millis, RunId, TaskId, WorkerId } from "@skein/protocol/Ids"
import * as IntSet from "../../persistent/IntSet.ts"
import { makeOwner, type Owner } from "../../persistent/Owner.ts"
import * as Ranked from "../../persistent/Ranked.ts"
import * as Recent from "../../persistent/Recent.ts"
import * as Vector from "../../persistent/Vector.ts"
import type { Command } from "../Command.ts"
import type { Event } from "../Event.ts"
import { type Entry, type Peer, type State, type Status, type StatusTag, type Task } from "../State.ts"

/** A record as the batch that owns it sees it. */
export type Owned<Record> = { -readonly [Field in keyof Record]: Record[Field] }

export class Draft {
  /** The next state, to be written field by field. */
  readonly next: Owned<State>
  readonly owner: Owner = makeOwner()
  readonly #commands: Array<Command> = []
  readonly #counts: Record<StatusTag, number>
  /** The time of the present event, and its tag: the cause of all that is logged. */
  at: Millis = 0
  #cause: Event["_tag"] = "Started"
  /** Records whose place may have to change. */
  readonly #touched: Array<TaskId> = []
  /** The earliest deadline that the present event has set. */
  #deadline = Infinity

  constructor(state: State) {
    this.#counts = { ...state.counts }
    this.next = { ...state, counts: this.#counts }
  }

  begin(event: Event): void {
    this.at = event.at
    this.#cause = event._tag
    this.#deadline = Infinity
  }

  /** Asks to be woken for the deadlines of this event, if not sooner anyway. */
  end(): void {
    if (this.#deadline >= (this.next.wakeAt ?? Infinity)) return
    this.next.wakeAt = this.#deadline
    this.send({ _tag: "Wake", at: this.#deadline })
  }

  done(): { readonly state: State; readonly commands: ReadonlyArray<Command> } {
    return { state: this.next, commands: this.#commands }
  }

  send(command: Command): void {
    this.#commands.push(command)
  }

  /** Something is to happen at `at` if nothing else does before. */
  wakeBy(at: Millis): void {
    if (at < this.#deadline) this.#deadline = at
  }

  /** Something about this task has changed that may move it: `settle` will look (see routing.ts). */
  touch(id: TaskId): void {
    this.#touched.push(id)
  }

  /** One that was touched, the last first; undefined if there is none left. */
  takeTouched(): TaskId | undefined {
    return this.#touched.pop()
  }

  /** To be read, and not kept. */
  task(id: TaskId): Task | undefined {
    return Vector.get(this.next.tasks, id)
  }

  /** The record of this task as it is now, to be written: `task` may have been read before others wrote it. */
  own(task: Task): Owned<Task> {
    if (task.owner === this.owner) return task
    const current = this.task(task.id) ?? task
    if (current.owner === this.owner) return current
    const owned: Owned<Task> = { ...current, owner: this.owner }
    this.next.tasks = Vector.set(this.next.tasks, this.owner, owned.id, owned)
    return owned
  }

  /** A new record, of which nothing is known but its run. */
  addTask(id: TaskId, run: RunId, nbytes: number): Owned<Task> {
    const task: Owned<Task> = {
      id,
      run,
      status: released,
      assignment: undefined,
      dependents: IntSet.empty(),
      whoHas: IntSet.empty(),
      nbytes,
      urgency: leastUrgent,
      owner: this.owner
    }
    this.next.tasks = Vector.set(this.next.tasks, this.owner, id, task)
    this.#counts.Released++
    return task
  }

  /** The record goes. */
  forgetTask(task: Task): void {
    this.#log(task, "Forgotten")
    this.#counts[task.status._tag]--
    this.next.tasks = Vector.remove(this.next.tasks, this.owner, task.id)
  }

  /** The one place where a status gives way to another: counted, and logged with its cause. */
  setStatus(task: Owned<Task>, status: Status): void {
    this.#log(task, status._tag)
    this.#counts[task.status._tag]--
    this.#counts[status._tag]++
    if (IntSet.size(this.next.timed) > 0 && status._tag !== "Executing" && status._tag !== "LongRunning") {
      this.next.timed = IntSet.remove(this.next.timed, this.owner, task.id)
    }
    task.status = status
  }

  /** The peer, to be written; made if it is not known. */
  ownPeer(id: WorkerId): Owned<Peer> {
    const peer = Vector.get(this.next.peers, id)
    if (peer !== undefined && peer.owner === this.owner) return peer
    const owned: Owned<Peer> = peer !== undefined ? { ...peer, owner: this.owner } : {
      id,
      has: IntSet.empty(),
      wanted: Ranked.empty(),
      flying: IntSet.empty(),
      busyUntil: undefined,
      owner: this.owner
    }
    this.next.peers = Vector.set(this.next.peers, this.owner, id, owned)
    return owned
  }

  #log(task: Task, to: Entry["to"]): void {
    const entry: Entry = { at: this.at, id: task.id, run: task.run, from: task.status._tag, to, cause: this.#cause }
    this.next.log = Recent.add(this.next.log, this.owner, entry)
  }
}

/** The status of a record that is about to get another, or to go. */
export const released: Status = { _tag: "Released" }

const leastUrgent: Ranked.Position = { priority: -Infinity, rank: 0 }
