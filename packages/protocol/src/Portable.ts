/**
 * Instances of classes, as they travel: under the name of their class, encoded by its schema.
 *
 * A `Schema.Class` (a tagged class, a schema's error) brings name and schema along, so it is known as soon as this process
 * meets it: in a value that is sent, among the exports of a module that workers import. Any other class is known once it has been
 * registered. An instance of a class that nobody registered is refused and never flattened: without its prototype it would be
 * another thing under the same name, and that is found far too late.
 *
 * The other side knows a class by name, so it must have met or registered it, too. It decodes what came, and thereby checks it.
 */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { BadOption } from "./Errors.ts"
import * as Registry from "./TaskRegistry.ts"

/** A class as it stands in a program. */
type Class = abstract new(...args: any) => unknown

/** A class and how its instances travel. */
interface Known {
  readonly name: string
  readonly encode: (value: unknown) => Exit.Exit<unknown, unknown>
}

/** By class, in the whole process. A class that is collected is forgotten. */
const place = Symbol.for("skein/Portable/1")
const known: WeakMap<Class, Known> = ((globalThis as { [place]?: WeakMap<Class, Known> })[place] ??= new WeakMap())

/** How instances of a class travel (Dask's `register_generic`). */
export const Portable = {
  /**
   * From now on instances of this very class (not of its subclasses) travel as what `schema` makes of them, and arrive as what it
   * makes of that. Both sides must register it: do so in a module that workers import, beside the class. Classes are told apart by
   * their names, so a program has one of each name. A `Schema.Class` need not be registered to be sent; registered, it is known
   * to a process before it meets an instance.
   *
   * Throws `BadOption` for a class without a name, and for what is no class or no schema.
   */
  register<A>(cls: abstract new(...args: any) => A, schema: Schema.Codec<A, any>): void {
    if (typeof cls !== "function" || typeof cls.prototype !== "object") throw bad("a class")
    if (!Schema.isSchema(schema)) throw bad("a schema of the class")
    const name = isSchemaClass(cls) ? cls.identifier : cls.name
    if (name === "") throw bad("a class with a name, for that is what the other side knows it by")
    add(cls, name, schema)
  }
}

/** What stands for an instance of a class; a text says why this one cannot travel. Undefined: its class is not known. */
export const encoded = (value: object): { readonly name: string; readonly encoded: unknown } | string | undefined => {
  const prototype: unknown = Object.getPrototypeOf(value)
  const cls: unknown = prototype === null ? undefined : (prototype as { readonly constructor?: unknown }).constructor
  if (typeof cls !== "function" || cls.prototype !== prototype) return undefined
  // A function that has this prototype is what made the instance.
  let found = known.get(cls as unknown as Class)
  if (found === undefined) {
    const learned = learn(cls)
    if (learned === undefined || typeof learned === "string") return learned
    found = learned
  }
  const exit = found.encode(value)
  return Exit.isSuccess(exit) ? { name: found.name, encoded: exit.value } : `an instance of ${cls.name} that its schema cannot encode (${reasonOf(exit.cause)})`
}

/** Takes note of the classes among a module's exports, so that instances of them can arrive. */
export const learnExports = (exports: Readonly<Record<string, unknown>>): void => {
  for (const value of Object.values(exports)) if (typeof value === "function" && !known.has(value as unknown as Class)) learn(value)
}

/** Under what name instances of the class of this name travel. No task's codec has such a one. */
export const className = (name: string): string => `${name}/class`

/** The name of the class, if that is what this is the name of. */
export const classNamed = (name: string): string | undefined => name.endsWith("/class") ? name.slice(0, -"/class".length) : undefined

/** A class that says itself how it travels; a text if it cannot. */
const learn = (cls: unknown): Known | string | undefined => {
  if (!isSchemaClass(cls)) return undefined
  const namesake = Registry.codec(className(cls.identifier))
  if (namesake === undefined) return add(cls, cls.identifier, cls as unknown as Registry.Codec)
  // A module that is loaded twice makes each of its classes twice; that is one class to the program.
  if (fieldsOf(namesake) !== fieldsOf(cls)) return `an instance of ${cls.identifier}, of which name there is another class; give one of them another identifier`
  return keep(cls, cls.identifier, cls as unknown as Registry.Codec)
}

const add = (cls: Class, name: string, codec: Registry.Codec): Known => {
  Registry.registerCodec(className(name), codec)
  return keep(cls, name, codec)
}

const keep = (cls: Class, name: string, codec: Registry.Codec): Known => {
  const entry: Known = { name: className(name), encode: Schema.encodeUnknownExit(codec) }
  known.set(cls, entry)
  return entry
}

/** A class made by `Schema.Class` and its like. A class that merely extends such a one has a schema that knows nothing of it. */
const isSchemaClass = (cls: unknown): cls is Class & { readonly identifier: string } =>
  typeof cls === "function" && Schema.isSchema(cls) && typeof (cls as { readonly identifier?: unknown }).identifier === "string" &&
  (Object.hasOwn(cls, "identifier") || Object.hasOwn(Object.getPrototypeOf(cls) as object, "identifier"))

const fieldsOf = (cls: unknown): string => {
  const { fields } = cls as { readonly fields?: unknown }
  return typeof fields === "object" && fields !== null ? Object.keys(fields).join() : ""
}

const reasonOf = (cause: Cause.Cause<unknown>): string => {
  const error = Option.getOrUndefined(Cause.findErrorOption(cause)) ?? Cause.squash(cause)
  return (error instanceof Error ? error.message : String(error)).split("\n").map((line) => line.trim()).join(" ")
}

const bad = (expected: string): BadOption => new BadOption({ option: "Portable.register", expected })
