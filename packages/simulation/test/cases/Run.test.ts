import { assert, describe, it } from "@effect/vitest"
import { draw, settled } from "@skein/simulation/cases/Draw"
import { runCase } from "@skein/simulation/cases/Run"
import { canaryCase } from "@skein/simulation/node/Batch"
import { breathe } from "@skein/simulation/node/Breathing"
import { shrinkFailing } from "@skein/simulation/node/Shrinking"

const seeds = (count: number) => Array.from({ length: count }, (_, seed) => seed)

/** What a failing run says, for the message of an assertion. */
const told = ({ violation }: ReturnType<typeof runCase>) => violation === undefined ? undefined : `${violation.id}: ${violation.saw}`

describe("a run", { timeout: 120_000 }, () => {
  it("of any light seed breaks no check", async () => {
    for (const seed of seeds(60)) {
      assert.isUndefined(told(runCase(draw(seed, "light"))), `seed ${seed}`)
      await breathe()
    }
  })

  it("of any full seed breaks no check", async () => {
    for (const seed of seeds(4)) {
      assert.isUndefined(told(runCase(draw(seed, "full"))), `seed ${seed}`)
      await breathe()
    }
  })

  it("is the same run again for the same case, and another one for another seed", async () => {
    const hashes = new Set<string>()
    for (const seed of seeds(10)) {
      const of = draw(seed, "light")
      const first = runCase(of)
      await breathe()
      assert.strictEqual(runCase(of).hash, first.hash, `seed ${seed}`)
      hashes.add(first.hash)
      await breathe()
    }
    assert.strictEqual(hashes.size, 10)
  })

  it("catches a wrong value, whatever else is in the case", async () => {
    for (const seed of seeds(20)) {
      assert.strictEqual(runCase(canaryCase(seed)).violation?.id, "C2", `seed ${seed}`)
      await breathe()
    }
  })

  it("that fails is made small: of a whole case with one wrong value one task is left", async () => {
    const drawn = draw(9, "full")
    const failing = settled({ ...drawn, operations: [], faults: [], tasks: drawn.tasks.map((task) => task.id === 50 ? { ...task, body: { _tag: "Lies" } } : task) })
    const { smallest } = await shrinkFailing(failing, runCase(failing), runCase)
    assert.deepStrictEqual(smallest.tasks.map(({ body, id }) => ({ body, id })), [{ body: { _tag: "Lies" }, id: 50 }])
    assert.strictEqual(smallest.cluster.workers, 1)
  })
})
