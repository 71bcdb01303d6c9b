import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Option, Schema } from "effect"
import { Failure, TaskDefect, TaskError, TaskOrigin } from "@skein/protocol/Failure"
import * as Raised from "@skein/protocol/Raised"
import * as Value from "@skein/protocol/Value"

const by: Raised.RaisedBy = { worker: "worker-1", attempt: 2, startedAtMs: 1000, endedAtMs: 1500 }
const at: Raised.RaisedAt = { key: "fetch-1", task: "fetch" }
const travel = (raised: Raised.Raised, options: Partial<Raised.RaisedAt> = {}) =>
  Raised.decodeFailure({ _tag: "Raised", body: Raised.encodeRaised(raised, by) }, { ...at, ...options })
const errorOf = (cause: Cause.Cause<unknown>) => Option.getOrThrow(Cause.findErrorOption(cause))
const originOf = (cause: Cause.Cause<unknown>) => Option.getOrThrow(Context.getOption(Cause.annotations(cause), TaskOrigin))

class NotFound extends Schema.TaggedError<NotFound>()("NotFound", { url: Schema.String }) {}

describe("what a body raised", () => {
  it.effect("its own error stays its own, and says where it was raised", () =>
    Effect.gen(function*() {
      const error = new NotFound({ url: "x" })
      const cause = travel({ _tag: "Error", error })
      const url = yield* (Effect.failCause(cause) as Effect.Effect<never, NotFound>).pipe(Effect.catchTag("NotFound", (e) => Effect.succeed(e.url)))
      assert.strictEqual(url, "x")
      assert.deepStrictEqual(originOf(cause), { key: "fetch-1", task: "fetch", worker: "worker-1", attempt: 2, remoteStack: error.stack! })
    }))

  it("an error under the name of a codec is what the codec makes of it", () => {
    const error = errorOf(travel(
      { _tag: "Error", error: new Value.Named("fetch/error", { url: "x" }) },
      { named: (name, encoded) => name === "fetch/error" ? new NotFound(encoded as { url: string }) : undefined }
    ))
    assert.instanceOf(error, NotFound)
  })

  it("a defect is a TaskError with the remote error, its stack and the attempt", () => {
    const thrown = new RangeError("too far")
    const cause = travel({ _tag: "Defect", defect: thrown })
    const error = errorOf(cause)
    assert.instanceOf(error, TaskError)
    assert.deepStrictEqual([error.code, error.key, error.task, error.reason._tag], ["SKEIN3000", "fetch-1", "fetch", "TaskDefect"])
    const reason = error.reason as TaskDefect
    assert.instanceOf(reason.cause, RangeError)
    assert.deepStrictEqual([reason.worker, reason.remoteStack], ["worker-1", thrown.stack!])
    assert.deepStrictEqual(reason.attempts.map(({ detail, endedAtMs, startedAtMs }) => [detail, startedAtMs, endedAtMs]), [["RangeError: too far", 1000, 1500]])
    const lines = error.message.split("\n")
    assert.strictEqual(lines[0], "SKEIN3000 fetch-1 threw on worker-1: RangeError: too far")
    assert.match(lines[1]!, /^ {4}at .*Raised\.test\.ts/)
    assert.notMatch(error.message, /node:|node_modules\/effect/)
  })

  it("frames of the image that workers begin with are not the user's", () => {
    const thrown = Object.assign(new Error("boom"), {
      stack: "Error: boom\n    at eval (eval at fromText (/home/ann/.cache/skein/images/02/skein-image.cjs:78345:27), <anonymous>:3:54)\n" +
        "    at load (file:///home/ann/tasks.ts:3:9)\n    at /home/ann/.cache/skein/images/02/skein-image.cjs:79236:46"
    })
    const { message } = errorOf(travel({ _tag: "Defect", defect: thrown })) as TaskError
    assert.strictEqual(message, "SKEIN3000 fetch-1 threw on worker-1: Error: boom\n    at load (file:///home/ann/tasks.ts:3:9)")
  })

  it("a result that cannot travel says where and what", () => {
    const error = errorOf(travel({ _tag: "ResultInvalid", path: ["a", "b"], found: "an instance of Socket" })) as TaskError
    assert.strictEqual(error.reason._tag, "ResultInvalid")
    assert.match(error.message, /\["a"\]\["b"\]: an instance of Socket/)
  })

  it("an error with a field that cannot travel arrives as its name, message and tag", () => {
    const error = Object.assign(new Error("lost"), { _tag: "Lost", socket: () => 1 })
    const back = errorOf(travel({ _tag: "Error", error })) as typeof error
    assert.deepStrictEqual([back._tag, back.message, back.socket, back instanceof Error], ["Lost", "lost", undefined, true])
  })

  it("an error that is too long is cut", () => {
    const back = errorOf(travel({ _tag: "Error", error: new Error("x".repeat(2_000_000)) })) as Error
    assert.strictEqual(back.message.length, Raised.ERROR_LIMIT_CHARACTERS + 1)
  })

  it("what throws when it is looked at is still reported", () => {
    const hostile = new Proxy({}, { get: () => { throw new Error("no") }, has: () => { throw new Error("no") }, getPrototypeOf: () => { throw new Error("no") } })
    assert.strictEqual((errorOf(travel({ _tag: "Defect", defect: hostile })) as TaskError).reason._tag, "TaskDefect")
    assert.isDefined(errorOf(travel({ _tag: "Error", error: hostile })))
  })

  it("what has no text of its own is told in what words there are", () => {
    const told = (defect: unknown) => {
      const { message, reason } = errorOf(travel({ _tag: "Defect", defect })) as TaskError
      return [message.split("\n")[0], (reason as TaskDefect).attempts[0]!.detail]
    }
    assert.deepStrictEqual(told({ toString: 1 }), ["SKEIN3000 fetch-1 threw on worker-1: {\"toString\":1}", "{\"toString\":1}"])
    assert.deepStrictEqual(told({ amount: 10n }), ["SKEIN3000 fetch-1 threw on worker-1: {\"amount\":\"10n\"}", "{\"amount\":\"10n\"}"])
    assert.deepStrictEqual(told(new Error("")), ["SKEIN3000 fetch-1 threw on worker-1: Error", "Error"])
  })

  it("a body that makes no sense is a defect, not a crash", () => {
    for (const body of [new Uint8Array(), new Uint8Array([0]), new Uint8Array([255]), new Uint8Array(30).fill(21)]) {
      const error = errorOf(Raised.decodeFailure({ _tag: "Raised", body }, at)) as TaskError
      assert.strictEqual(error.reason._tag, "TaskDefect")
    }
  })

  it("of a cause, the error counts before the defect, and interruption alone is nothing raised", () => {
    const both = Cause.combine(Cause.die("d"), Cause.fail("e"))
    assert.deepStrictEqual(Raised.fromCause(both), Option.some({ _tag: "Error", error: "e" }))
    assert.deepStrictEqual(Raised.fromCause(Cause.die("d")), Option.some({ _tag: "Defect", defect: "d" }))
    assert.deepStrictEqual(Raised.fromCause(Cause.interrupt(1)), Option.none())
  })
})

