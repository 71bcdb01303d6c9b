/**
 * Typed tasks: what programs define, submit and implement.
 *
 * There are two ways. *Function first* (`Task.fn`): a task is a function with a
 * name, and its types are inferred. *Contract first* (`Task.make`): schemas for
 * payload, success and error, implemented apart as a layer, so that the program
 * that submits need not have the code that runs.
 *
 * Both are known to the whole process from the moment they are made (see
 * TaskRegistry.ts), because a worker finds tasks by importing their modules.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { CODE_LIMIT } from "./Code.ts"
import { BadOption } from "./Errors.ts"
import { showPath } from "./Failure.ts"
import { callerPlace, type Place } from "./internal/callSite.ts"
import { type CheckedOptions, checkDefaults, type TaskDefaults } from "./TaskOptions.ts"
import type { TaskContext } from "./TaskContext.ts"
import * as Registry from "./TaskRegistry.ts"
import * as Value from "./Value.ts"

export type { SubmitOptions, TaskDefaults } from "./TaskOptions.ts"

/**
 * The service `Client`, as far as this package knows it: its key. The client's package, which stands on this one, says what it is; the
 * service's class fits here, for a class made by `Context.Service` has its key in its type.
 */
export interface ClientKey {
  readonly key: "skein/Client"
}

/**
 * What every worker provides to every body: a scope that ends with the task, the task itself, and a client of the same cluster.
 * An Effect that is to run in a thread (`isolation: "thread"`) has the scope and the task only.
 */
export type TaskServices = Scope.Scope | TaskContext | ClientKey

/** A value a body may return, in any of the three ways. */
export type Body<A, E, R> = Effect.Effect<A, E, R> | PromiseLike<A> | A

export type Returned<T> = T extends Effect.Effect<infer A, infer _E, infer _R> ? A : Awaited<T>
export type ReturnedE<T> = T extends Effect.Effect<infer _A, infer E, infer _R> ? E : never
export type ReturnedR<T> = T extends Effect.Effect<infer _A, infer _E, infer R> ? R : never
type Normal<T, RL> = [Extract<T, Effect.Effect<any, any, any>>] extends [never] ? T
  : Effect.Effect<Returned<T>, ReturnedE<T>, Exclude<ReturnedR<T>, RL>>
export type FieldsOr<P> = P extends Schema.Struct.Fields ? Schema.Struct<P> : P extends Schema.Top ? P : never

export const TaskTypeId: unique symbol = Symbol.for("~skein/Task")
export const FnTaskTypeId: unique symbol = Symbol.for("~skein/FnTask")

/** Contract first: schemas for payload, success and error. */
export interface Task<Name extends string, P extends Schema.Top, S extends Schema.Top, F extends Schema.Top> {
  readonly name: Name
  readonly payload: P
  readonly success: S
  readonly error: F
  /**
   * The body, or an Effect that builds it once per worker and holds what it needs in the worker's scope; it may ask for `Client` and `Scope`.
   * Export the layer from a module that workers import.
   */
  toLayer<R = never, EX = never, RX = never>(
    body:
      | ((payload: P["Type"]) => Effect.Effect<S["Type"], F["Type"], R>)
      | Effect.Effect<(payload: P["Type"]) => Effect.Effect<S["Type"], F["Type"], R>, EX, RX>
  ): Layer.Layer<Task.Handler<Name>, EX, Exclude<R, TaskServices> | Exclude<RX, ClientKey | Scope.Scope>>
}

export declare namespace Task {
  export type Any = Task<any, Schema.Top, Schema.Top, Schema.Top>
  /** The implementation of one contract, in a layer's type. */
  export interface Handler<Name extends string> {
    readonly _: unique symbol
    readonly task: Name
  }
}

/** Function first: everything inferred. A task is a function with a name: call it and it runs here, submit it and it runs on a worker. */
export interface FnTask<Args extends ReadonlyArray<any>, A, E = never, R = never, T = Body<A, E, R>> {
  readonly name: string
  (...args: Args): T
  readonly _types: { readonly _A: () => A; readonly _E: () => E; readonly _R: () => R }
}

