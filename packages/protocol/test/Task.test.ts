import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Layer, Option, Result, Schema, type Scope } from "effect"
import { PayloadInvalid } from "@skein/protocol/Errors"
import { firstPlace } from "../src/internal/callSite.ts"
import { encodeRaised, decodeFailure } from "@skein/protocol/Raised"
import * as Raised from "@skein/protocol/Raised"
import { contractOf, fnEntry, handlersIn, isGeneric, sourceOf, Task, type TaskServices } from "@skein/protocol/Task"
import * as Registry from "@skein/protocol/TaskRegistry"
import { callHandler, codecsOfFn, codecsOfTask, encodeResult, named, payloadArgs, raisedOf } from "@skein/protocol/TaskValues"
import * as Value from "@skein/protocol/Value"

class Point extends Schema.Class<Point>("Point")({ x: Schema.Number }) {}
class Bad extends Schema.TaggedError<Bad>()("Bad", { n: Schema.Int }) {}
class Db extends Context.Service<Db, { readonly size: number }>()("test/Db") {}
const Resize = Task.make("Resize", {
  payload: { url: Schema.String, width: Schema.Int, dpi: Schema.Int.pipe(Schema.withConstructorDefault(Effect.succeed(72))), when: Schema.Date },
  success: Point,
  error: Bad,
  version: 2
})
const noHoles = () => false
const hole = { future: true }
const isHole = (value: unknown) => value === hole
/** As a worker runs it; the bodies of these tests ask for a scope at most. */
const asWorker = <A, E>(effect: Effect.Effect<A, E, TaskServices>) => Effect.scoped(effect as Effect.Effect<A, E, Scope.Scope>)
const build = <E>(layer: Layer.Layer<never, E>) => Effect.map(Layer.build(layer), (context) => handlersIn(context)[0]!)
const travel = (args: ReadonlyArray<unknown>) => Result.getOrThrow(Value.decode(Result.getOrThrow(Value.encodeList(args))))

