/**
 * The tasks of a client without a cluster: what has become of each, and who holds
 * it or needs it.
 *
 * A task starts as soon as its dependencies are there. A result stays as long as
 * somebody holds it or a task that is not done needs it; a failed one as long, so
 * that it can be computed again.
 *
 * What spreads over a graph goes by lists and not by calls, for a chain may be
 * longer than the stack.
 */
import type * as Fiber from "effect/Fiber"
import { type ClientReport, DATA_NAME, type TaskStatus } from "@skein/protocol/ClientRpcs"
import type { CodeDef } from "@skein/protocol/Code"
import type { Failure } from "@skein/protocol/Failure"
import type { SubmittedTask } from "@skein/protocol/Graph"
import type { Key, Ref, RunId, TaskId, WorkerId } from "@skein/protocol/Ids"
import type { Terms } from "@skein/protocol/Terms"

export interface InlineTask {
  readonly key: Key
  readonly id: TaskId
  /** Of the task that is run; undefined for data. */
  readonly code: { readonly def: CodeDef; readonly row: SubmittedTask; readonly terms: Terms | undefined } | undefined
  readonly dependencies: ReadonlyArray<InlineTask>
  /** Those that are not done. */
  readonly dependents: Set<InlineTask>
  readonly holders: Set<Ref>
  /** Holders that hear how far it is. */
  readonly watchers: Set<Ref>
  /** To be computed though nobody may hold it. */
  detached: boolean
  status: Extract<TaskStatus, "waiting" | "processing" | "memory" | "erred">
  value: Uint8Array | undefined
  /** `by`: the task that failed first. */
  failed: { readonly failure: Failure; readonly by: InlineTask } | undefined
  fiber: Fiber.Fiber<void> | undefined
}

// There is one of each here.
export const theRun = 0 as RunId
export const theWorker = 0 as WorkerId

export const nameOf = ({ code }: InlineTask): string => code?.def.name ?? DATA_NAME

export interface TasksOptions {
  readonly report: (segments: ReadonlyArray<ClientReport>) => void
  /** Runs it, and tells its end by `inMemory` or `erred`, unless it is interrupted. */
  readonly run: (task: InlineTask) => Fiber.Fiber<void>
}

export class InlineTasks {
  private readonly options: TasksOptions
  private readonly byKey = new Map<Key, InlineTask>()
  private readonly byId = new Map<TaskId, InlineTask>()
  private readonly byRef = new Map<Ref, InlineTask>()
  private ids = 0

  constructor(options: TasksOptions) {
    this.options = options
  }

  get all(): ReadonlyArray<InlineTask> {
    return [...this.byId.values()]
  }

  get refs(): ReadonlyArray<Ref> {
    return [...this.byRef.keys()]
  }

  at(ref: Ref): InlineTask | undefined {
    return this.byRef.get(ref)
  }

  find(key: Key): InlineTask | undefined {
    return this.byKey.get(key)
  }

  /** New tasks, dependencies before dependents; of keys that are known already only the reference is new. */
  submit(rows: Iterable<{ readonly ref: Ref; readonly key: Key; readonly code: NonNullable<InlineTask["code"]> }>): void {
    const added: Array<InlineTask> = []
    for (const { code, key, ref } of rows) {
      const known = this.byKey.get(key)
      if (known !== undefined) {
        this.hold(known, ref)
        this.tell(known, [ref])
        continue
      }
      // The client names only what it has submitted and holds.
      const task = this.add(key, code, code.row.dependencies.map((dependency) => this.byRef.get(dependency)!))
      this.hold(task, ref)
      added.push(task)
    }
    for (const task of added) {
      const failed = task.dependencies.find((dependency) => dependency.failed !== undefined)?.failed
      if (failed !== undefined && task.status === "waiting") this.erred(task, failed)
    }
    this.start(added)
  }

  /** Data, whose value is there already or is to be put; the reference is one more holder. */
  data(key: Key, ref: Ref): InlineTask {
    const task = this.byKey.get(key) ?? this.add(key, undefined, [])
    this.hold(task, ref)
    if (task.value !== undefined) this.tell(task, [ref])
    return task
  }

  put(id: number, value: Uint8Array): void {
    // The cast says that only ids of ours are told to whoever puts.
    const task = this.byId.get(id as TaskId)
    if (task !== undefined && task.value === undefined) this.inMemory(task, value)
  }

  /** One more holder of a key, if it is known. */
  want(ref: Ref, key: Key): void {
    const task = this.byKey.get(key)
    if (task === undefined) return this.options.report([{ _tag: "Erred", rows: [{ ref, failure: { _tag: "Unknown" }, origin: key, originTask: "" }] }])
    this.hold(task, ref)
    this.tell(task, [ref])
  }

