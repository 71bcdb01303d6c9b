/**
 * From a digest to the function that a worker runs.
 *
 * In this order: what this worker has found under the digest before; the tasks
 * that the modules it imports have made; the function's own source text, if
 * that says everything; the task of the same name and module but another text,
 * with a warning. Contracts are found by name and version among the layers
 * that those modules export, each built once and held until the worker ends.
 *
 * A digest is of name, module and text together, and is computed anew here from
 * whatever is about to be run: all bodies made by `Effect.fn` share one text, so
 * nothing less tells two of them apart; and a text is run only under the digest
 * that is its own.
 *
 * A task is known as soon as it is made: the end of its module's import is not
 * waited for, because it may never come (the file that defines the tasks may
 * also be the one that starts the cluster). Only who asks for code that is not
 * there yet waits, and not for ever.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { type CodeDef, digestOf } from "@skein/protocol/Code"
import { type Handler, handlersIn } from "@skein/protocol/Task"
import * as Registry from "@skein/protocol/TaskRegistry"
import { Hashing } from "@skein/transport/Hashing"
import * as Body from "./Body.ts"
import { fromText } from "./LoadFunction.ts"
import * as TaskClients from "./TaskClients.ts"

/** How modules are found and imported; the real one is node/NodeModules.ts. */
export class Modules extends Context.Service<Modules, {
  /** The exports of the module at this URL. May never complete. */
  readonly load: (url: string) => Effect.Effect<Readonly<Record<string, unknown>>, ModuleFailed>
  /** The name of the module at this URL on every machine; see `moduleIdOf`. */
  readonly idOf: (url: string) => string
}>()("@skein/runtime/worker/Modules") {}

/** A module of the worker's `tasks` could not be imported. */
export class ModuleFailed extends Schema.TaggedError<ModuleFailed>()("ModuleFailed", {
  url: Schema.String,
  cause: Schema.Defect()
}) {
  override get message() {
    return `The module ${this.url} could not be imported: ${String(this.cause)}`
  }
}

/** The worker did not find the code of a task. */
export class CodeUnknown extends Schema.TaggedError<CodeUnknown>()("CodeUnknown", {
  task: Schema.String,
  worker: Schema.String,
  /** What was tried, in words. */
  detail: Schema.String
}) {
  override get message() {
    return `SKEIN1002 no code for task "${this.task}" on worker ${this.worker}\n  ${this.detail}\n` +
      "  fix  name the module that exports it in `tasks` of the cluster, the same version of it as the client's"
  }
}

export interface Code {
  /** The body that belongs to this definition. An `Exit` once it is known: then there is nothing to wait for. */
  readonly body: (def: CodeDef) => Effect.Effect<Body.Body, CodeUnknown>
  /**
   * The definition as a thread is to read it, an `Exit` once it is known: with `moduleFirst` it is the task of this text made by this very module, else it is
   * what its text says.
   */
  readonly forThread: (def: CodeDef) => Effect.Effect<CodeDef, CodeUnknown>
  /** Completes when all modules and layers have come, or have had their time. */
  readonly settled: Effect.Effect<void>
}

export interface Options {
  /** The worker's name, for errors. */
  readonly worker: string
  /** URLs of modules to import. */
  readonly tasks: ReadonlyArray<string>
  /** Contracts from this process; for workers that are fibers of it. */
  readonly layer?: Layer.Layer<never, unknown> | undefined
  /** Whether source text is taken. */
  readonly allow: "any" | "modules-only"
  /** How long code that is not there yet is waited for while modules are being imported, in milliseconds. @default 10000 */
  readonly waitMs?: number
  /** What layers find around them. @default no client */
  readonly client?: TaskClients.TaskClient | undefined
  /** Puts something in the place of a body that was found; a simulation models tasks so. @default nothing */
  readonly around?: Around | undefined
}

/** What is run in the place of a body. */
export type Around = (body: Body.Body, def: CodeDef) => Body.Body

/** Bodies that are remembered by digest, at most; the oldest are found anew. */
const KEPT = 4_096

