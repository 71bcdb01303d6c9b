/**
 * What a worker needs to find the body of a task, and what follows from its definition.
 *
 * A function's text is sent if it says everything. Otherwise the worker must
 * know the function from a module; a function that has neither is refused here,
 * before anything is sent.
 */
import * as Result from "effect/Result"
import { BadOption, NotShippable } from "@skein/protocol/Errors"
import { type CodeDef, type CodeModule, digestOf, moduleIdOf } from "@skein/protocol/Code"
import { contractOf, fnEntry, isGeneric, returnsOf, sourceOf, type Task } from "@skein/protocol/Task"
import { type FnEntry, isAmbiguous } from "@skein/protocol/TaskRegistry"
import type { CheckedOptions } from "@skein/protocol/TaskOptions"
import { codecsOfFn, codecsOfTask, type ResultCodecs } from "@skein/protocol/TaskValues"
import { freeVariables } from "./freeVariables.ts"

/** All that is known of a task before its arguments are. */
export interface Code {
  readonly def: CodeDef
  readonly defaults: CheckedOptions
  readonly codecs: ResultCodecs
  /** The contract, whose payload is looked at; undefined for functions. */
  readonly contract: Task.Any | undefined
}

export interface CodeOptions {
  readonly sha256: (bytes: Uint8Array) => Uint8Array
  /** The name in the package.json of this folder, by URL; "" if it has none, undefined if there is no such file. */
  readonly packageAt: (folder: string) => string | undefined
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

const ofEntry = (entry: FnEntry, module: CodeModule | null, { sha256 }: CodeOptions): Found => {
  const own = ownTextOf(entry)
  // What travels under the name of a codec needs the codec there, which no text brings along.
  const text = own._tag === "Whole" && entry.success === undefined && entry.error === undefined ? own.text : null
  if (text === null && (module === null || isAmbiguous(entry))) return Result.fail(new NotShippable({ names: own._tag === "Whole" ? [] : own.names }))
  return Result.succeed({
    def: {
      digest: digestOf({ name: entry.name, module: module?.id ?? null, text: entry.text, version: 1 }, sha256),
      name: entry.name,
      kind: "function",
      text,
      module,
      moduleFirst: entry.moduleFirst,
      body: entry.returns,
      isolation: entry.defaults.isolation ?? isolationOf(entry.returns),
      version: 1
    },
    defaults: entry.defaults,
    codecs: codecsOfFn(entry),
    contract: undefined
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
    contract: task
  }
}

const ofFunction = (f: Function, { sha256 }: CodeOptions): Found => {
  const own = ownText(sourceOf(f), f.name)
  if (own._tag === "Partial") return Result.fail(new NotShippable({ names: own.names }))
  const name = f.name === "" ? "anonymous" : f.name
  const body = returnsOf(f)
  return Result.succeed({
    def: {
      digest: digestOf({ name, module: null, text: own.text, version: 1 }, sha256),
      name,
      kind: "function",
      text: own.text,
      module: null,
      moduleFirst: false,
      body,
      isolation: isolationOf(body),
      version: 1
    },
    defaults: {},
    codecs: {},
    contract: undefined
  })
}

/** To read a text takes up to milliseconds and depends on nothing else: clients of one program share what was found. */
const ownTextOf = (entry: FnEntry): OwnText => {
  const known = ownTexts.get(entry)
  if (known !== undefined) return known
  const own = ownText(entry.text)
  ownTexts.set(entry, own)
  return own
}
const ownTexts = new WeakMap<FnEntry, OwnText>()

const isolationOf = (body: CodeDef["body"]): CodeDef["isolation"] => body === "unknown" ? "thread" : "fiber"

/** A text that says everything of its function; or the names that it does not explain, none if it says nothing at all. */
type OwnText = { readonly _tag: "Whole"; readonly text: string } | { readonly _tag: "Partial"; readonly names: ReadonlyArray<string> }

/** `self`: the name by which a function may call itself. */
const ownText = (text: string, self = ""): OwnText => {
  if (isGeneric(text)) return { _tag: "Partial", names: [] }
  const free = freeVariables(text)
  if (free._tag === "Unreadable") return { _tag: "Partial", names: [`<its text cannot be read: ${free.detail}>`] }
  if (free.names.length === 0) return { _tag: "Whole", text }
  // `const f = (n) => … f(n - 1)`: its own name is all that it lacks, and is given to it.
  return free.names.length === 1 && free.names[0] === self
    ? { _tag: "Whole", text: `(() => { const ${self} = ${text}\nreturn ${self} })()` }
    : { _tag: "Partial", names: free.names }
}