type AnyCodec = Schema.Codec<any, any>
/** Refuses a codec that covers nothing of what the body gives. */
type Fits<T, Covered> = unknown extends T ? unknown : [Covered] extends [never] ? { readonly "not a codec of what the body gives": never } : unknown
type Takes<A, S extends AnyCodec> = [A] extends [S["Type"]] ? true : never

export interface FnOptions<T, RL = never, S extends AnyCodec = AnyCodec, F extends AnyCodec = AnyCodec> extends TaskDefaults {
  /**
   * Values the body uses from outside itself, by the names that its text has for them. They travel with the text, as they are when
   * the task is made, and are part of what the task is: other values make another digest, and so other keys. All calls in one worker's
   * process, or thread, see the same copy.
   */
  readonly captures?: Readonly<Record<string, unknown>>
  /**
   * The module to import on workers, `import.meta.url`. A worker takes a task's code from the first of: what it knows by digest;
   * this module; the body's own source, if that has no free variables but `captures`; the module in which `Task.fn` was called.
   */
  readonly module?: string
  /**
   * Services for the body, an Effect: built when a worker first runs it, once for each worker, and released with the worker. Tasks that
   * name the same layer share what it builds. If it fails, so does the task (SKEIN1015), and the next attempt builds it anew. Such a body
   * comes from a module, never from its source, and runs as a fiber: it is not to be had with `isolation: "thread"`.
   */
  readonly services?: Layer.Layer<RL, any, never>
  /** How the value travels, so that instances of classes arrive as instances. */
  readonly success?: S & Fits<T, Takes<Returned<T>, S>>
  /** The same for failures; those it does not cover travel as values do. */
  readonly error?: F & Fits<T, Extract<ReturnedE<T>, F["Type"]>>
}

/** What the task knows of itself beside its schemas. */
export interface Contract {
  readonly version: number
  readonly defaults: CheckedOptions
  /** Where it was made; null if that is not known. */
  readonly place: Place | null
}

/** One implementation of a contract, as a worker finds it in the context that its layer builds. */
export interface Handler {
  readonly task: Task.Any
  readonly version: number
  /** Runs the body with a valid payload. What it needs beyond what every worker provides it has from its layer. */
  readonly run: (payload: unknown) => Effect.Effect<unknown, unknown, TaskServices>
}

const make = <
  const Name extends string,
  P extends Schema.Top | Schema.Struct.Fields = typeof Schema.Void,
  S extends Schema.Top = typeof Schema.Void,
  F extends Schema.Top = typeof Schema.Never
>(
  name: Name,
  contract: { readonly payload?: P; readonly success?: S; readonly error?: F; readonly version?: number } & TaskDefaults
): Task<Name, FieldsOr<P>, S, F> => {
  const { error, payload, success, version = 1, ...defaults } = contract
  checkName(name)
  if (!Number.isSafeInteger(version) || version < 0) throw new BadOption({ option: "version", expected: "a whole number from 0" })
  const own: Contract = { version, defaults: Result.getOrThrow(checkDefaults(defaults)), place: callerPlace(ownFiles) }
  // The casts say what the defaults of the type parameters say: a schema left out is Void, or Never.
  const task = {
    [TaskTypeId]: own,
    name,
    payload: (payload === undefined ? Schema.Void : Schema.isSchema(payload) ? payload : Schema.Struct(payload as Schema.Struct.Fields)) as FieldsOr<P>,
    success: (success ?? Schema.Void) as S,
    error: (error ?? Schema.Never) as F,
    toLayer: (body: unknown) => handlerLayer(task as unknown as Task.Any, version, body)
  }
  Registry.registerCodec(codecName(task, "success"), task.success as unknown as Registry.Codec)
  Registry.registerCodec(codecName(task, "error"), task.error as unknown as Registry.Codec)
  return task as unknown as Task<Name, FieldsOr<P>, S, F>
}