  release(ref: Ref): void {
    const task = this.byRef.get(ref)
    this.byRef.delete(ref)
    task?.holders.delete(ref)
    task?.watchers.delete(ref)
    if (task !== undefined) this.dropUnless(task)
  }

  detach(ref: Ref): void {
    const task = this.byRef.get(ref)
    if (task?.status === "waiting" || task?.status === "processing") task.detached = true
  }

  /** Computes what failed of these, and what had failed before it, again; of all others it is told how they are. */
  retry(refs: ReadonlyArray<Ref>): void {
    for (const task of refs.flatMap((ref) => this.byRef.get(ref) ?? [])) {
      if (task.status === "erred") this.again(task)
      else this.tell(task)
    }
    this.start(this.byId.values())
  }

  inMemory(task: InlineTask, value: Uint8Array): void {
    task.status = "memory"
    task.value = value
    this.tell(task)
    this.start([...task.dependents])
    for (const dependency of task.dependencies) this.letGo(dependency, task)
    this.over(task)
  }

  /** Those that wait for it fail with it. */
  erred(task: InlineTask, failed: NonNullable<InlineTask["failed"]>): void {
    const failing = new Set([task])
    // Grows while it is gone through.
    for (const one of failing) {
      one.status = "erred"
      one.failed = failed
      this.tell(one)
      for (const dependent of one.dependents) if (dependent.status === "waiting") failing.add(dependent)
    }
    for (const one of [...failing].reverse()) this.over(one)
  }

  private add(key: Key, code: InlineTask["code"], dependencies: ReadonlyArray<InlineTask>): InlineTask {
    const task: InlineTask = {
      key,
      // The cast makes a number that this counter alone hands out an id.
      id: this.ids++ as TaskId,
      code,
      dependencies,
      dependents: new Set(),
      holders: new Set(),
      watchers: new Set(),
      detached: false,
      status: "waiting",
      value: undefined,
      failed: undefined,
      fiber: undefined
    }
    this.byKey.set(key, task)
    this.byId.set(task.id, task)
    for (const dependency of dependencies) dependency.dependents.add(task)
    return task
  }

  private hold(task: InlineTask, ref: Ref): void {
    task.holders.add(ref)
    this.byRef.set(ref, task)
  }

  /** Starts those that can, the most urgent first. */
  private start(tasks: Iterable<InlineTask>): void {
    const ready = [...tasks].filter((task) => task.status === "waiting" && task.code !== undefined && task.dependencies.every(({ value }) => value !== undefined))
    for (const task of ready.sort((a, b) => priorityOf(b) - priorityOf(a))) {
      task.status = "processing"
      task.fiber = this.options.run(task)
    }
  }

  private tell(task: InlineTask, refs: Iterable<Ref> = task.holders): void {
    const all = [...refs]
    if (all.length === 0) return
    const { failed, id, value } = task
    if (value !== undefined) {
      this.options.report([{ _tag: "InMemory", rows: all.map((ref) => ({ ref, id, run: theRun, nbytes: value.length, worker: theWorker, value })) }])
    } else if (failed !== undefined) {
      const { by, failure } = failed
      this.options.report([{ _tag: "Erred", rows: all.map((ref) => ({ ref, failure, origin: by.key, originTask: nameOf(by) })) }])
    } else {
      this.options.report([{ _tag: "Pending", refs: all }])
    }
  }

  private again(task: InlineTask): void {
    const near = new Set([task])
    // Grows while it is gone through.
    for (const one of near) {
      if (one.status !== "erred" || one.code === undefined) continue
      one.status = "waiting"
      one.failed = undefined
      this.tell(one)
      for (const dependency of one.dependencies) near.add(dependency)
      for (const dependent of one.dependents) near.add(dependent)
    }
  }

  private over(task: InlineTask): void {
    task.detached = false
    task.fiber = undefined
    this.dropUnless(task)
  }

  private letGo(task: InlineTask, dependent: InlineTask): void {
    task.dependents.delete(dependent)
    this.dropUnless(task)
  }

  /** Forgets it, and ends what runs of it, unless somebody holds or needs it. */
  private dropUnless(task: InlineTask): void {
    const rest = [task]
    for (let one = rest.pop(); one !== undefined; one = rest.pop()) {
      if (one.holders.size > 0 || one.dependents.size > 0 || one.detached || !this.byId.delete(one.id)) continue
      this.byKey.delete(one.key)
      one.fiber?.interruptUnsafe()
      for (const dependency of one.dependencies) {
        dependency.dependents.delete(one)
        rest.push(dependency)
      }
    }
  }
}

const priorityOf = ({ code }: InlineTask): number => code?.row.priority ?? 0
