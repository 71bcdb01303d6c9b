/**
 * A cluster that begins anew: nothing of what was is computed behind anybody's back.
 */
import { assert, describe, it } from "@effect/vitest"
import * as IntSet from "@skein/core/persistent/IntSet"
import * as Vector from "@skein/core/persistent/Vector"
import { broken } from "@skein/core/scheduler/Invariants"
import type { Command } from "@skein/core/scheduler/Command"
import type { AskId, ClientId } from "@skein/protocol/Ids"
import { Teller } from "../utils/StoryScheduler.ts"
import { forAllWalks, World } from "../utils/WalkScheduler.ts"

describe("a restart", () => {
  it("cancels what is computed and what is in memory, ends each worker, and answers when as many new ones are there (test_client.py::test_restart)", () => {
    const teller = new Teller("a restart").joins("ann").joins("bob").worker("a").worker("b")
      .wants("ann", [{ name: "x" }]).finished("a", "x")
      .wants("bob", [{ name: "y", needs: ["x"] }, { name: "z", needs: ["y"] }])
      .restarts("ann", 2)
      .lost("a", { _tag: "Closed" }).lost("b", { _tag: "Closed" })
      .worker("c").worker("d")
    assert.strictEqual(teller.text, `# a restart
ann joins
bob joins
a joins, 1 threads, 1 fibers
b joins, 1 threads, 1 fibers
ann wants x
    → a: compute x (run 0)
a finished x (run 0), 8 bytes
    → ann: x in memory on a
bob wants y needing x; z needing y
    → a: compute y (run 1) with x from a
ann has the cluster begin anew, with 2 workers
    → a: stop y (run 1)
    → wake at 2000 ms
    → bob: y was cancelled by ann ("the cluster was restarted")
    → bob: z was cancelled by ann ("the cluster was restarted")
    → a: drop x (run 0)
    → ann: x was cancelled by ann ("the cluster was restarted")
    → end a: the cluster was restarted
    → end b: the cluster was restarted
a leaves
b leaves
c joins, 1 threads, 1 fibers
d joins, 1 threads, 1 fibers
    → ann: answer 0, the workers are there
`)
  })

  it("leaves a true state behind, whatever was going on, in which nothing runs that is not being stopped", () => {
    forAllWalks(40, 120, (choices) => {
      const world = new World()
      for (const choice of choices) world.apply([world.next(choice)])
      const before = world.state
      const [client] = Array.from(Vector.entries(before.clients), ([id]) => id)
      if (client === undefined) return
      const { commands } = world.apply([{ _tag: "RestartAsked", at: world.at, client: client as ClientId, ask: 1_000_000 as AskId, workers: 1 }])
      assert.deepStrictEqual(broken(world.state), [])
      const ended = new Set(commands.flatMap((command: Command) => command._tag === "EndWorker" ? [command.worker as number] : []))
      for (const [id, worker] of Vector.entries(before.workers)) assert.strictEqual(ended.has(id), !worker.ending)
      for (const task of Vector.values(world.state.tasks)) {
        assert.include(["Released", "Erred"], task.status._tag)
        if (task.status._tag === "Released") assert.strictEqual(IntSet.size(task.whoWants), 0)
      }
    })
  })
})