const fn = <Args extends ReadonlyArray<any>, T, RL = never, S extends AnyCodec = AnyCodec, F extends AnyCodec = AnyCodec>(
  name: string,
  body: (...args: Args) => T,
  options: FnOptions<NoInfer<T>, RL, S, F> = {}
): FnTask<Args, Returned<T>, ReturnedE<T>, Exclude<ReturnedR<T>, RL>, Normal<T, RL>> => {
  const { captures, error, module, services, success, ...defaults } = options
  checkName(name)
  if (services !== undefined && !Layer.isLayer(services)) throw new BadOption({ option: "services", expected: "a Layer" })
  if (services !== undefined && defaults.isolation === "thread") {
    throw new BadOption({ option: "isolation", expected: "\"fiber\", for `services` are built in the worker's own process, where no thread finds them" })
  }
  if (module !== undefined && !/^file:\/\//.test(module)) throw new BadOption({ option: "module", expected: "`import.meta.url`, the URL of a file" })
  const entry: Registry.FnEntry = {
    name,
    body: body as unknown as Registry.FnEntry["body"],
    text: sourceOf(body),
    module: module ?? callerPlace(ownFiles)?.url ?? null,
    moduleFirst: module !== undefined,
    // Only an Effect can ask for services.
    returns: services === undefined ? returnsOf(body) : "effect",
    defaults: Result.getOrThrow(checkDefaults(defaults)),
    captures: captures === undefined ? undefined : encodeCaptures(captures),
    // What its type says it gives is what the body asks for, and it needs nothing.
    services: services as unknown as Layer.Layer<never, unknown> | undefined,
    success,
    error
  }
  if (success !== undefined) Registry.registerCodec(fnCodecName(name, "success"), success)
  if (error !== undefined) Registry.registerCodec(fnCodecName(name, "error"), error)
  const task = Object.defineProperties(function(this: unknown, ...args: Args): T {
    return (body as (...args: ReadonlyArray<any>) => T).apply(this, [...args])
  }, {
    name: { value: name, configurable: true },
    length: { value: body.length, configurable: true },
    [FnTaskTypeId]: { value: entry },
    _types: { value: variance }
  })
  Registry.register(entry)
  // Name and `_types` have just been given to it, and what is asked for beyond its services its type still says.
  return task as unknown as FnTask<Args, Returned<T>, ReturnedE<T>, Exclude<ReturnedR<T>, RL>, Normal<T, RL>>
}

/** Makes tasks. */
export const Task = {
  /** Contract first. Throws `BadOption` for an option that is wrong or not supported. */
  make,
  /** Function first. Throws `BadOption` for an option that is wrong or not supported. */
  fn
}

/** The entry of a task made by `Task.fn`. */
export const fnEntry = (task: unknown): Registry.FnEntry | undefined =>
  typeof task === "function" ? (task as { readonly [FnTaskTypeId]?: Registry.FnEntry })[FnTaskTypeId] : undefined

/** What a task made by `Task.make` knows of itself. */
export const contractOf = (task: unknown): Contract | undefined =>
  typeof task === "object" && task !== null ? (task as { readonly [TaskTypeId]?: Contract })[TaskTypeId] : undefined

/** The implementations in a context that layers of contracts built. */
export const handlersIn = (context: Context.Context<never>): ReadonlyArray<Handler> =>
  Array.from(context.mapUnsafe).filter(([key]) => key.startsWith(handlerKey(""))).map(([, handler]) => handler as Handler)

/** Under what name values of this kind travel. A contract's version is part of it: its schemas may differ in the next. */
export const codecName = (task: { readonly name: string }, kind: "success" | "error"): string =>
  `${task.name}@${contractOf(task)?.version ?? 1}/${kind}`
export const fnCodecName = (name: string, kind: "success" | "error"): string => `${name}/${kind}`

/** The source of a function, whoever overrode its toString. */
export const sourceOf = (f: Function): string => Function.prototype.toString.call(f)

/** What is known of a function without running it. */
export const returnsOf = (f: Function): Registry.FnEntry["returns"] =>
  isGeneric(sourceOf(f)) ? "effect" : Object.getPrototypeOf(f) === asyncPrototype ? "async" : "unknown"

/** Whether a text says nothing of the function it is the text of. */
export const isGeneric = (text: string): boolean => generic.has(text) || isNative(text)

/** Whether it is the text of what the language itself has, or has bound. */
export const isNative = (text: string): boolean => /\{\s*\[native code\]\s*\}\s*$/.test(text)

const handlerLayer = (task: Task.Any, version: number, body: unknown): Layer.Layer<any, any, any> => {
  type Run = (payload: unknown) => Effect.Effect<unknown, unknown, any>
  return Layer.effectContext(Effect.gen(function*() {
    const run = Effect.isEffect(body) ? (yield* body as Effect.Effect<Run, unknown, unknown>) : body as Run
    const built = yield* Effect.context<never>()
    const handler: Handler = {
      task,
      version,
      // What is provided around the run wins: its scope is the task's, not the one the layer was built in.
      run: (payload) => Effect.updateContext(Effect.suspend(() => run(payload)), (around: Context.Context<TaskServices>) => Context.merge(built, around))
    }
    return Context.makeUnsafe<any>(new Map([[handlerKey(task.name), handler]]))
  }))
}

const handlerKey = (name: string): string => `skein/Task/Handler/${name}`

const checkName = (name: string): void => {
  if (typeof name !== "string" || name === "" || name.length > 256) throw new BadOption({ option: "name", expected: "a text of 1 to 256 characters" })
}

/** As one record, once and for all: what the program changes later is not sent. */
const encodeCaptures = (captures: Readonly<Record<string, unknown>>): Uint8Array => {
  const bad = Object.keys(captures).find((name) => !isVariable(name))
  if (bad !== undefined) throw new BadOption({ option: "captures", expected: `names of variables, and "${bad}" is none` })
  const bytes = Value.encode({ ...captures })
  if (Result.isSuccess(bytes)) {
    if (bytes.success.length <= CODE_LIMIT) return bytes.success
    throw new BadOption({ option: "captures", expected: `${CODE_LIMIT >> 20} MiB at most, for they are told with the code; pass more as an argument, or its future` })
  }
  throw new BadOption({ option: "captures", expected: `data, found ${bytes.failure.found} at ${showPath(bytes.failure.path)}` })
}

/** Whether a variable of a function can be called so. */
export const isVariable = (name: string): boolean => /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name) && !reserved.has(name)

const reserved: ReadonlySet<string> = new Set(
  ("arguments await break case catch class const continue debugger default delete do else enum eval export extends false finally for function if implements " +
    "import in instanceof interface let new null package private protected public return static super switch this throw true try typeof var void while with yield").split(" ")
)

/** Where stacks are not yet in the user's code. */
const ownFiles = ["/protocol/src/Task.ts", "/protocol/src/internal/callSite.ts", "/protocol/dist/Task.js", "/protocol/dist/internal/callSite.js", "/skein-image.cjs"]

const variance = { _A: (): never => phantom(), _E: (): never => phantom(), _R: (): never => phantom() }
const phantom = (): never => {
  throw new Error("_types is there for the compiler only")
}

const asyncPrototype: unknown = Object.getPrototypeOf(async () => {})

/** All bodies made by one of these have the same text. */
const generic: ReadonlySet<string> = new Set([
  Effect.fnUntraced(function*() {}),
  Effect.fnUntraced(function*() {}, (effect) => effect),
  Effect.fnUntracedEager(function*() {}),
  Effect.fnUntracedEager(function*() {}, (effect) => effect),
  Effect.fn(function*() {}),
  Effect.fn("named")(function*() {})
].map(sourceOf))
