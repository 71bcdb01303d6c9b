/**
 * The modules that a worker can import.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { CodeModule } from "@skein/protocol/Code"

/** How modules are found and imported; the real one is node/NodeModules.ts. */
export class Modules extends Context.Service<Modules, {
  /** The exports of the module at this URL. May never complete. */
  readonly load: (url: string) => Effect.Effect<Readonly<Record<string, unknown>>, ModuleFailed>
  /** The name of the module at this URL on every machine; see `moduleIdOf`. */
  readonly idOf: (url: string) => string
  /** The URL at which this worker has a module that a client names; undefined: it does not have it. */
  readonly locate: (module: CodeModule) => string | undefined
}>()("@skein/runtime/worker/Modules") {}

/** A module could not be imported. */
export class ModuleFailed extends Schema.TaggedError<ModuleFailed>()("ModuleFailed", {
  url: Schema.String,
  cause: Schema.Defect(),
  /** It is TypeScript that Node does not run; where, and what of it, in the words of who refused it. */
  unsupported: Schema.optionalKey(Schema.Struct({ place: Schema.String, syntax: Schema.String }))
}) {
  override get message() {
    return `The module ${this.url} could not be imported: ${String(this.cause)}`
  }
}
