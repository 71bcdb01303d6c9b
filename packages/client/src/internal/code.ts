/**
 * What a worker needs to find the body of a task, and what follows from its definition.
 *
 * A function's text is sent if it says everything. Otherwise the worker must
 * know the function from a module; a function that has neither is refused here,
 * before anything is sent.
 */
import * as Result from "effect/Result"
import { BadOption, NotShippable } from "@skein/protocol/Errors"
import { CODE_LIMIT, type CodeDef, type CodeModule, digestOf, moduleIdOf } from "@skein/protocol/Code"
import { contractOf, fnEntry, isGeneric, isNative, returnsOf, sourceOf, type Task } from "@skein/protocol/Task"
import { type FnEntry, isAmbiguous } from "@skein/protocol/TaskRegistry"
import type { CheckedOptions } from "@skein/protocol/TaskOptions"
import { codecsOfFn, codecsOfTask, type ResultCodecs } from "@skein/protocol/TaskValues"
import * as Value from "@skein/protocol/Value"
import type { FunctionSource } from "../Platform.ts"
import { frameOf } from "./codeFrame.ts"
import { type Free, freeVariables, type Kind } from "./freeVariables.ts"

/** All that is known of a task before its arguments are. */
export interface Code {
  readonly def: CodeDef
  readonly defaults: CheckedOptions
  readonly codecs: ResultCodecs
  /** The contract, whose payload is looked at; undefined for functions. */
  readonly contract: Task.Any | undefined
  /** What it needs is built in the worker's own process: it cannot have a thread. */
  readonly fiberOnly: boolean
}

export interface CodeOptions {
  readonly sha256: (bytes: Uint8Array) => Uint8Array
  /** The name in the package.json of this folder, by URL; "" if it has none, undefined if there is no such file. */
  readonly packageAt: (folder: string) => string | undefined
  /** Where a function stands; asked only about one that is refused. @default nobody knows */
  readonly sourceOf?: ((f: Function) => FunctionSource | undefined) | undefined
}

type Found = Result.Result<Code, NotShippable | BadOption>

/** Looks each task up once: the analysis of its text takes tens of microseconds. */
export const makeCodes = (options: CodeOptions): (task: object) => Found => {
  const known = new WeakMap<object, Found>()
  /** Functions written inside a loop are made anew each time, with the same text. */
  const byText = new Map<string, Found>()
  const ofText = (f: Function): Found => {
    const identity = JSON.stringify([f.name, sourceOf(f)])
    const found = byText.get(identity) ?? ofFunction(f, options)
    if (byText.size < TEXTS_KEPT) byText.set(identity, found)
    return found
  }
  const modules = new Map<string, CodeModule>()
  const moduleOf = (url: string | null): CodeModule | null => {
    if (url === null) return null
    const found = modules.get(url) ?? { id: moduleIdOf(url, options.packageAt), url }
    if (modules.size < MODULES_KEPT) modules.set(url, found)
    return found
  }
  return (task) => {
    // Of two functions made by one, each may become ambiguous when the other is made, so an entry is asked every time.
    const entry = fnEntry(task)
    const before = known.get(task)
    if (before !== undefined && (entry === undefined || Result.isFailure(before) || before.success.def.text !== null || !isAmbiguous(entry))) return before
    const found = entry !== undefined
      ? ofEntry(entry, moduleOf(entry.module), options)
      : contractOf(task) !== undefined
      ? Result.succeed(ofContract(task as Task.Any, options))
      : typeof task === "function"
      ? ofText(task)
      : Result.fail(new BadOption({ option: "task", expected: "a function, a task made by Task.fn, or one made by Task.make" }))
    known.set(task, found)
    return found
  }
}

/** A program that is one module has one; a hostile number of them is looked up anew each time. */
const MODULES_KEPT = 10_000
/** Texts that were analysed; from then on new ones are analysed each time. */
const TEXTS_KEPT = 10_000

const ofEntry = (entry: FnEntry, module: CodeModule | null, options: CodeOptions): Found => {
  const own = ownTextOf(entry)
  const captured = capturedNames(entry)
  // A module that the task was made in knows better what its name is there.
  const missing = own.names.filter(({ name }) => !captured.has(name) && !(module === null && name === entry.name))
  // What travels under the name of a codec needs the codec there, and services need their layer: no text brings these along.
  const bringsAll = entry.success === undefined && entry.error === undefined && entry.services === undefined
  const text = own.why === undefined && missing.length === 0 && bringsAll && entry.text.length <= CODE_LIMIT ? entry.text : null
  if (isUnfit(own)) return refused(entry.body, own, missing, options, entry.name)
  if (text === null && module === null) return refused(entry.body, own.why === undefined && missing.length === 0 ? { ...own, why: "needs a module" } : own, missing, options, entry.name)
  if (text === null && isAmbiguous(entry)) return refused(entry.body, { ...own, why: "one of several" }, missing, options, entry.name)
  return Result.succeed({
    def: {
      digest: digestOf({ name: entry.name, module: module?.id ?? null, text: entry.text, version: 1, captures: entry.captures }, options.sha256),
      name: entry.name,
      kind: "function",
      text,
      ...(text === null || entry.captures === undefined ? {} : { captures: entry.captures }),
      module,
      moduleFirst: entry.moduleFirst,
      body: entry.returns,
      isolation: entry.defaults.isolation ?? isolationOf(entry.returns),
      version: 1
    },
    defaults: entry.defaults,
    codecs: codecsOfFn(entry),
    contract: undefined,
    fiberOnly: entry.services !== undefined
  })
}

