/**
 * Everything that a program passes about, by name; and the tasks that pass it
 * on, as workers import them.
 */
import {
  BigDecimal, Cause, Chunk, Data, DateTime, Duration, Effect, Exit, HashMap, HashSet, Option, Result, Schema, SchemaGetter
} from "effect"
import { Client, Portable, Task } from "skein"

/** A schema's class, a schema's error, and a class that must be registered. */
export class Point extends Schema.Class<Point>("values/Point")({ x: Schema.Number, when: Schema.DateFromString }) {
  get double() {
    return 2 * this.x
  }
}
export class TooFar extends Schema.TaggedError<TooFar>()("TooFar", { by: Schema.BigInt }) {
  override get message() {
    return `too far by ${this.by}`
  }
}
export class Labelled extends Schema.TaggedClass<Labelled>()("Labelled", { point: Point, label: Schema.Option(Schema.String) }) {}
export class Gone extends Data.TaggedError("Gone")<{ readonly at: number }> {}
export class Money {
  readonly amount: number
  constructor(amount: number) {
    this.amount = amount
  }
  plus(other: Money) {
    return new Money(this.amount + other.amount)
  }
}
const money: Schema.Codec<Money, { readonly amount: number }> = Schema.Struct({ amount: Schema.Number }).pipe(
  Schema.decodeTo(Schema.instanceOf(Money), {
    decode: SchemaGetter.transform(({ amount }) => new Money(amount)),
    encode: SchemaGetter.transform(({ amount }) => ({ amount }))
  })
)
Portable.register(Money, money)

const sparse: Array<unknown> = [1, undefined]
sparse[4] = 5
const buffer = Uint8Array.from({ length: 64 }, (_, i) => i).buffer
const shared = { once: 1 }
const error = Object.assign(new TypeError("bad", { cause: new RangeError("deep") }), { code: "E1" })

export const samples: Readonly<Record<string, unknown>> = {
  "null": null,
  "undefined": undefined,
  "an undefined field": { a: undefined },
  "booleans": [true, false],
  "numbers": [0, -0, 1, -1, 2 ** 31, 2 ** 53, 0.1, NaN, Infinity, -Infinity, Number.MIN_VALUE],
  "bigints": [0n, -1n, 2n ** 200n],
  "texts": ["", "ä", "😀", "\ud800", "x".repeat(200)],
  "registered symbols": Symbol.for("skein/test"),
  "dates": [new Date(0), new Date(1.7e12), new Date(NaN)],
  "maps": new Map<unknown, unknown>([["a", 1], [{ k: 1 }, new Map([[NaN, -0]])]]),
  "sets": new Set([1, "a", new Set([2])]),
  "sparse arrays": sparse,
  "objects without a prototype": Object.assign(Object.create(null) as object, { a: 1 }),
  "a field called __proto__": JSON.parse("{\"__proto__\":{\"polluted\":true},\"constructor\":1}"),
  "one object in two places": [shared, shared],
  "views": [Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, Float32Array, Float64Array, BigInt64Array, BigUint64Array]
    .map((View) => new View(buffer, 16, 3)),
  "long views": new Float64Array(20_000).fill(Math.PI).subarray(3),
  "halves": "Float16Array" in globalThis ? new Float16Array([0.5, -2]) : null,
  "a data view": new DataView(buffer, 3, 5),
  "a buffer": buffer,
  "Node's buffer": Buffer.from("héllo"),
  "regular expressions": [/a+b/giu, Object.assign(/a/g, { lastIndex: 3 })],
  "URLs": [new URL("https://example.org/a?b=c#d"), new URLSearchParams("a=1&a=2")],
  "errors": [error, new AggregateError([error, 2], "both"), new SuppressedError(error, "b", "while closing"), new Gone({ at: 3 })],
  "options": [Option.none(), Option.some({ a: 1 })],
  "results": [Result.succeed(1), Result.fail("no")],
  "exits": [Exit.succeed([1]), Exit.fail(new TooFar({ by: 1n })), Exit.die("oh")],
  "causes": Cause.fromReasons<unknown>([Cause.makeFailReason("no"), Cause.makeDieReason({ oh: 1 }), Cause.makeInterruptReason(7)]),
  "durations": [Duration.seconds(3), Duration.nanos(5n), Duration.infinity],
  "times": [DateTime.makeUnsafe(12345), DateTime.makeZonedUnsafe(1.7e12, { timeZone: "Europe/London" }), DateTime.makeZonedUnsafe(1.7e12, { timeZone: 3_600_000 })],
  "chunks": Chunk.make(1, Option.some(2)),
  "hash maps and sets": [HashMap.make(["a", 1], ["b", 2]), HashSet.make("a", "b")],
  "decimals": BigDecimal.make(12345n, 2),
  "a schema's classes": new Labelled({ point: new Point({ x: 2, when: new Date(7) }), label: Option.some("l") }),
  "a schema's errors": new TooFar({ by: 3n }),
  "a registered class": { deep: [new Money(5)] }
}

