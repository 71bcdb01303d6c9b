import { assert, describe, it } from "@effect/vitest"
import { BigDecimal, Cause, Chunk, Data, DateTime, Duration, Effect, Equal, Exit, HashMap, HashSet, Option, Queue, Redacted, Result, Schema, SchemaGetter, Stream } from "effect"
import { learnExports, Portable } from "@skein/protocol/Portable"
import { named } from "@skein/protocol/TaskValues"
import * as Value from "@skein/protocol/Value"

const encode = (value: unknown, options?: Value.EncodeOptions) => Result.getOrThrow(Value.encode(value, options))
const decode = (bytes: Uint8Array, options?: Value.DecodeOptions) => Result.getOrThrow(Value.decode(bytes, options))
const roundTrip = (value: unknown) => decode(encode(value))
const refusal = (value: unknown) => {
  const result = Value.encode(value)
  if (Result.isSuccess(result)) return assert.fail("it was encoded")
  return { path: result.failure.path, found: result.failure.found }
}

describe("what is data", () => {
  const sparse: Array<unknown> = [1]
  sparse[3] = 4
  const samples: ReadonlyArray<readonly [name: string, value: unknown]> = [
    ["null", null],
    ["undefined", undefined],
    ["booleans", [true, false]],
    ["integers of all sizes", [0, 1, 127, 128, -1, -128, 65536, 2 ** 31 - 1, -(2 ** 31), 2 ** 31, 2 ** 53, -(2 ** 53)]],
    ["fractions and the odd numbers", [0.1, -0, NaN, Infinity, -Infinity, Number.MIN_VALUE, Number.MAX_VALUE]],
    ["big integers", [0n, 1n, -1n, 255n, 256n, -(2n ** 200n), 2n ** 64n]],
    ["texts", ["", "a", "ä", "日本語", "😀", "x".repeat(23), "x".repeat(24), "x".repeat(127), "x".repeat(128), "é".repeat(70), "ß".repeat(70_000)]],
    ["texts with lone surrogates", ["\ud800", "a\udc00b", "\ud83d"]],
    ["dates", [new Date(0), new Date(1_700_000_000_123), new Date(NaN)]],
    ["maps", new Map<unknown, unknown>([["a", 1], [{ k: 1 }, new Map([[1, 2]])]])],
    ["sets", new Set([1, "a", new Set([2])])],
    ["nested objects", { a: { b: { c: [1, { d: null }] } }, "": 0 }],
    ["objects without a prototype", Object.assign(Object.create(null), { a: 1, __proto__: 2 })],
    ["arrays with holes", sparse],
    ["bytes", new Uint8Array([1, 2, 255])],
    ["a view on part of a buffer", new Uint8Array([1, 2, 3, 4, 5]).subarray(2, 4)],
    ["other views", [new Int8Array([-1]), new Uint8ClampedArray([255]), new Int16Array([-300]), new Uint16Array([65535]), new Int32Array([-1]),
      new Uint32Array([2 ** 32 - 1]), new Float32Array([0.5]), new Float64Array([Math.PI]), new BigInt64Array([-1n]), new BigUint64Array([2n ** 64n - 1n])]],
    ["a buffer", new Uint8Array([9, 8]).buffer],
    ["a data view", new DataView(new Uint8Array([2, 3]).buffer)],
    ["Node's buffer", Buffer.from("héllo")],
    ["regular expressions", [/a+b/giu, /[/]/, Object.assign(/a/g, { lastIndex: 3 })]],
    ["URLs and their parameters", [new URL("https://example.org/a?b=c#d"), new URLSearchParams("a=1&a=2")]],
    ["registered symbols", [Symbol.for("skein/test"), { [1]: Symbol.for("") }]]
  ]
  for (const [name, value] of samples) {
    it(`${name} arrive as they were`, () => {
      assert.deepStrictEqual(roundTrip(value), value)
    })
  }

  it("Effect's data arrives as Effect's data", () => {
    const values = [
      Option.none(), Option.some({ a: 1 }), Result.succeed(1), Result.fail("no"), Exit.succeed([1]), Exit.fail("no"),
      Duration.seconds(3), Duration.nanos(5n), Duration.infinity, Duration.negativeInfinity, DateTime.makeUnsafe(12345),
      DateTime.makeZonedUnsafe(1_700_000_000_000, { timeZone: "Europe/London" }),
      DateTime.makeZonedUnsafe(1_700_000_000_000, { timeZone: 3_600_000 }), Chunk.make(1, 2), HashMap.make(["a", 1], ["b", 2]),
      HashSet.make("a", "b"), BigDecimal.make(12345n, 2), BigDecimal.make(-1n, -3)
    ]
    for (const value of values) assert.isTrue(Equal.equals(roundTrip(value), value), String(value))
  })

  it("a cause keeps its reasons in order", () => {
    const cause = Cause.fromReasons<unknown>([Cause.makeFailReason("no"), Cause.makeDieReason({ oh: 1 }), Cause.makeInterruptReason(7), Cause.makeInterruptReason()])
    const back = roundTrip(cause)
    assert.isTrue(Cause.isCause(back) && Equal.equals(back, cause))
  })

  it("a field called __proto__ is a field and touches no prototype", () => {
    const back = roundTrip(JSON.parse("{\"__proto__\":{\"polluted\":true},\"constructor\":1}")) as Record<string, unknown>
    assert.strictEqual(Object.getPrototypeOf(back), Object.prototype)
    assert.isTrue(Object.hasOwn(back, "__proto__"))
    assert.isUndefined(({} as { polluted?: unknown }).polluted)
    assert.strictEqual(back["constructor"], 1)
  })

  it("an array of any fields is a list of arguments, whatever else it carries", () => {
    const match = "abc".match(/b/)!
    assert.deepStrictEqual(decode(Result.getOrThrow(Value.encodeList(match))), ["b"])
  })
})

