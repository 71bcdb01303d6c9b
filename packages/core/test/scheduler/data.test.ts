/**
 * Scattered data, as stories; what a walk through the machine must keep true of
 * it is among the invariants.
 */
import { describe, expect, it } from "vitest"
import { Teller } from "../utils/StoryScheduler.ts"

const stories: Record<string, (title: string) => Teller> = {
  "deals data out by bytes, and uses it as a result": (title) =>
    new Teller(title).joins("ann").worker("a").worker("b").announces("ann", { x: 8, y: 8, z: 8 })
      .receives("a", "x", 0).receives("b", "y", 1).wants("ann", [{ name: "sum", needs: ["x", "y", "z"] }])
      .note("z has not come").receives("a", "z", 2).finished("a", "sum").releases("ann", "x", "y", "z", "sum"),

  "lets data wait for a worker, and for one of that name": (title) =>
    new Teller(title).joins("ann").announces("ann", { x: 8 }).announces("ann", { y: 8 }, { workers: ["b"] })
      .worker("a").receives("a", "x", 0).worker("b").receives("b", "y", 1),

  "says where equal data is already, and takes no other for it": (title) =>
    new Teller(title).joins("ann").joins("bob").worker("a").announces("ann", { x: 8 }).receives("a", "x", 0)
      .announces("bob", { x: 8 }).wants("bob", [{ name: "x", code: 1 }]).leaves("ann").leaves("bob"),

  "broadcasts data, and keeps it as long as one worker has it": (title) =>
    new Teller(title).joins("ann").worker("a").worker("b").announces("ann", { x: 8 }, { broadcast: true })
      .receives("b", "x", 0).receives("a", "x", 0).wants("ann", [{ name: "y", needs: ["x"] }]).lost("a").finished("b", "y"),

  "fails whatever needs data that is lost, until it is scattered anew": (title) =>
    new Teller(title).joins("ann").worker("a").worker("b").announces("ann", { x: 8 }).receives("a", "x", 0)
      .wants("ann", [{ name: "y", needs: ["x"] }, { name: "z", needs: ["y"] }]).lost("a")
      .note("nobody can compute it").retries("ann", "z")
      .announces("ann", { x: 8 }).receives("b", "x", 2).retries("ann", "z").finished("b", "y").finished("b", "z"),

  "gives up data whose worker or client goes before it has come": (title) =>
    new Teller(title).joins("ann").joins("bob").worker("a").worker("b").announces("ann", { x: 8 }).lost("a")
      .announces("ann", { x: 8 }).wants("bob", [{ name: "y" }]).announces("bob", { x: 8 }).leaves("bob")
      .note("bob's was the last announcement").receives("b", "x", 3),

  "cancels data that is on its way, and drops it when it comes": (title) =>
    new Teller(title).joins("ann").worker("a").announces("ann", { x: 8 }).cancels("ann", ["x"]).receives("a", "x", 0).retries("ann", "x")
}

describe("the scheduler, of data", () => {
  for (const [title, tell] of Object.entries(stories)) {
    it(title, async () => {
      await expect(tell(title).text).toMatchFileSnapshot(`./stories/${title.replace(/[ ,]+/g, "-")}.txt`)
    })
  }
})