/** Begins to import the modules, and finds code from then on. Layers and imports end with the scope. */
export const make = Effect.fnUntraced(function*(options: Options): Effect.fn.Return<Code, never, Hashing | Modules | Scope.Scope> {
  const hashing = yield* Hashing
  const modules = yield* Modules
  const arriving = yield* makeArriving(options, modules)
  const bodies = new Map<string, Body.Body>()
  const threadDefs = new Map<string, CodeDef>()
  /** Digests for which a namesake was found, and which the log does not know yet. */
  const differing = new Set<string>()

  /** The task of this identity that a module has made. */
  const registered = (def: CodeDef): Registry.FnEntry | undefined => {
    for (const entry of Registry.entries()) {
      if (entry.name !== def.name) continue
      // The same file is the same module, whatever the client could find out about its package.
      const module = entry.module === null ? null : entry.module === def.module?.url ? def.module.id : modules.idOf(entry.module)
      if (digestOf({ name: entry.name, module, text: entry.text, version: def.version }, hashing.sha256) === def.digest) return entry
    }
    return undefined
  }
  /**
   * The one task of this name that this very module has made, of whatever text: the client's copy was compiled in another way (a
   * test runner rewrites imports), or is of another version. It is run, for it is what the program names, and the log says so.
   */
  const namesake = (def: CodeDef): Registry.FnEntry | undefined => {
    const { module } = def
    if (module === null) return undefined
    const found = new Map<Registry.FnEntry["body"], Registry.FnEntry>()
    for (const entry of Registry.entries()) {
      if (entry.name === def.name && entry.module !== null && (entry.module === module.url || modules.idOf(entry.module) === module.id)) {
        found.set(entry.body, entry)
      }
    }
    if (found.size !== 1) return undefined
    differing.add(def.digest)
    return [...found.values()][0]
  }
  /** Says once what `namesake` found. */
  const warn = (def: CodeDef): Effect.Effect<void> =>
    Effect.suspend(() =>
      differing.delete(def.digest)
        ? Effect.logWarning(
          `worker ${options.worker}: the text of task "${def.name}" in ${def.module?.id} is not the client's; this worker runs its own. ` +
            "That is as it should be if a tool such as vitest compiled the client's; otherwise give both the same version of the file"
        )
        : Effect.void
    )
  /** What is wrong with the text, if anything. */
  const textProblem = (def: CodeDef): string | undefined => {
    if (options.allow === "modules-only") return "it is in none of this worker's modules, and source text is refused (`code: \"modules-only\"`)"
    if (def.text === null) return `it is in none of this worker's modules (${options.tasks.join(", ") || "there are none"}), and its text does not say everything`
    const digest = digestOf({ name: def.name, module: def.module?.id ?? null, text: def.text, version: def.version }, hashing.sha256)
    return digest === def.digest ? undefined : "its source text is not what its digest says"
  }
  const unknown = (def: CodeDef, detail: string) => new CodeUnknown({ task: def.name, worker: options.worker, detail })

  const keep = (def: CodeDef, found: Body.Body): Result.Result<Body.Body> =>
    Result.succeed(remember(bodies, def.digest, options.around === undefined ? found : options.around(found, def)))

  const findFunction = (def: CodeDef): Result.Result<Body.Body, CodeUnknown> => {
    const entry = registered(def)
    if (entry !== undefined) return keep(def, Body.ofTask(entry))
    const problem = textProblem(def)
    if (problem !== undefined || def.text === null) {
      const other = namesake(def)
      return other === undefined
        ? Result.fail(unknown(def, problem ?? "it has no text"))
        : keep(def, Body.ofTask(other))
    }
    try {
      return keep(def, Body.ofFunction(fromText(def.text)))
    } catch (thrown) {
      return Result.fail(unknown(def, String(thrown)))
    }
  }
  const findContract = (def: CodeDef): Result.Result<Body.Body, CodeUnknown> => {
    const handlers = arriving.handlers().filter(({ task }) => task.name === def.name)
    const handler = handlers.find(({ version }) => version === def.version)
    if (handler !== undefined) return keep(def, Body.ofHandler(handler))
    const versions = handlers.map(({ version }) => `version ${version}`)
    return Result.fail(unknown(def, `it knows ${versions.length === 0 ? "no layer" : versions.join(" and ")} of the contract, not version ${def.version}`))
  }
  const findForThread = (def: CodeDef): Result.Result<CodeDef, CodeUnknown> => {
    if (def.kind === "contract") return Result.fail(unknown(def, "a contract's layer is built in the worker's process, so `isolation: \"thread\"` cannot be had"))
    const own = registered(def)
    const problem = textProblem(def)
    const entry = own ?? (problem === undefined ? undefined : namesake(def))
    // Text starts a thread faster than a module with all that it imports; only a codec needs the module.
    if (problem === undefined && def.text !== null && entry?.success === undefined && entry?.error === undefined) {
      return Result.succeed(remember(threadDefs, def.digest, { ...def, moduleFirst: false }))
    }
    if (entry !== undefined && entry.module !== null) {
      const module = { id: modules.idOf(entry.module), url: entry.module }
      return Result.succeed(remember(threadDefs, def.digest, { ...def, text: entry.text, module, moduleFirst: true }))
    }
    return Result.fail(unknown(def, problem ?? "nobody knows which module it is in"))
  }

  return {
    body: (def) => {
      const known = bodies.get(def.digest)
      if (known !== undefined) return Exit.succeed(known)
      return Effect.tap(arriving.until(() => def.kind === "contract" ? findContract(def) : findFunction(def)), () => warn(def))
    },
    forThread: (def) => {
      const known = threadDefs.get(def.digest)
      return known !== undefined ? Exit.succeed(known) : Effect.tap(arriving.until(() => findForThread(def)), () => warn(def))
    },
    settled: Effect.ignore(arriving.until(() => Result.fail(new CodeUnknown({ task: "", worker: options.worker, detail: "" }))))
  }
})

