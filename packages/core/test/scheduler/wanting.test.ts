/**
 * Keys that are asked for by name, and tasks that nobody needs to hold.
 */
import { assert, describe, it } from "@effect/vitest"
import * as View from "@skein/core/scheduler/View"
import type { ClientId, CodeId, TaskId } from "@skein/protocol/Ids"
import { Teller } from "../utils/StoryScheduler.ts"

const ann = 0 as ClientId
const bob = 1 as ClientId
/** The story from its second line on. */
const lines = (teller: Teller, from: number) => teller.text.trimEnd().split("\n").slice(from)
const begun = () => new Teller("t").joins("ann").joins("bob").worker("a")
const wanted = (teller: Teller, client: ClientId, ...tasks: ReadonlyArray<string>) =>
  teller.tell({ _tag: "KeysWanted", at: teller.at, client, ids: tasks.map((name) => teller.task(name)) })
const detached = (teller: Teller, client: ClientId, ...tasks: ReadonlyArray<string>) =>
  teller.tell({ _tag: "KeysDetached", at: teller.at, client, ids: tasks.map((name) => teller.task(name)) })
const since = (teller: Teller, act: (teller: Teller) => Teller) => {
  const before = lines(teller, 0).length
  return lines(act(teller), before)
}

describe("a key that is asked for by its name", () => {
  it("is the asker's from then on: it outlives whoever submitted it", () => {
    const teller = begun().wants("ann", [{ name: "x" }])
    assert.deepStrictEqual(since(teller, (teller) => wanted(teller, bob, "x")), ["bob wants what there is of x"])
    teller.leaves("ann")
    assert.deepStrictEqual(since(teller, (teller) => teller.finished("a", "x")), ["a finished x (run 0), 8 bytes", "    → bob: x in memory on a"])
  })

  it("is told at once if it is done, and computed again if its result was dropped", () => {
    const teller = begun().wants("ann", [{ name: "x" }, { name: "y", needs: ["x"] }]).finished("a", "x").releases("ann", "x")
    teller.finished("a", "y")
    assert.deepStrictEqual(since(teller, (teller) => wanted(teller, bob, "x", "y")), [
      "bob wants what there is of x, y", "    → bob: y in memory on a", "    → a: compute x (run 2)"
    ])
    teller.failed("a", "x", false)
    assert.deepStrictEqual(since(teller, (teller) => wanted(teller, ann, "x")), ["ann wants what there is of x", "    → ann: x failed"])
  })

  it("is reported if nobody knows it", () => {
    const teller = begun()
    assert.deepStrictEqual(since(teller, (teller) => wanted(teller, bob, "x")), ["bob wants what there is of x", "    → bob: x is not known"])
    assert.isFalse(View.wants(teller.state, bob, 0))
  })

  it("does not wait for the rest of a graph that has not come whole", () => {
    const teller = begun().wants("ann", [{ name: "x" }, { name: "y", needs: ["x"] }], false)
    assert.deepStrictEqual(since(teller, (teller) => wanted(teller, bob, "y")), ["bob wants what there is of y", "    → a: compute x (run 0)"])
  })

  it("is refused like any task if it would be new work and there is no room", () => {
    const teller = begun().wants("ann", [{ name: "x" }], false).tell({ _tag: "MemoryMeasured", at: 0, loadRatio: 0.9 })
    assert.deepStrictEqual(since(teller, (teller) => wanted(teller, bob, "x")), ["bob wants what there is of x", "    → bob: x is refused, for there is no room"])
  })
})