describe("Task.fn", () => {
  it("is the function, with a name", () => {
    const inc = Task.fn("inc", (n: number) => n + 1)
    assert.deepStrictEqual([inc(1), inc.name, inc.length], [2, "inc", 1])
  })

  it("knows the module in which it was made, and says whether that was named", () => {
    const here = fnEntry(Task.fn("here", () => 1))!
    assert.isFalse(here.moduleFirst)
    assert.match(here.module ?? "", /^file:\/\/.*\/packages\/protocol\/test\/Task\.test\.ts$/)
    const there = fnEntry(Task.fn("there", () => 1, { module: "file:///somewhere/tasks.ts" }))!
    assert.deepStrictEqual([there.module, there.moduleFirst], ["file:///somewhere/tasks.ts", true])
  })

  it("is known to whoever listens at once, and to whoever asks later", () => {
    const heard: Array<string> = []
    const end = Registry.onRegistered((entry) => heard.push(entry.name))
    Task.fn("heard", () => 1)
    end()
    Task.fn("unheard", () => 1)
    assert.deepStrictEqual(heard, ["heard"])
    assert.includeMembers([...Registry.entries()].map(({ name }) => name), ["heard", "unheard"])
  })

  it("tells apart what can be known of a body without running it", () => {
    const returns = (body: (...args: ReadonlyArray<never>) => unknown) => fnEntry(Task.fn("body", body))!.returns
    assert.strictEqual(returns(async () => 1), "async")
    assert.strictEqual(returns(Effect.fnUntraced(function*() { return yield* Effect.succeed(1) })), "effect")
    assert.strictEqual(returns(Effect.fn("x")(function*() { return yield* Effect.succeed(1) })), "effect")
    assert.strictEqual(returns(() => Effect.succeed(1)), "unknown")
    assert.strictEqual(returns(() => 1), "unknown")
  })

  it("notices two tasks that differ only in what their bodies closed over", () => {
    const times = (k: number) => Task.fn("times", (n: number) => n * k)
    const first = fnEntry(times(2))!
    assert.isFalse(Registry.isAmbiguous(first))
    times(3)
    assert.isTrue(Registry.isAmbiguous(first))
  })

  it("takes along what it captures as that is when it is made, and refuses what cannot travel", () => {
    const scale = [2]
    const scaled = fnEntry(Task.fn("scaled", (n: number) => n * scale[0]!, { captures: { scale } }))!
    scale[0] = 3
    assert.deepStrictEqual(Value.decode(scaled.captures!), Result.succeed({ scale: [2] }))
    const message = (captures: Readonly<Record<string, unknown>>) => {
      try {
        Task.fn("f", (n: number) => n, { captures })
      } catch (thrown) {
        return (thrown as Error).message
      }
      return undefined
    }
    assert.strictEqual(message({ helpers: { inc: (n: number) => n + 1 } }),
      "the option `captures` is not valid: expected data, found a function (inc) at [\"helpers\"][\"inc\"]\n  fix  change or remove it")
    assert.match(message({ socket: new (class Socket {})() }) ?? "", /an instance of Socket.* at \["socket"\]/)
    assert.match(message({ "not a name": 1 }) ?? "", /names of variables, and "not a name" is none/)
    assert.match(message({ class: 1 }) ?? "", /"class" is none/)
    assert.match(message({ all: new Uint8Array(9 << 20) }) ?? "", /8 MiB at most/)
    assert.isUndefined(message({ größe: 1, $: undefined, _: null }))
  })

  it("tells tasks apart by what they capture, where text and module are the same", () => {
    const times = (k: number) => fnEntry(Task.fn("timesCaptured", (n: number) => n * k, { captures: { k } }))!
    const [two, three] = [times(2), times(3)]
    assert.deepStrictEqual([Registry.isAmbiguous(two), Registry.isAmbiguous(three)], [false, false])
    times(2)
    assert.isTrue(Registry.isAmbiguous(two))
  })

  it("runs as a fiber if it has services, whatever its body looks like", () => {
    assert.strictEqual(fnEntry(Task.fn("served", (n: number) => Effect.map(Db, (db) => db.size * n), { services: Layer.succeed(Db, { size: 2 }) }))!.returns, "effect")
  })

  it("refuses what it cannot do, by name", () => {
    const refused = (make: () => unknown) => {
      try {
        make()
      } catch (thrown) {
        return (thrown as { option?: string }).option
      }
      return undefined
    }
    const body = (n: number) => n
    assert.strictEqual(refused(() => Task.fn("", body)), "name")
    assert.strictEqual(refused(() => Task.fn("f", body, { services: Layer.empty, isolation: "thread" })), "isolation")
    // @ts-expect-error not a layer
    assert.strictEqual(refused(() => Task.fn("f", body, { services: { url: "db" } })), "services")
    assert.strictEqual(refused(() => Task.fn("f", body, { timeout: 0 })), "timeout")
    assert.strictEqual(refused(() => Task.fn("f", body, { retries: -1 })), "retries")
    assert.strictEqual(refused(() => Task.fn("f", body, { retries: { times: 1, factor: 3 } })), "retries")
    assert.strictEqual(refused(() => Task.fn("f", body, { module: "tasks.ts" })), "module")
    // @ts-expect-error a misspelt option
    assert.strictEqual(refused(() => Task.fn("f", body, { retires: 3 })), "retires")
    assert.strictEqual(refused(() => Task.make("T", { resources: { GPU: -1 } })), "resources")
    assert.strictEqual(refused(() => Task.fn("f", body, { span: "" })), "span")
    assert.deepStrictEqual(fnEntry(Task.fn("f", body, { retries: { times: 2 }, priority: 1, pure: false }))!.defaults, { retries: 2, priority: 1, pure: false })
  })

  it("texts that say nothing of their function are known as such", () => {
    assert.isTrue(isGeneric(sourceOf(Math.max)))
    assert.isTrue(isGeneric(sourceOf((function(this: unknown) {}).bind(1))))
    assert.isTrue(isGeneric(sourceOf(Effect.fnUntraced(function*(_: number) {}))))
    assert.isFalse(isGeneric(sourceOf((n: number) => n)))
  })
})