describe("errors", () => {
  it("keep class, message, stack, cause and their own fields", () => {
    const error = Object.assign(new TypeError("bad", { cause: new RangeError("deep") }), { code: "E1", detail: { n: 1 } })
    const back = roundTrip(error) as TypeError & { code: string; detail: unknown }
    assert.instanceOf(back, TypeError)
    assert.deepStrictEqual([back.name, back.message, back.stack, back.code, back.detail], ["TypeError", "bad", error.stack, "E1", { n: 1 }])
    assert.instanceOf(back.cause, RangeError)
    assert.deepStrictEqual(Object.keys(back), ["code", "detail"])
  })

  it("keep a name of their own", () => {
    class Mine extends Error {
      override readonly name = "Mine"
    }
    const back = roundTrip(new Mine("x")) as Error
    assert.deepStrictEqual([back.name, back.message, back instanceof Error], ["Mine", "x", true])
  })

  it("that suppress others keep both", () => {
    const back = roundTrip(new SuppressedError(new Error("a"), "b", "while closing")) as SuppressedError
    assert.instanceOf(back, SuppressedError)
    assert.deepStrictEqual([back.message, (back.error as Error).message, back.suppressed, Object.keys(back)], ["while closing", "a", "b", []])
  })

  it("that gather others keep them", () => {
    const back = roundTrip(new AggregateError([new Error("a"), 2], "both")) as AggregateError
    assert.instanceOf(back, AggregateError)
    assert.deepStrictEqual([back.message, (back.errors[0] as Error).message, back.errors[1]], ["both", "a", 2])
  })

  it.effect("with a tag can be caught by it, and yielded", () =>
    Effect.gen(function*() {
      class NotFound extends Schema.TaggedError<NotFound>()("NotFound", { url: Schema.String }) {
        override get message() {
          return `nothing at ${this.url}`
        }
      }
      class Gone extends Data.TaggedError("Gone")<{ readonly at: number }> {}
      const notFound = roundTrip(new NotFound({ url: "x" })) as NotFound
      const gone = roundTrip(new Gone({ at: 3 })) as Gone
      const caught = yield* Effect.fail(notFound).pipe(Effect.catchTag("NotFound", (e) => Effect.succeed([e.url, e.message, e.name])))
      assert.deepStrictEqual(caught, ["x", "nothing at x", "NotFound"])
      const yielded = yield* Effect.flip(Effect.gen(function*() {
        return yield* gone
      }))
      assert.strictEqual(yielded.at, 3)
    }))
})