const remember = <A>(kept: Map<string, A>, digest: string, found: A): A => {
  kept.set(digest, found)
  if (kept.size > KEPT) kept.delete(kept.keys().next().value!)
  return found
}

/** What modules and layers bring, while they come. */
interface Arriving {
  readonly handlers: () => ReadonlyArray<Handler>
  /** Tries now, and again whenever something has arrived, until that succeeds or nothing more is to come. */
  readonly until: <A>(find: () => Result.Result<A, CodeUnknown>) => Effect.Effect<A, CodeUnknown>
}

const makeArriving = Effect.fnUntraced(function*(options: Options, modules: Modules["Service"]) {
  const scope = yield* Effect.scope
  const memo = yield* Layer.makeMemoMap
  const handlers: Array<Handler> = []
  /** Imports and layers that have not ended. */
  let pending = 0
  /** Opened, and replaced, at every arrival. */
  let arrival = Latch.makeUnsafe(false)
  const arrived = () => {
    const latch = arrival
    arrival = Latch.makeUnsafe(false)
    latch.openUnsafe()
  }
  yield* Effect.acquireRelease(Effect.sync(() => Registry.onRegistered(arrived)), (forget) => Effect.sync(forget))

  /** Runs beside the worker; that it fails is no reason for the worker to end, but for the tasks that need it. */
  const bring = (what: string, effect: Effect.Effect<void, unknown>) =>
    Effect.suspend(() => {
      pending++
      return effect.pipe(
        Effect.catchCause((cause) => Effect.logWarning(`worker ${options.worker}: ${what} could not be loaded; tasks that need it will fail`, cause)),
        Effect.ensuring(Effect.sync(() => {
          pending--
          arrived()
        })),
        Effect.forkIn(scope),
        Effect.asVoid
      )
    })
  const build = (layer: Layer.Layer<never, unknown>) =>
    TaskClients.provideTo(Layer.buildWithMemoMap(layer, memo, scope), options.client ?? TaskClients.none).pipe(
      // What else such a layer gives is of no use here, but its handlers are taken from among it.
      Effect.map((context) => handlers.push(...handlersIn(context as Context.Context<never>))),
      Effect.asVoid
    )
  const importAll = (url: string) =>
    Effect.flatMap(modules.load(url), (exports) =>
      Effect.forEach(
        Object.entries(exports).filter(([, value]) => Layer.isLayer(value)),
        ([name, layer]) => bring(`the layer "${name}" of ${url}`, build(layer as Layer.Layer<never, unknown>)),
        { discard: true }
      ))
  for (const url of options.tasks) yield* bring(url, importAll(url))
  if (options.layer !== undefined) yield* bring("the layer of tasks", build(options.layer))

  const until = <A>(find: () => Result.Result<A, CodeUnknown>): Effect.Effect<A, CodeUnknown> => {
    const again: Effect.Effect<A, CodeUnknown> = Effect.suspend(() => {
      const next = arrival
      const found = find()
      return Result.isSuccess(found) || pending === 0 ? Effect.fromResult(found) : Effect.andThen(next.await, again)
    })
    return Effect.suspend(() => {
      const found = find()
      if (Result.isSuccess(found) || pending === 0) return Effect.fromResult(found)
      return Effect.timeoutOrElse(again, { duration: options.waitMs ?? 10_000, orElse: () => Effect.fromResult(found) })
    })
  }
  const arriving: Arriving = { handlers: () => handlers, until }
  return arriving
})