describe("the stack", () => {
  const frames = (...lines: ReadonlyArray<string>) => ["Error", ...lines.map((line) => `    at ${line}`)].join("\n")
  it("names the first module that is not ours", () => {
    const stack = frames("fn (file:///w/protocol/src/Task.ts:1:1)", "file:///app/tasks.ts:3:20", "file:///app/main.ts:1:1")
    assert.deepStrictEqual(firstPlace(stack, ["/protocol/src/Task.ts"]), { url: "file:///app/tasks.ts", line: 3, column: 20 })
  })
  it("is read as Node, vitest and Windows write it, spaces and brackets included", () => {
    assert.strictEqual(firstPlace(frames("Object.<anonymous> (/app/my tasks.ts:3:20)"), [])?.url, "file:///app/my%20tasks.ts")
    assert.strictEqual(firstPlace(frames("C:\\app\\tasks.ts:3:20"), [])?.url, "file:///C:/app/tasks.ts")
    assert.strictEqual(firstPlace(frames("node:internal/modules:1:2", "async file:///a/b.mts:1:1"), [])?.url, "file:///a/b.mts")
  })
  it("that says nothing gives nothing", () => {
    for (const stack of [undefined, [], "", frames("eval (<anonymous>)", "<anonymous>")]) assert.isNull(firstPlace(stack, []))
  })
})

describe("Task.make", () => {
  it.effect("a layer implements it, with what it needs from its own context and a scope of each run", () =>
    Effect.gen(function*() {
      const closed: Array<number> = []
      const live = Resize.toLayer(({ width, dpi }) =>
        Effect.gen(function*() {
          const db = yield* Db
          yield* Effect.addFinalizer(() => Effect.sync(() => closed.push(width)))
          return new Point({ x: width * dpi * db.size })
        })
      ).pipe(Layer.provide(Layer.succeed(Db, { size: 2 })))
      const handler = yield* build(live)
      assert.deepStrictEqual([handler.task.name, handler.version], ["Resize", 2])
      const args = Result.getOrThrow(payloadArgs(Resize, { url: "a", width: 3, when: new Date(0) }, noHoles))
      const point = yield* asWorker(callHandler(handler, travel(args)))
      assert.deepStrictEqual(point, new Point({ x: 3 * 72 * 2 }))
      assert.deepStrictEqual(closed, [3])
    }))

  it.effect("the body may be built once by an Effect", () =>
    Effect.gen(function*() {
      let built = 0
      const Sum = Task.make("Sum", { payload: Schema.Array(Schema.Number), success: Schema.Number })
      const handler = yield* build(Sum.toLayer(Effect.sync(() => {
        built++
        return (xs: ReadonlyArray<number>) => Effect.succeed(xs.length)
      })))
      for (const xs of [[1], [1, 2]]) {
        assert.strictEqual(yield* asWorker(callHandler(handler, travel(Result.getOrThrow(payloadArgs(Sum, xs, noHoles))))), xs.length)
      }
      assert.strictEqual(built, 1)
    }))

  it.effect("a payload with futures is looked at once they are filled", () =>
    Effect.gen(function*() {
      const handler = yield* build(Resize.toLayer(({ width }) => Effect.succeed(new Point({ x: width }))))
      const args = Result.getOrThrow(payloadArgs(Resize, { url: hole, width: 3, when: new Date(0) }, isHole))
      assert.strictEqual(args[0], "raw")
      const filled = (url: unknown) => ["raw", { ...(args[1] as object), url }]
      assert.deepStrictEqual(yield* asWorker(callHandler(handler, filled("x"))), new Point({ x: 3 }))
      const exit = yield* Effect.exit(asWorker(callHandler(handler, filled(1))))
      const defect = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
      assert.instanceOf(defect, PayloadInvalid)
      assert.deepStrictEqual(defect.path, ["url"])
    }))

  it("a payload that is wrong is refused with the path, futures or not", () => {
    const refused = (payload: unknown, holes = noHoles as (value: unknown) => boolean) => {
      const args = payloadArgs(Resize, payload, holes)
      return Result.isFailure(args) ? [args.failure.path, args.failure.expected] as const : assert.fail("it was taken")
    }
    const [path, expected] = refused({ url: "a", width: 12.5, when: new Date() })
    assert.deepStrictEqual(path, ["width"])
    assert.match(expected, /integer/)
    assert.deepStrictEqual(refused({ url: "a", when: new Date() })[0], ["width"])
    assert.deepStrictEqual(refused({ url: "a", width: 1, when: new Date(), widht: 2 })[0], ["widht"])
    assert.deepStrictEqual(refused({ url: hole, width: "1", when: new Date() }, isHole)[0], ["width"])
    assert.deepStrictEqual(refused({ url: hole, widht: 1 }, isHole)[0], ["widht"])
  })

  it("its version is a whole number and its options are looked at", () => {
    assert.throws(() => Task.make("T", { version: 1.5 }), /version/)
    const { defaults, place, version } = contractOf(Task.make("T", { retries: 2 }))!
    assert.deepStrictEqual([version, defaults], [1, { retries: 2 }])
    assert.match(place?.url ?? "", /Task\.test\.ts$/)
  })
})

