/**
 * From a digest to the function that a worker runs.
 *
 * In this order: what this worker has found under the digest before; the tasks
 * that the modules it has imported have made; the module that the task itself
 * names; the function's own source text, if that says everything; the module in
 * which the task was made, if the worker has it, at whatever place; the task of
 * the same name and module but another text, with a warning. Contracts are found
 * by name and version among the layers that the worker's own modules export, each
 * built once and held until the worker ends.
 *
 * A digest is of name, module, text and captured values together, and is computed
 * anew here from whatever is about to be run: all bodies made by `Effect.fn` share
 * one text, so nothing less tells two of them apart; and a text is run only under
 * the digest that is its own.
 *
 * What is not there yet may be on its way, see Arriving.ts.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import { type CodeDef, digestOf, identityOf } from "@skein/protocol/Code"
import * as TaskImport from "@skein/protocol/TaskImport"
import * as Registry from "@skein/protocol/TaskRegistry"
import { Hashing } from "@skein/transport/Hashing"
import * as Arriving from "./Arriving.ts"
import * as Body from "./Body.ts"
import { because, type CodeUnknown, type Why } from "./CodeUnknown.ts"
import { fromText } from "./LoadFunction.ts"
import { Modules } from "./Modules.ts"

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

export interface Options extends Arriving.Options {
  /** Whether source text is taken, and modules that a task names and the worker was not told of. */
  readonly allow: "any" | "modules-only"
  /** Puts something in the place of a body that was found; a simulation models tasks so. @default nothing */
  readonly around?: Around | undefined
}

/** What is run in the place of a body. */
export type Around = (body: Body.Body, def: CodeDef) => Body.Body

/** Bodies that are remembered by digest, at most; the oldest are found anew. */
const KEPT = 4_096

/** Where a function was found. */
type Found =
  | { readonly _tag: "Made"; readonly entry: Registry.FnEntry }
  | { readonly _tag: "Text"; readonly text: string }

