/**
 * The bodies of tasks that run where they are submitted: they need not travel, so
 * closures will do, and whatever a test runner has made of a function.
 *
 * What no worker could call either is refused as ever.
 */
import * as Effect from "effect/Effect"
import type * as Context from "effect/Context"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import type { CodeDef } from "@skein/protocol/Code"
import type { NotShippable } from "@skein/protocol/Errors"
import { contractOf, fnEntry, type Handler, handlersIn, returnsOf } from "@skein/protocol/Task"
import type { FnEntry } from "@skein/protocol/TaskRegistry"
import { callHandler, codecsOfFn, codecsOfTask, type ResultCodecs } from "@skein/protocol/TaskValues"
import { type Code, type CodeOptions, makeCodes } from "../code.ts"

/** What is called, and how its value and error travel all the same, for values are copied here too. */
export interface InlineBody {
  readonly call: (args: ReadonlyArray<unknown>) => unknown
  readonly codecs: ResultCodecs
}

export interface InlineCodes {
  readonly codeOf: ReturnType<typeof makeCodes>
  /** Of a definition that `codeOf` has given. */
  readonly bodyOf: (def: CodeDef) => InlineBody
}

/** Reasons that concern the way, and here there is none. */
const ofTheWay: ReadonlySet<NotShippable["why"]> = new Set([undefined, "same text", "built in", "bound", "unreadable", "needs a module", "one of several"])

/** Services of tasks are built when they are first used, and released with the scope. */
export const makeInlineCodes = Effect.fnUntraced(function*(options: CodeOptions) {
  const scope = yield* Effect.scope
  const lookUp = makeCodes(options)
  const known = new WeakMap<object, Result.Result<Code, NotShippable>>()
  const bodies = new WeakMap<CodeDef, InlineBody>()
  const services = new WeakMap<Layer.Layer<never, unknown>, Effect.Effect<Context.Context<never>, unknown>>()
  let numbered = 0

  const servicesOf = (layer: Layer.Layer<never, unknown>): Effect.Effect<Context.Context<never>, unknown> => {
    const built = services.get(layer) ?? Effect.runSync(Effect.cached(Layer.buildWithScope(layer, scope)))
    services.set(layer, built)
    return Effect.onError(built, () => Effect.sync(() => services.delete(layer)))
  }
  const bodyOfEntry = (entry: FnEntry): InlineBody => {
    const { services: layer } = entry
    return {
      codecs: codecsOfFn(entry),
      call: layer === undefined ? (args) => entry.body(...args) : (args) => {
        const returned = entry.body(...args)
        return Effect.isEffect(returned)
          // What it asks for the type of `Task.fn` has compared with what the layer gives.
          ? Effect.flatMap(Effect.orDie(servicesOf(layer)), (context) => Effect.provideContext(returned as Effect.Effect<unknown, unknown>, context))
          : returned
      }
    }
  }
  /** Of a function that is this one and no other, for what it closes over is not known. */
  const ofItself = (f: Function): Code => {
    const entry = fnEntry(f)
    const name = entry?.name ?? (f.name === "" ? "anonymous" : f.name)
    const body = entry?.returns ?? returnsOf(f)
    const def: CodeDef = { digest: `inline-${numbered++}`, name, kind: "function", text: null, module: null, moduleFirst: false, body, isolation: "fiber", version: 1 }
    bodies.set(def, entry === undefined ? { call: (args) => f(...args), codecs: {} } : bodyOfEntry(entry))
    return { def, defaults: entry?.defaults ?? {}, codecs: entry === undefined ? {} : codecsOfFn(entry), contract: undefined, fiberOnly: false }
  }
  const codeOf: InlineCodes["codeOf"] = (task) => {
    const before = known.get(task)
    if (before !== undefined) return before
    const found = lookUp(task)
    if (contractOf(task) !== undefined) {
      if (Result.isSuccess(found)) bodies.set(found.success.def, ofContract(found.success, handlersAround()))
      return found
    }
    if (Result.isFailure(found) && (found.failure._tag === "BadOption" || !ofTheWay.has(found.failure.why) || typeof task !== "function")) return found
    const own = Result.succeed(ofItself(task as Function))
    known.set(task, own)
    return own
  }
  const codes: InlineCodes = { codeOf, bodyOf: (def) => bodies.get(def)! }
  return codes
})

/** What implements contracts where the task is submitted: that is around the fiber which does so. */
const handlersAround = (): ReadonlyArray<Handler> => {
  const fiber = Fiber.getCurrent()
  return fiber === undefined ? [] : handlersIn(fiber.context)
}

const ofContract = ({ contract, def }: Code, handlers: ReadonlyArray<Handler>): InlineBody => {
  const handler = handlers.find(({ task, version }) => task.name === def.name && version === def.version)
  return {
    codecs: codecsOfTask(contract!),
    call: (args) => {
      if (handler !== undefined) return callHandler(handler, args)
      throw new Error(`nothing around here implements "${def.name}" (version ${def.version})\n  fix  provide its layer together with the client: \`Layer.provideMerge\`, or \`Effect.provide\` of both`)
    }
  }
}