/** What is wrong with classes that have arrived, for a body that uses their methods. */
const strange = (values: typeof samples): ReadonlyArray<string> => {
  const labelled = values["a schema's classes"] as Labelled
  const tooFar = values["a schema's errors"] as TooFar
  const [amount] = (values["a registered class"] as { readonly deep: [Money] }).deep
  return [
    ...(labelled instanceof Labelled && labelled.point instanceof Point && labelled.point.double === 4 ? [] : ["Labelled"]),
    ...(tooFar instanceof TooFar && tooFar.message === "too far by 3" ? [] : ["TooFar"]),
    ...(amount instanceof Money && amount.plus(amount).amount === 10 ? [] : ["Money"])
  ]
}
const back = (values: typeof samples) => {
  const wrong = strange(values)
  if (wrong.length > 0) throw new Error(`not what they were: ${wrong.join()}`)
  return values
}

/** All of it and back, through a thread, and through a fiber. */
export const throughThread = Task.fn("throughThread", (values: Readonly<Record<string, unknown>>) => back(values), { module: import.meta.url })
export const throughFiber = Task.fn("throughFiber", Effect.fnUntraced(function*(values: Readonly<Record<string, unknown>>) {
  return back(values)
}))
/** Instances that the client has not sent. */
export const makesPoint = Task.fn("makesPoint", (x: number) => new Point({ x, when: new Date(x) }))
export const failsTooFar = Task.fn("failsTooFar", Effect.fnUntraced(function*(by: bigint) {
  return yield* new TooFar({ by })
}))
/** Of classes that no client has met: of one that this module exports, and of one that it keeps to itself. */
export class Place extends Schema.Class<Place>("values/Place")({ x: Schema.Number }) {
  get twice() {
    return 2 * this.x
  }
}
export const makesPlace = Task.fn("makesPlace", (x: number) => new Place({ x }), { module: import.meta.url })
class Hidden extends Schema.Class<Hidden>("values/Hidden")({ x: Schema.Number }) {}
export const makesHidden = Task.fn("makesHidden", (x: number) => new Hidden({ x }), { module: import.meta.url })
/** A contract that takes whole numbers. */
export const Resize = Task.make("Resize", { payload: { width: Schema.Int }, success: Schema.Int })
/** What cannot leave its worker. */
export const returns = Task.fn("returns", Effect.fnUntraced(function*(what: "function" | "promise in a map" | "cycle") {
  const cycle: { self?: unknown } = {}
  cycle.self = cycle
  return yield* Effect.succeed(what === "function" ? { connection: { socket: () => 1 } } : what === "cycle" ? [cycle] : new Map([["p", Promise.resolve(1)]]))
}))
/** Scatters what it makes, for another task; what it scattered goes with it. */
export const scattersInside = Task.fn("scattersInside", Effect.fnUntraced(function*(n: number) {
  const client = yield* Client
  const parts = yield* client.scatterAll([new Uint8Array(n).fill(1), "rest"])
  return yield* (yield* client.submit((part: Uint8Array, text: string) => part.length + text.length, ...parts)).result
}))