describe("what is not data is refused, with the path to it", () => {
  class Money {
    readonly amount = 1
  }
  const cyclic: { self?: unknown } = {}
  cyclic.self = cyclic
  const cyclicMap = new Map<string, unknown>()
  cyclicMap.set("m", cyclicMap)
  let deep: unknown = 1
  for (let level = 0; level < 100; level++) deep = { inner: deep }
  class Base extends Schema.Class<Base>("Value.test/Base")({ n: Schema.Number }) {}
  class Subclass extends Base {}
  class Registered {
    readonly amount: number
    constructor(amount: number) {
      this.amount = amount
    }
  }
  Portable.register(Registered, Schema.Struct({ amount: Schema.Number }).pipe(Schema.decodeTo(Schema.instanceOf(Registered), {
    decode: SchemaGetter.transform(({ amount }: { readonly amount: number }) => new Registered(amount)),
    encode: SchemaGetter.transform(({ amount }: Registered) => ({ amount }))
  })) as Schema.Codec<Registered, unknown>)
  const samples: ReadonlyArray<readonly [name: string, value: unknown, path: ReadonlyArray<string>, found: RegExp]> = [
    ["a function", { a: [0, () => 1] }, ["a", "1"], /^a function/],
    ["a class", { a: Money }, ["a"], /^the class Money$/],
    ["a symbol of this process", [Symbol("s")], ["0"], /^the symbol "s" \(this process's own/],
    ["a symbol as a name", { a: { [Symbol("s")]: 1 } }, ["a"], /symbol/],
    ["an instance of a class", { b: new Map([["k", new Money()]]) }, ["b", "k"], /^an instance of Money \(a class that is not registered\)$/],
    ["a promise", { p: Promise.resolve(1) }, ["p"], /^a Promise$/],
    ["a generator", [(function*() {})()], ["0"], /generator/],
    ["an effect", { e: Effect.sync(() => 1) }, ["e"], /^an Effect/],
    ["what contains itself", { a: cyclic }, ["a", "self"], /^something that contains itself$/],
    ["a map that contains itself", cyclicMap, ["m"], /^something that contains itself$/],
    ["what is nested too deep", deep, Array.from({ length: 64 }, () => "inner"), /^something nested more than 64 deep$/],
    ["a bare shared buffer", { s: new SharedArrayBuffer(1) }, ["s"], /^memory shared with other threads \(send a copy/],
    ["a stream", [Stream.make(1)], ["0"], /^a Stream$/],
    ["a ReadableStream", [new ReadableStream()], ["0"], /^an instance of ReadableStream/],
    ["an iterator", { i: [1].values() }, ["i"], /iterator/],
    ["a WeakMap", { w: new WeakMap() }, ["w"], /^a WeakMap$/],
    ["a boxed number", { n: new Number(1) }, ["n"], /^a Number object \(send its valueOf\(\)\)$/],
    ["a secret", { r: Redacted.make("hunter2") }, ["r"], /^a Redacted value \(its secret stays where it is/],
    ["a queue", { q: Effect.runSync(Queue.unbounded<number>()) }, ["q"], /^an Effect Queue$/],
    ["an instance of a subclass of Map", { m: new (class Sorted extends Map<string, number> {})() }, ["m"], /^an instance of Sorted/],
    ["a map with a field of its own", Object.assign(new Map(), { hint: 1 }), [], /^a Map with the field "hint"$/],
    ["a subclass of a schema's class", { c: new Subclass({ n: 1 }) }, ["c"], /^an instance of Subclass/],
    ["an instance that its schema cannot encode", { b: Object.assign(Object.create(Registered.prototype), { amount: "no" }) }, ["b"], /^an instance of Registered that its schema cannot encode \(Expected number at \["amount"\]\)$/],
    ["a match of a regular expression", { m: "abc".match(/b/) }, ["m"], /an array with the field/],
    ["memory shared with others", { s: new Uint8Array(new SharedArrayBuffer(1)) }, ["s"], /shared/],
    ["a class in the cause of an error", new Error("x", { cause: new Money() }), ["cause"], /Money/],
    ["a class after its siblings", [{ a: { b: 1 } }, { c: new Money() }], ["1", "c"], /Money/]
  ]
  for (const [name, value, path, found] of samples) {
    it(name, () => {
      const refused = refusal(value)
      assert.deepStrictEqual(refused.path, path)
      assert.match(refused.found, found, refused.found)
    })
  }

  it("an object whose getter throws", () => {
    assert.match(refusal({ get a(): unknown { throw new Error("no") } }).found, /throws when read \(Error: no\)/)
    assert.match(refusal({ get a(): unknown { throw Object.create(null) } }).found, /throws when read \(\{\}\)/)
  })

  it("more bytes than allowed", () => {
    const result = Value.encode(new Uint8Array(5000), { limitBytes: 4000 })
    assert.isTrue(Result.isFailure(result))
  })

  it("and the next value is not disturbed by it", () => {
    refusal([1, 2, () => 1])
    assert.deepStrictEqual(roundTrip([1]), [1])
  })

  it("a getter that encodes something itself does not disturb what is around it", () => {
    const value = { a: 1, get b() { return encode({ inner: 1 }).length }, c: 3 }
    assert.deepStrictEqual(roundTrip(value), { a: 1, b: encode({ inner: 1 }).length, c: 3 })
  })
})

describe("holes and names", () => {
  class Handle {
    readonly index: number
    constructor(index: number) {
      this.index = index
    }
  }
  it("a future becomes its position, wherever it stands, and its value again", () => {
    const bytes = encode({ a: new Handle(0), b: [new Map([["k", new Handle(1)]])] }, { hole: (value) => value instanceof Handle ? value.index : undefined })
    assert.deepStrictEqual(decode(bytes, { fill: (index) => ["x", "y"][index] }), { a: "x", b: [new Map([["k", "y"]])] })
  })

  it("a future where none is expected is refused", () => {
    const bytes = encode(new Handle(0), { hole: () => 0 })
    assert.isTrue(Result.isFailure(Value.decode(bytes)))
  })

  it("an instance of a class travels under the name of its codec", () => {
    const bytes = encode([new Handle(5)], { named: (value) => value instanceof Handle ? { name: "Handle", encoded: value.index } : undefined })
    assert.deepStrictEqual(decode(bytes, { named: (name, encoded) => `${name} ${encoded}` }), ["Handle 5"])
  })

  it("a name that nobody knows is refused, as is one whose codec throws", () => {
    const bytes = encode(new Value.Named("Other", 1))
    assert.isTrue(Result.isFailure(Value.decode(bytes)))
    const result = Value.decode(bytes, { named: (name) => { throw new Error(`no codec ${name}`) } })
    assert.match(Result.isFailure(result) ? result.failure.message : "", /no codec Other/)
  })
})

describe("instances of classes", () => {
  class Point extends Schema.Class<Point>("Value.test/Point")({ x: Schema.Number, when: Schema.DateFromString }) {
    get double() {
      return 2 * this.x
    }
  }
  class TooFar extends Schema.TaggedError<TooFar>()("Value.test/TooFar", { by: Schema.BigInt, at: Point }) {
    override get message() {
      return `too far by ${this.by}`
    }
  }
  class Money {
    readonly amount: number
    constructor(amount: number) {
      this.amount = amount
    }
  }
  const money = Schema.Struct({ amount: Schema.Number }).pipe(Schema.decodeTo(Schema.instanceOf(Money), {
    decode: SchemaGetter.transform(({ amount }: { readonly amount: number }) => new Money(amount)),
    encode: SchemaGetter.transform(({ amount }: Money) => ({ amount }))
  })) as Schema.Codec<Money, unknown>
  const arrived = (value: unknown) => decode(encode(value), { named: named() })
  const point = new Point({ x: 2, when: new Date(7) })

  it("of a schema's class arrive as instances, checked on both sides", () => {
    const back = arrived([point, { deep: point }]) as [Point, { deep: Point }]
    assert.instanceOf(back[0], Point)
    assert.deepStrictEqual([back[0].double, back[1].deep.when], [4, new Date(7)])
    // What comes from anybody is checked by the schema, whatever name it says it has.
    const forged = encode(new Value.Named("Value.test/Point/class", { x: "2", when: "now" }))
    assert.isTrue(Result.isFailure(Value.decode(forged, { named: named() })))
  })

  it("of a schema's error arrive as instances, with the stack they had", () => {
    const error = new TooFar({ by: 3n, at: point })
    const back = arrived({ error }) as { error: TooFar }
    assert.instanceOf(back.error, TooFar)
    assert.deepStrictEqual([back.error.message, back.error.by, back.error.at.double, back.error.stack], ["too far by 3", 3n, 4, error.stack])
  })

  it("of an error whose class is not known here arrive as an error of its name, tag and fields", () => {
    const error = new TooFar({ by: 3n, at: point })
    const back = decode(encode(error)) as Error & { readonly _tag: string }
    assert.deepStrictEqual([back instanceof TooFar, back instanceof Error], [false, true])
    assert.deepStrictEqual([back._tag, back.message, back.name, back.stack], ["Value.test/TooFar", "too far by 3", "Value.test/TooFar", error.stack])
  })

  it("of any class arrive once that is registered, and are refused before", () => {
    assert.strictEqual(refusal(new Money(1)).found, "an instance of Money (a class that is not registered)")
    Portable.register(Money, money)
    const back = arrived(new Map([["m", new Money(5)]])) as Map<string, Money>
    assert.instanceOf(back.get("m"), Money)
    assert.strictEqual(back.get("m")?.amount, 5)
  })

  it("of two classes of one name are not mixed up", () => {
    const other = (() => {
      class Point extends Schema.Class<Point>("Value.test/Point")({ y: Schema.Number }) {}
      return new Point({ y: 1 })
    })()
    arrived(point)
    assert.strictEqual(refusal([other]).found, "an instance of Value.test/Point, of which name there is another class; give one of them another identifier")
  })

  it("are known on the other side from the exports of a module", () => {
    class Exported extends Schema.Class<Exported>("Value.test/Exported")({ n: Schema.Number }) {}
    const bytes = encode(new Value.Named("Value.test/Exported/class", { n: 1 }))
    assert.isTrue(Result.isFailure(Value.decode(bytes, { named: named() })))
    learnExports({ Exported, other: 1, helper: () => 2 })
    assert.instanceOf(decode(bytes, { named: named() }), Exported)
  })

  it("cannot be registered without a class, a name or a schema", () => {
    assert.throws(() => Portable.register(class {}, Schema.Any), /the option `Portable.register` is not valid: expected a class with a name/)
    assert.throws(() => Portable.register((() => 1) as never, Schema.Any), /expected a class\n/)
    assert.throws(() => Portable.register(Money, {} as never), /expected a schema of the class/)
  })
})

describe("long bytes", () => {
  const rawOf = (value: ArrayBuffer | ArrayBufferView) => value instanceof ArrayBuffer ? Buffer.from(value) : Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  const long = Float64Array.from({ length: 20_000 }, (_, i) => i)
  const bytes = Result.getOrThrow(Value.encode({ name: "long", long, again: [long.subarray(1)], short: long.subarray(0, 10) }))
  const decoded = (own: boolean) =>
    Result.getOrThrow(Value.decode(bytes, { own })) as { readonly long: Float64Array; readonly again: readonly [Float64Array]; readonly short: Float64Array }

  it("are views of the bytes that are the reader's own, wherever they stand, and short ones are not", () => {
    const { again: [again], long: first, short } = decoded(true)
    assert.deepStrictEqual(first, long)
    assert.deepStrictEqual(again, long.subarray(1))
    assert.deepStrictEqual([first.buffer === bytes.buffer, again.buffer === bytes.buffer, short.buffer === bytes.buffer], [true, true, false])
  })

  it("are copies of the bytes that others see too", () => {
    const { long: first } = decoded(false)
    assert.deepStrictEqual(first, long)
    assert.notStrictEqual(first.buffer, bytes.buffer)
  })

  it("are copied where they do not lie as their elements need it, and arrive the same", () => {
    const shifted = new Uint8Array(bytes.length + 1)
    shifted.set(bytes, 1)
    const { long: first } = Result.getOrThrow(Value.decode(shifted.subarray(1), { own: true })) as { readonly long: Float64Array }
    assert.deepStrictEqual(first, long)
    assert.notStrictEqual(first.buffer, shifted.buffer)
  })

  it("of every kind arrive as they were, viewed or not", () => {
    const buffer = new Uint8Array(80_000).map((_, i) => i).buffer
    for (const value of [buffer, new DataView(buffer, 8, 70_000), Buffer.from(buffer), new BigInt64Array(buffer), new Uint8Array(buffer, 3)]) {
      const own = Result.getOrThrow(Value.encode([1, value]))
      for (const read of [Value.decode(own, { own: false }), Value.decode(own, { own: true })]) {
        const [, found] = Result.getOrThrow(read) as [number, typeof value]
        assert.strictEqual(found.constructor, value.constructor)
        assert.strictEqual(Buffer.compare(rawOf(found), rawOf(value)), 0)
      }
    }
  })

  it("are a copy, also out of a `Buffer`, whose own `slice` is a view", () => {
    const bytes = Result.getOrThrow(Value.encode([new Uint8Array([7, 8, 9]), new Float64Array([0.5])]))
    const within = Buffer.concat([Buffer.alloc(100, 1), bytes]).subarray(100)
    const [small, aligned] = decode(within) as [Uint8Array, Float64Array]
    within.fill(0)
    assert.deepStrictEqual([small, aligned], [new Uint8Array([7, 8, 9]), new Float64Array([0.5])])
    assert.strictEqual(small.buffer.byteLength, 3)
  })

  it("may have up to seven bytes before them and no more", () => {
    const pad = 35
    const one = Result.getOrThrow(Value.encode(new Uint8Array([1])))
    const padded = (pads: number) => Value.decode(new Uint8Array([...new Array<number>(pads).fill(pad), ...one]))
    assert.deepStrictEqual(Result.getOrThrow(padded(7)), new Uint8Array([1]))
    assert.isTrue(Result.isFailure(padded(8)))
    assert.isTrue(Result.isFailure(Value.decode(new Uint8Array([pad, 0]))))
  })

  it("with a part of an element are refused", () => {
    const one = Result.getOrThrow(Value.encode(new Float64Array(1)))
    one[1 + 1] = 7
    assert.isTrue(Result.isFailure(Value.decode(one.subarray(0, one.length - 1))))
  })
})

describe("bytes from anybody", () => {
  const outcome = (bytes: Uint8Array) => Value.decode(bytes, { fill: (i) => i, named: (_, value) => value })

  it("a count that the bytes cannot hold allocates nothing", () => {
    for (const tag of [7, 8, 10, 11, 12, 13, 14, 26, 30, 31, 32]) {
      assert.isTrue(Result.isFailure(outcome(new Uint8Array([tag, 255, 255, 255, 255, 15]))), `tag ${tag}`)
    }
    assert.isTrue(Result.isFailure(outcome(new Uint8Array([16, 0, 255, 255, 255, 255, 15]))))
  })

  it("nesting without end is refused", () => {
    assert.isTrue(Result.isFailure(outcome(new Uint8Array(100_000).fill(21))))
  })

  it("what comes after the value is refused", () => {
    assert.isTrue(Result.isFailure(outcome(new Uint8Array([0, 0]))))
  })

  it("every truncation of a value is refused", () => {
    const bytes = encode({ a: [1, 2.5, "text", new Map([[1n, new Error("x")]]), Option.some(new Uint8Array(9)), Cause.fail(Exit.succeed(1))], u: new URL("http://a/") })
    for (let length = 0; length < bytes.length; length++) assert.isTrue(Result.isFailure(outcome(bytes.subarray(0, length))), `${length} bytes`)
  })

  it("noise gives a value or a ValueInvalid, never anything else", () => {
    class Noisy extends Schema.TaggedError<Noisy>()("Value.test/Noisy", { n: Schema.Number }) {}
    const seeds = encode([
      1, "abc", { a: new Date(5), b: [Duration.millis(3), DateTime.makeUnsafe(1)], c: /x/g, d: new URL("http://a/") }, new Error("e"), HashMap.make([1, 2]),
      new Noisy({ n: 1 }), Symbol.for("s"), new URLSearchParams("a=b"), BigDecimal.make(5n, 1), Object.assign(/y/g, { lastIndex: 1 }),
      new SuppressedError(1, 2), new AggregateError([3]), JSON.parse("{\"__proto__\":{\"polluted\":1}}")
    ])
    let state = 1
    const next = () => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) / 2 ** 32
    let decoded = 0
    for (let i = 0; i < 3_000; i++) {
      const bytes = i % 2 === 0 ? Uint8Array.from({ length: Math.floor(next() * 40) }, () => next() * 256) : seeds.slice()
      if (i % 2 === 1) for (let n = 0; n < 3; n++) bytes[Math.floor(next() * bytes.length)] = next() * 256
      const result = outcome(bytes)
      if (Result.isSuccess(result)) decoded++
      else assert.instanceOf(result.failure, Value.ValueInvalid)
    }
    assert.isAbove(decoded, 50)
    assert.deepStrictEqual([Object.keys(Object.prototype), Object.keys(Error.prototype), ({} as { polluted?: unknown }).polluted], [[], [], undefined])
  })

  it.prop("every JSON value survives", [Schema.Json], ([json]) => {
    assert.deepStrictEqual(roundTrip(json), json)
  }, { arbitrary: { seed: 1 } })
})