describe("what the cluster did", () => {
  const attempt = { worker: "w-1", startedAtMs: 0, endedAtMs: 10, ended: "signal" as const, detail: "SIGKILL", peakMemoryBytes: Option.some(2 ** 20), logTail: ["x"] }
  const cases: ReadonlyArray<readonly [failure: Failure, code: string, text: RegExp]> = [
    [{ _tag: "Cancelled", by: "etl", note: "superseded" }, "SKEIN3003", /cancelled by client "etl": "superseded"/],
    [{ _tag: "Cancelled", by: "etl", note: null, atMs: 1_000_000_000_000 }, "SKEIN3003", /cancelled by client "etl" at 01:46:40 UTC\n/],
    [{ _tag: "Killed", attempts: [attempt, attempt] }, "SKEIN3002", /stopped after 2 attempts[^]*w-1 +10 ms +SIGKILL +1 MiB/],
    [{ _tag: "TimedOut", limitMs: 1500, attempts: [] }, "SKEIN3005", /longer than its limit of 1s/],
    [{ _tag: "Unrunnable", wanted: "{ GPU: 1 }", offers: ["w-1 {}"] }, "SKEIN3001", /offers \{ GPU: 1 \}/],
    [{ _tag: "Conflict", heldBy: "client \"b\"" }, "SKEIN1007", /submitted by client "b"/],
    [{ _tag: "Lost" }, "SKEIN3006", /the last worker that held it is gone/]
  ]
  for (const [failure, code, text] of cases) {
    it(`${failure._tag} is a TaskError with its code and what to do`, () => {
      const cause = Raised.decodeFailure(failure, at)
      const error = errorOf(cause) as TaskError
      assert.strictEqual(error.code, code)
      assert.match(error.message, text)
      assert.match(error.message, /\n {2}fix/)
      assert.deepStrictEqual([originOf(cause).key, originOf(cause).task], ["fetch-1", "fetch"])
    })
  }

  it("every failure passes through its schema", () => {
    for (const [failure] of cases) assert.deepStrictEqual(Schema.decodeUnknownSync(Failure)(Schema.encodeSync(Failure)(failure)), failure)
  })
})
