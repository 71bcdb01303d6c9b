/** Runs whose bodies use promises. */
import { assert, it } from "@effect/vitest"
import { Deadlock, EscapedSimulation } from "@skein/simulation/Errors"
import * as Weak from "@skein/simulation/node/Weak"
import * as World from "@skein/simulation/World"
import { Cause, Effect, Exit } from "effect"

/** Settles after a few more promises. */
const computed = async (n: number): Promise<number> => n <= 0 ? 0 : 1 + await computed(n - 1)

const program = Effect.gen(function*() {
  const first = yield* Effect.promise(() => computed(20))
  yield* Effect.sleep(1000)
  const world = World.current()
  const other = world.begin("other").run(Effect.promise(() => computed(5)))
  const exit = yield* other.exit
  return [first, world.now, Exit.isSuccess(exit) ? exit.value : undefined]
})

it("a promise is waited for, in no virtual time; an ordinary run ends by it, and says where it is waited for", async () => {
  assert.deepStrictEqual((await Weak.run({ seed: 1 }, program)).exit, Exit.succeed([20, 1000, 5]))
  const { exit } = World.run({ seed: 1 }, program)
  const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  assert.instanceOf(error, EscapedSimulation)
  assert.strictEqual(error.what, "Promise.then")
  assert.match(error.where, /simulation\/test\/node\/Weak\.test\.ts:\d+.* in the process driver$/)
})

it("equal seeds give equal runs, if the promises are equal", async () => {
  const hashes = [await Weak.run({ seed: 1 }, program), await Weak.run({ seed: 1 }, program), await Weak.run({ seed: 2 }, program)].map(({ hash }) => hash)
  assert.strictEqual(hashes[0], hashes[1])
  assert.notStrictEqual(hashes[0], hashes[2])
})

it("what never settles is a deadlock still, and the real clock is out of reach still", async () => {
  const failureOf = async (effect: Effect.Effect<unknown>) => {
    const { exit } = await Weak.run({ seed: 1 }, effect)
    return Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  }
  assert.instanceOf(await failureOf(Effect.promise(() => new Promise(() => {}))), Deadlock)
  assert.instanceOf(await failureOf(Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 1)))), EscapedSimulation)
})
