/** Code under simulation that reaches for the real world is told so, with its own line. */
import { assert, describe, it } from "@effect/vitest"
import { EscapedSimulation } from "@skein/simulation/Errors"
import * as World from "@skein/simulation/World"
import { Cause, DateTime, Effect, Exit, Hash, HashSet, Random } from "effect"

const escapes: Readonly<Record<string, () => unknown>> = {
  "Date.now": () => Date.now(),
  "performance.now": () => performance.now(),
  "process.hrtime": () => process.hrtime(),
  "process.nextTick": () => process.nextTick(() => {}),
  "Math.random": () => Math.random(),
  setTimeout: () => setTimeout(() => {}, 1),
  setInterval: () => setInterval(() => {}, 1),
  setImmediate: () => setImmediate(() => {}),
  queueMicrotask: () => queueMicrotask(() => {}),
  fetch: () => fetch("http://127.0.0.1:1"),
  "crypto.randomUUID": () => crypto.randomUUID(),
  "crypto.getRandomValues": () => crypto.getRandomValues(new Uint8Array(1)),
  "crypto.subtle.digest": () => crypto.subtle.digest("SHA-256", new Uint8Array(1)),
  "crypto.subtle.generateKey": () => crypto.subtle.generateKey("Ed25519", false, ["sign"])
}

const escapeOf = (escape: () => unknown): EscapedSimulation => {
  const { exit } = World.run({ seed: 1 }, Effect.gen(function*() {
    const process = World.current().begin("worker-0")
    yield* process.run(Effect.ignore(Effect.sync(escape))).exit
    return yield* Effect.never
  }))
  const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  assert.instanceOf(error, EscapedSimulation)
  return error
}

describe("ends the run and names the culprit:", () => {
  for (const [what, escape] of Object.entries(escapes)) {
    it(what, () => {
      const error = escapeOf(escape)
      assert.strictEqual(error.what, what)
      assert.match(error.where, /simulation\/test\/Tripwires\.test\.ts:\d+:\d+\)? in the process worker-0$/)
      assert.strictEqual(
        error.message,
        `SKEIN5002 ${what} was called under simulation, where time, chance and I/O must follow from the seed\n  at   ${error.where}\n  fix  ${error.instead}`
      )
      assert.match(error.instead, /^use/)
    })
  }

  it("new Date()", () => {
    assert.strictEqual(escapeOf(() => new Date()).what, "Date.now")
    assert.strictEqual(escapeOf(() => (Date as unknown as () => string)()).what, "Date.now")
  })
})

it("all of them are as they were after a run, however it ended", () => {
  const before = [Date, Date.now, Math.random, setTimeout, queueMicrotask, fetch, process.exit, Error.stackTraceLimit, performance.now, crypto.subtle.digest]
  escapeOf(() => Date.now())
  World.run({ seed: 1 }, Effect.never)
  assert.deepStrictEqual([Date, Date.now, Math.random, setTimeout, queueMicrotask, fetch, process.exit, Error.stackTraceLimit, performance.now, crypto.subtle.digest], before)
  assert.isAbove(Date.now(), 1e12)
})

it("what follows from the seed is let through: dates that are named, Effect's clock and randomness, hashes of functions, the console", () => {
  const once = () =>
    World.run({ seed: 1 }, Effect.gen(function*() {
      // Two functions are equal only if they are the same, so their hashes are drawn.
      const objects = Array.from({ length: 5 }, () => () => {})
      console.error("written under simulation")
      const now = yield* DateTime.now
      return {
        time: new Date(0).getTime(),
        date: new Date(2020, 1) instanceof Date,
        now: DateTime.formatIso(now),
        draw: yield* Random.next,
        hashes: objects.map((object) => Hash.hash(object)),
        set: HashSet.size(HashSet.fromIterable(objects))
      }
    })).exit
  const first = once()
  assert.isTrue(Exit.isSuccess(first), String(first))
  assert.deepStrictEqual(first, once())
  assert.isTrue(Exit.isSuccess(first) && first.value.now === "2026-01-01T00:00:00.000Z" && first.value.set === 5)
})

it("may be switched off", () => {
  const { exit } = World.run({ seed: 1, tripwires: false, stacks: true }, Effect.sync(() => [typeof Date.now(), new Error("x").stack?.includes("Tripwires.test.ts")]))
  assert.deepStrictEqual(exit, Exit.succeed(["number", true]))
})

it("an error made in a run has no stack, which would not be the same everywhere", () => {
  const { exit } = World.run({ seed: 1 }, Effect.sync(() => new Error("x").stack))
  assert.deepStrictEqual(exit, Exit.succeed("Error: x"))
})