describe("a key that is another's computation", () => {
  const submitted = (teller: Teller, client: ClientId, ...tasks: ReadonlyArray<readonly [name: string, code: number, needs: ReadonlyArray<string>]>) =>
    teller.tell({
      _tag: "TasksSubmitted", at: teller.at, client, last: true,
      tasks: tasks.map(([name, code, needs]) => ({
        id: teller.task(name), code: code as CodeId, args: new Uint8Array(), dependencies: needs.map((need) => teller.task(need)), priority: 0, retries: 0, isolation: "fiber"
      }))
    })

  it("is refused with all that was submitted to build on it, before the client could hear of that", () => {
    const teller = begun()
    submitted(teller, ann, ["x", 7, []])
    submitted(teller, bob, ["x", 8, []], ["y", 8, ["x"]])
    submitted(teller, bob, ["z", 8, ["y"]])
    const told = teller.text.split("\n").filter((line) => line.includes("something else"))
    assert.deepStrictEqual(told.map((line) => line.trim()), [
      "→ bob: x is something else for ann", "→ bob: y needs x, which is something else for ann", "→ bob: z needs x, which is something else for ann"
    ])
    assert.isUndefined(View.task(teller.state, teller.task("y")))
    const { clients, tasks } = teller.state
    submitted(teller, bob, ["x", 8, []], ["y", 8, ["x"]])
    assert.isTrue(teller.state.clients === clients && teller.state.tasks === tasks, "told twice it means the same")
    teller.tell({ _tag: "Ticked", at: teller.at })
    assert.strictEqual(View.wants(teller.state, bob, teller.task("x")), false)
  })

  it("is wanted no longer by who had asked for it by its name", () => {
    const teller = begun()
    submitted(teller, ann, ["x", 7, []])
    wanted(teller, bob, "x")
    submitted(teller, bob, ["x", 8, []])
    assert.isFalse(View.wants(teller.state, bob, teller.task("x")))
    assert.isTrue(View.wants(teller.state, ann, teller.task("x")))
  })
})

describe("a task that nobody needs to hold", () => {
  it("is computed though all who wanted it let go, and is forgotten when it is done", () => {
    const teller = begun().wants("ann", [{ name: "x" }, { name: "y", needs: ["x"] }])
    assert.deepStrictEqual(since(teller, (teller) => detached(teller, ann, "y")), ["ann wants y done, whoever holds it"])
    teller.leaves("ann").leaves("bob").finished("a", "x")
    assert.deepStrictEqual(since(teller, (teller) => teller.finished("a", "y")), [
      "a finished y (run 1), 8 bytes", "    → a: drop x (run 0)", "    → a: drop y (run 1)", "    → y is forgotten", "    → x is forgotten"
    ])
    assert.deepStrictEqual(View.totals(teller.state), { ...View.totals(teller.state), tasks: 0, clients: 0 })
  })

  it("is told of when it fails, and leaves nothing behind", () => {
    const teller = begun().wants("ann", [{ name: "x" }, { name: "y", needs: ["x"] }])
    detached(teller, ann, "y").leaves("ann").leaves("bob")
    assert.deepStrictEqual(since(teller, (teller) => teller.failed("a", "x", false)), [
      "a failed x (run 0), for good", "    → nobody may hold y, which failed, with x", "    → y is forgotten", "    → x is forgotten"
    ])
    assert.strictEqual(View.totals(teller.state).clients, 0)
  })

  it("is shared: to cancel it takes force", () => {
    const teller = begun().wants("ann", [{ name: "x" }])
    detached(teller, ann, "x")
    assert.include(since(teller, (teller) => teller.cancels("ann", ["x"])).join("\n"), "answer 0, shared")
    const forced = since(teller, (teller) => teller.cancels("ann", ["x"], true)).join("\n")
    assert.include(forced, "nobody may hold x, which was cancelled by ann")
    assert.strictEqual(View.totals(teller.state).clients, 2)
  })

  it("that is done already needs nothing; one that had failed is told of", () => {
    const teller = begun().wants("ann", [{ name: "x" }, { name: "y" }]).finished("a", "x").failed("a", "y", false)
    assert.deepStrictEqual(since(teller, (teller) => detached(teller, ann, "x", "y")), ["ann wants x, y done, whoever holds it", "    → nobody may hold y, which failed"])
    assert.strictEqual(View.totals(teller.state).clients, 2)
  })

  it("cannot be said of what one does not hold", () => {
    const teller = begun().wants("ann", [{ name: "x" }])
    detached(teller, bob, "x", "y")
    teller.leaves("ann")
    assert.strictEqual(View.task(teller.state, 0 as TaskId), undefined)
  })
})