describe("results and failures", () => {
  const decode = (bytes: Uint8Array, own = {}) => Result.getOrThrow(Value.decode(bytes, { named: named(own) }))

  it("with a codec arrive as instances, whoever decodes them, if the task is known", () => {
    const bytes = Result.getOrThrow(encodeResult(new Point({ x: 1 }), codecsOfTask(Resize)))
    assert.instanceOf(decode(bytes), Point)
    const points = Task.fn("points", (n: number) => [new Point({ x: n })], { success: Schema.Array(Point) })
    const list = decode(Result.getOrThrow(encodeResult(points(1), codecsOfFn(fnEntry(points)!)))) as ReadonlyArray<unknown>
    assert.instanceOf(list[0], Point)
  })

  it("of a task that is not known are refused", () => {
    const bytes = Result.getOrThrow(Value.encode(new Value.Named("Elsewhere@1/success", 1)))
    const decoded = Value.decode(bytes, { named: named() })
    assert.match(Result.isFailure(decoded) ? decoded.failure.message : "", /import its module/)
  })

  it("that cannot travel say where and why", () => {
    const plain = encodeResult({ a: new (class Socket {})() }, {})
    assert.deepStrictEqual(Result.isFailure(plain) && plain.failure, { _tag: "ResultInvalid", path: ["a"], found: "an instance of Socket (a class that is not registered)" })
    const typed = encodeResult({ x: "1" }, codecsOfTask(Resize))
    assert.isTrue(Result.isFailure(typed) && typed.failure._tag === "ResultInvalid")
  })

  it("an error with a codec arrives as an instance; one that it does not cover as a value", () => {
    const arrive = (error: unknown) => {
      const raised = Option.getOrThrow(raisedOf(Cause.fail(error), codecsOfTask(Resize)))
      const body = encodeRaised(raised, { worker: "w", attempt: 1, startedAtMs: 0, endedAtMs: 1 })
      return Option.getOrThrow(Cause.findErrorOption(decodeFailure({ _tag: "Raised", body }, { key: "k", task: "Resize", named: named() })))
    }
    assert.instanceOf(arrive(new Bad({ n: 1 })), Bad)
    assert.deepStrictEqual(arrive("text"), "text")
    assert.deepStrictEqual(Raised.fromCause(Cause.interrupt()), Option.none())
  })
})