const ofContract = (task: Task.Any, { sha256 }: CodeOptions): Code => {
  const { defaults, version } = contractOf(task)!
  return {
    def: {
      digest: digestOf({ name: task.name, module: null, text: "contract", version }, sha256),
      name: task.name,
      kind: "contract",
      text: null,
      module: null,
      moduleFirst: false,
      body: "effect",
      isolation: defaults.isolation ?? "fiber",
      version
    },
    defaults,
    codecs: codecsOfTask(task),
    contract: task,
    fiberOnly: true
  }
}

const ofFunction = (f: Function, options: CodeOptions): Found => {
  const text = sourceOf(f)
  const own = ownText(f, text)
  // `const f = (n) => … f(n - 1)`: its own name is all that it lacks, and a worker gives it that.
  const missing = own.names.filter(({ name }) => name !== f.name)
  if (own.why !== undefined || missing.length > 0 || isUnfit(own)) return refused(f, own, missing, options)
  if (text.length > CODE_LIMIT) return Result.fail(new BadOption({ option: "task", expected: `a function of ${CODE_LIMIT >> 20} MiB of text at most` }))
  const name = f.name === "" ? "anonymous" : f.name
  const body = returnsOf(f)
  return Result.succeed({
    def: {
      digest: digestOf({ name, module: null, text, version: 1 }, options.sha256),
      name,
      kind: "function",
      text,
      module: null,
      moduleFirst: false,
      body,
      isolation: isolationOf(body),
      version: 1
    },
    defaults: {},
    codecs: {},
    contract: undefined,
    fiberOnly: false
  })
}

const isolationOf = (body: CodeDef["body"]): CodeDef["isolation"] => body === "unknown" ? "thread" : "fiber"

/** What a text says of its function: the names it takes from outside. `why`: it says nothing at all, or not enough, for this reason. */
interface OwnText {
  readonly why: NonNullable<NotShippable["why"]> | undefined
  readonly names: ReadonlyArray<Free>
  readonly kind: Kind
  readonly detail?: string
}

/** To read a text takes up to milliseconds and depends on nothing else: clients of one program share what was found. */
const ownTextOf = (entry: FnEntry): OwnText => {
  const known = ownTexts.get(entry)
  if (known !== undefined) return known
  const own = ownText(entry.body, entry.text)
  ownTexts.set(entry, own)
  return own
}
const ownTexts = new WeakMap<FnEntry, OwnText>()

const ownText = (f: Function, text: string): OwnText => {
  const nothing = (why: OwnText["why"], detail?: string): OwnText => ({ why, names: [], kind: "function", ...(detail === undefined ? {} : { detail }) })
  if (isNative(text)) return nothing(f.name.startsWith("bound ") ? "bound" : "built in")
  if (isGeneric(text)) return nothing("same text")
  const free = freeVariables(text)
  return free._tag === "Unreadable" ? nothing("unreadable", free.detail) : { why: undefined, names: free.names, kind: free.kind }
}

/** What cannot be called by a worker, wherever that finds it. An arrow's `this` is its module's, which there is. */
const isUnfit = ({ kind, names }: OwnText): boolean => kind === "class" || kind === "generator" || kind === "accessor" || (kind === "function" && names.some(({ name }) => name === "this" || name === "super"))

/** The names of the values that go with the text. */
const capturedNames = ({ captures }: FnEntry): ReadonlySet<string> =>
  // They were encoded when the task was made; what class they are of does not matter here.
  captures === undefined ? noNames : new Set(Object.keys(Result.getOrThrow(Value.decode(captures, { named: (_, encoded) => encoded })) as object))
const noNames: ReadonlySet<string> = new Set()

const refused = (f: Function, { detail, kind, why }: OwnText, names: ReadonlyArray<Free>, options: CodeOptions, task = f.name): Found => {
  const unfit = kind === "class" || kind === "generator" || kind === "accessor" ? kind : why
  const source = unfit === undefined || unfit === "one of several" ? options.sourceOf?.(f) : undefined
  return Result.fail(new NotShippable({
    names: names.map(({ name }) => name),
    ...(unfit === undefined ? {} : { why: unfit }),
    ...(detail === undefined ? {} : { detail }),
    ...(task === "" ? {} : { task }),
    ...(source === undefined ? {} : { frame: frameOf(source, sourceOf(f), names) })
  }))
}
