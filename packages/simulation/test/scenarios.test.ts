/**
 * What has gone wrong in other schedulers does not go wrong here, in whatever order it comes.
 */
import { assert, describe, it } from "@effect/vitest"
import { runCase } from "@skein/simulation/cases/Run"
import { scenarios } from "@skein/simulation/cases/Scenarios"
import { breathe } from "@skein/simulation/node/Breathing"

/** Of each scenario. */
const SEEDS = 20

describe("what has gone wrong elsewhere", { timeout: 120_000 }, () => {
  for (const { name, of } of scenarios) {
    it(name, async () => {
      for (let seed = 0; seed < SEEDS; seed++) {
        const { violation } = runCase(of(seed))
        assert.isUndefined(violation === undefined ? undefined : `${violation.id}: ${violation.saw}`, `seed ${seed}`)
        await breathe()
      }
    })
  }
})