/** Begins to import the modules, and finds code from then on. Layers and imports end with the scope. */
export const make = Effect.fnUntraced(function*(options: Options): Effect.fn.Return<Code, never, Hashing | Modules | Scope.Scope> {
  const hashing = yield* Hashing
  const modules = yield* Modules
  const arriving = yield* Arriving.make(options, modules)
  const servicesOf = yield* makeServices
  const bodies = new Map<string, Body.Body>()
  const threadDefs = new Map<string, CodeDef>()
  /** Digests for which a namesake was found, and which the log does not know yet. */
  const differing = new Set<string>()

  /** The name of a task's module on every machine. The same file is the same module, whatever the client could find out about its package. */
  const moduleIdFor = (entry: Registry.FnEntry, def: CodeDef): string | null =>
    entry.module === null ? null : entry.module === def.module?.url ? def.module.id : modules.idOf(entry.module)
  /** The task of this identity that a module has made. */
  const registered = (def: CodeDef): Registry.FnEntry | undefined => {
    for (const entry of Registry.entries()) {
      if (entry.name !== def.name) continue
      const { captures, name, text } = entry
      if (digestOf({ name, module: moduleIdFor(entry, def), text, version: def.version, captures }, hashing.sha256) === def.digest) return entry
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
      if (entry.name === def.name && entry.module !== null && moduleIdFor(entry, def) === module.id) found.set(entry.body, entry)
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
  const unknown = (def: CodeDef, why: Why) => because(why, { task: def.name, worker: options.worker })

  /** The text, if it may be run and is what its digest says; or else why not. */
  const textOf = (def: CodeDef): string | Why => {
    if (options.allow === "modules-only") return { _tag: "ModulesOnly" }
    if (def.text === null) return { _tag: "NoModule" }
    return digestOf(identityOf(def, def.text), hashing.sha256) === def.digest
      ? def.text
      : { _tag: "BadText", problem: "it is not what its digest says" }
  }
  /** The URL of its module here, or else why there is none. */
  const moduleOf = (def: CodeDef): string | Why => {
    const { module } = def
    if (module === null) return { _tag: "NoModule" }
    const own = options.tasks.find((url) => url === module.url || modules.idOf(url) === module.id)
    if (own !== undefined) return own
    return options.allow === "modules-only" ? { _tag: "ModulesOnly" } : modules.locate(module) ?? { _tag: "NoSuchModule", id: module.id }
  }
  /** Has its module imported; why that has not made it so far. */
  const notMade = (module: string): Why => {
    const as = arriving.imported(module)
    switch (as._tag) {
      case "Pending":
        return { _tag: "NotYet", module }
      case "Failed":
        return { _tag: "ModuleFailed", module, failed: as.failed }
      case "Ended":
      case "Started":
        return { _tag: "NotMade", module, start: as._tag === "Started" ? as.start : null }
    }
  }
  const find = (def: CodeDef): Result.Result<Found, CodeUnknown> => {
    const entry = registered(def)
    if (entry !== undefined) return Result.succeed({ _tag: "Made", entry })
    const text = textOf(def)
    const isWhole = typeof text === "string"
    if (isWhole && !def.moduleFirst) return Result.succeed({ _tag: "Text", text })
    const module = moduleOf(def)
    const why = typeof module === "string" ? notMade(module) : module
    if (isWhole) return why._tag === "NotYet" ? Result.fail(unknown(def, why)) : Result.succeed({ _tag: "Text", text })
    const other = namesake(def)
    if (other !== undefined) return Result.succeed({ _tag: "Made", entry: other })
    return Result.fail(unknown(def, text._tag === "BadText" || why._tag === "NoModule" ? text : why))
  }

  const keep = (def: CodeDef, found: Body.Body): Result.Result<Body.Body> =>
    Result.succeed(remember(bodies, def.digest, options.around === undefined ? found : options.around(found, def)))

  const findFunction = (def: CodeDef): Result.Result<Body.Body, CodeUnknown> => {
    const found = find(def)
    if (Result.isFailure(found)) return Result.fail(found.failure)
    if (found.success._tag === "Made") return keep(def, Body.ofTask(found.success.entry, "run", servicesOf(found.success.entry, (why) => unknown(def, why))))
    const captures = Body.capturesOf(def)
    if (Result.isFailure(captures)) return Result.fail(unknown(def, { _tag: "BadText", problem: captures.failure.message }))
    try {
      return keep(def, Body.ofFunction(fromText(found.success.text, { name: def.name, captures: captures.success })))
    } catch (thrown) {
      return Result.fail(unknown(def, { _tag: "BadText", problem: String(thrown) }))
    }
  }
  const findContract = (def: CodeDef): Result.Result<Body.Body, CodeUnknown> => {
    const handlers = arriving.handlers().filter(({ task }) => task.name === def.name)
    const handler = handlers.find(({ version }) => version === def.version)
    if (handler !== undefined) return keep(def, Body.ofHandler(handler))
    const imports = [...arriving.imports()]
    return Result.fail(unknown(def, {
      _tag: "NoLayer",
      version: def.version,
      known: handlers.map(({ version }) => version),
      started: imports.find((as) => as._tag === "Started")?.start ?? null,
      failed: imports.find((as) => as._tag === "Failed")?.failed
    }))
  }
  const findForThread = (def: CodeDef): Result.Result<CodeDef, CodeUnknown> => {
    if (def.kind === "contract") return Result.fail(unknown(def, { _tag: "NoThread", what: "A contract's layer is" }))
    const found = find(def)
    if (Result.isFailure(found)) return Result.fail(found.failure)
    const entry = found.success._tag === "Made" ? found.success.entry : undefined
    if (entry?.services !== undefined) return Result.fail(unknown(def, { _tag: "NoThread", what: "Its `services` are" }))
    // Text starts a thread faster than a module with all that it imports; only a codec needs the module.
    if (typeof textOf(def) === "string" && entry?.success === undefined && entry?.error === undefined) {
      return Result.succeed(remember(threadDefs, def.digest, { ...def, moduleFirst: false }))
    }
    if (entry === undefined || entry.module === null) return Result.fail(unknown(def, { _tag: "NoModule" }))
    const { captures: _, ...rest } = def
    return Result.succeed(remember(threadDefs, def.digest, {
      ...rest,
      text: entry.text,
      module: { id: modules.idOf(entry.module), url: entry.module },
      moduleFirst: true,
      ...(entry.captures === undefined ? {} : { captures: entry.captures })
    }))
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
    settled: Effect.ignore(arriving.until(() => Result.fail("more may come")))
  }
})

const remember = <A>(kept: Map<string, A>, digest: string, found: A): A => {
  kept.set(digest, found)
  if (kept.size > KEPT) kept.delete(kept.keys().next().value!)
  return found
}

/** What a worker gives to a task's body for its `services`; undefined: it asks for none. */
type Services = (entry: Registry.FnEntry, unknown: (why: Why) => CodeUnknown) => Effect.Effect<Context.Context<never>> | undefined

/** Builds the services of tasks, each layer once, for the life of the worker; one that fails is built anew for the next body. */
const makeServices = Effect.gen(function*() {
  const scope = yield* Effect.scope
  const memo = yield* Layer.makeMemoMap
  const fork = yield* FiberSet.makeRuntime<never, Context.Context<never>, unknown>()
  const built = new WeakMap<Layer.Layer<never, unknown>, Fiber.Fiber<Context.Context<never>, unknown>>()
  const build = (layer: Layer.Layer<never, unknown>) =>
    Effect.gen(function*() {
      // In a scope of its own, for what failed must be gone before it is built again.
      const own = yield* Scope.fork(scope)
      return yield* Effect.onError(TaskImport.ofTask(Layer.buildWithMemoMap(layer, memo, own)), () => Scope.close(own, Exit.void))
    })
  const begin = (layer: Layer.Layer<never, unknown>) => {
    const fiber = fork(build(layer))
    built.set(layer, fiber)
    fiber.addObserver((exit) => Exit.isFailure(exit) && built.delete(layer))
    return fiber
  }
  const services: Services = ({ services: layer }, unknown) => {
    if (layer === undefined) return undefined
    return Effect.gen(function*() {
      // By a fiber of the worker's own: the body that is the first may be interrupted, and others wait for the same.
      return yield* Fiber.join(built.get(layer) ?? begin(layer))
    }).pipe(
      Effect.catchCause((cause) => Cause.hasInterruptsOnly(cause) ? Effect.interrupt : Effect.die(unknown({ _tag: "Services", cause: Cause.squash(cause) })))
    )
  }
  return services
})
