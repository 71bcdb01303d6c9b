/** All histories of small clusters; and that the explorer sees what is wrong. */
import { assert, describe, it } from "@effect/vitest"
import { small } from "../../src/explore/Configurations.ts"
import { type Configuration, explore } from "../../src/explore/Explore.ts"

describe("every history of", () => {
  for (const configuration of small) {
    it(configuration.name, { timeout: 120_000 }, () => {
      const { broken, ends, isComplete } = explore(configuration)
      assert.isUndefined(broken, broken === undefined ? "" : `${broken.invariant}: ${broken.detail}\n${broken.trail.join("\n")}`)
      assert.isTrue(isComplete, "it has more states than it may have")
      assert.isAbove(ends, 0)
    })
  }
})

describe("the explorer", () => {
  const chain = small.find(({ name }) => name.startsWith("a chain of three"))

  it("says that it has not seen everything, when it was not allowed to", () => {
    assert.isDefined(chain)
    assert.isFalse(explore({ ...chain, maxStates: 10 }).isComplete)
  })

  it("tells how it came to what is wrong: a lie at the end of a history", () => {
    assert.isDefined(chain)
    const lying: Configuration = { ...chain, acts: chain.acts.slice(0, 1), tasks: chain.tasks.map((task) => ({ ...task, body: { _tag: "Lies" } })) }
    const { broken } = explore(lying)
    assert.isDefined(broken)
    assert.strictEqual(broken.invariant, "C2 the value of a future is its task's")
    assert.include(broken.trail.join("; "), "task 0 lies")
  })
})
