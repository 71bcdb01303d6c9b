/**
 * Stories one can read aloud, in stories/*.txt. What a change of the machine does
 * to them is seen with `vitest -u` and `git diff`.
 */
import { describe, expect, it } from "vitest"
import { Teller } from "../utils/StoryScheduler.ts"

const stories: Record<string, (title: string) => Teller> = {
  "computes one task and forgets it": (title) =>
    new Teller(title).joins("ann").worker("a").wants("ann", [{ name: "x" }]).finished("a", "x").history("x").releases("ann", "x"),

  "computes a chain where its data is, and keeps only what is wanted": (title) =>
    new Teller(title).joins("ann").worker("a").worker("b")
      .wants("ann", [{ name: "x" }, { name: "y", needs: ["x"] }, { name: "z", needs: ["y"] }])
      .releases("ann", "x", "y").finished("a", "x").finished("a", "y").finished("a", "z").releases("ann", "z"),

  "computes a result again whose only copy is lost": (title) =>
    new Teller(title).joins("ann").worker("a").wants("ann", [{ name: "x" }, { name: "y", needs: ["x"] }])
      .finished("a", "x").worker("b").lost("a").finished("b", "x").finished("b", "y").history("x"),

  "recomputes lineage as far as needed, and no further": (title) =>
    new Teller(title).joins("ann").worker("a").worker("b")
      .wants("ann", [{ name: "w" }, { name: "x", needs: ["w"] }, { name: "y", needs: ["x"] }])
      .releases("ann", "w", "x").finished("a", "w").finished("a", "x").finished("a", "y")
      .note("w and x are dropped, but kept as recipes for y").lost("a")
      .finished("b", "w").finished("b", "x").finished("b", "y"),

  "tells readers who has a result when a holder is lost": (title) =>
    new Teller(title, { prefetchTasks: 1 }).joins("ann").worker("a").worker("b")
      .wants("ann", [{ name: "x" }]).finished("a", "x")
      .worker("c").reports("ReplicasAdded", "c", [{ id: 0, run: 0, nbytes: 8 }])
      .wants("ann", [1, 2, 3, 4, 5, 6].map((n) => ({ name: `y${n}`, needs: ["x"] })))
      .lost("c", { _tag: "Closed" })
      .note("b does not find x on a either").reports("ReplicasMissing", "b", [{ id: 0, run: 0, peer: 0 }]),

  "finds the one task that ends its workers, and spares its neighbours": (title) =>
    new Teller(title).joins("ann").worker("a").worker("b").wants("ann", ["evil", "x", "y", "z"].map((name) => ({ name })))
      .note("at a first death all that was there is suspect").dies("a")
      .worker("a2").finished("b", "x", "z")
      .note("from now on the nanny knows what was executing").dies("a2", "evil").dies("b", "evil")
      .worker("b2").dies("b2", "evil").worker("c").finished("c", "y"),

  "ends a task at its fourth thread": (title) =>
    new Teller(title).joins("ann").worker("a").wants("ann", [{ name: "x" }, { name: "y", needs: ["x"] }])
      .killed("a", "x").killed("a", "x").killed("a", "x").killed("a", "x"),

  "blames nobody when a worker closes": (title) =>
    new Teller(title).joins("ann").worker("a").worker("b").wants("ann", [{ name: "x" }]).lost("a", { _tag: "Closed" }),

  "cancels what runs, and answers when it has stopped": (title) =>
    new Teller(title).joins("ann").joins("bob").worker("a").worker("b")
      .wants("ann", [{ name: "x" }, { name: "y", needs: ["x"] }]).wants("bob", [{ name: "y", needs: ["x"] }])
      .cancels("ann", ["x"]).note("bob would miss it").cancels("ann", ["x"], true, "too slow")
      .stopped("a", "x", 0),

  "ends a worker that does not stop a cancelled task, and blames nobody": (title) =>
    new Teller(title).joins("ann").worker("a").wants("ann", [{ name: "x" }, { name: "y" }]).cancels("ann", ["x"])
      .pass(2_000).ticks().worker("b").dies("a").finished("b", "y"),

  "takes back what waits, for a worker that has nothing to do": (title) =>
    new Teller(title).joins("ann").worker("a").wants("ann", [{ name: "x" }, { name: "y" }]).worker("b").answers("a", "y", true)
      .finished("b", "y"),

  "leaves a task where it is that had begun when it was asked back": (title) =>
    new Teller(title).joins("ann").worker("a").wants("ann", [{ name: "x" }, { name: "y" }]).worker("b").answers("a", "y", false)
      .wants("ann", [{ name: "z" }]).finished("a", "y"),

  "moves what waits behind a body that takes longer than others of its kind": (title) =>
    new Teller(title).joins("ann").worker("a").wants("ann", [{ name: "w" }]).quick("a", "w")
      .wants("ann", ["x", "y", "z"].map((name) => ({ name }))).worker("b")
      .note("by the estimates it is not worth a question; but x does not end").pass(100).ticks()
      .answers("a", "z", true).quick("b", "z").note("y would wait as long").answers("a", "y", true).quick("b", "y"),

  "moves a suspect to a worker that has nothing to do, and to no other": (title) =>
    new Teller(title).joins("ann").worker("a").wants("ann", [{ name: "s" }]).dies("a").worker("b").worker("c")
      .wants("ann", [{ name: "f", isolation: "fiber" }]).lost("b", { _tag: "Closed" })
      .note("s waits until f has ended").worker("d").pass(100).ticks().answers("c", "s", true).finished("d", "s"),

  "starts nothing of a graph before its last part": (title) =>
    new Teller(title).joins("ann").worker("a").wants("ann", [{ name: "x" }, { name: "y" }], false)
      .wants("ann", [{ name: "s", needs: ["y", "x"] }]).note("y goes first: the sum names it first"),

  "forgets an unfinished graph with its client": (title) =>
    new Teller(title).joins("ann").worker("a").wants("ann", [{ name: "x" }, { name: "y", needs: ["x"] }], false).leaves("ann"),

  "tries again as often as asked for, then fails with all that depends on it": (title) =>
    new Teller(title).joins("ann").worker("a").wants("ann", [{ name: "x", retries: 1 }, { name: "y", needs: ["x"] }])
      .failed("a", "x").failed("a", "x").note("a retry of y begins at its root").retries("ann", "y").finished("a", "x").finished("a", "y"),

  "does not try again what cannot help": (title) =>
    new Teller(title).joins("ann").worker("a").wants("ann", [{ name: "x", retries: 3 }]).failed("a", "x", false),

  "refuses a key that stands for something else": (title) =>
    new Teller(title).joins("ann").joins("bob").worker("a").wants("ann", [{ name: "x", args: 1 }]).wants("bob", [{ name: "x", args: 2 }]),

  "shares a key among clients, and keeps it until the last lets go": (title) =>
    new Teller(title).joins("ann").joins("bob").worker("a").wants("ann", [{ name: "x" }]).wants("bob", [{ name: "x" }])
      .finished("a", "x").leaves("ann").releases("bob", "x"),

  "takes over what a worker brings along, and drops the rest": (title) =>
    new Teller(title).joins("ann").worker("a").wants("ann", [{ name: "x" }, { name: "y" }]).finished("a", "x").lost("a")
      .worker("a", 1, [{ name: "x", run: 0 }, { name: "gone", run: 9 }]),

  "stops everything of a client that leaves": (title) =>
    new Teller(title).joins("ann").worker("a").wants("ann", [{ name: "x" }, { name: "y" }, { name: "z" }, { name: "s", needs: ["x", "y", "z"] }])
      .finished("a", "x").leaves("ann").stopped("a", "y", 1),

  "drops the result of a run that is not the present one": (title) =>
    new Teller(title).joins("ann").worker("a").worker("b").wants("ann", [{ name: "x" }]).lost("a").worker("c")
      .reports("TasksFinished", "c", [{ id: 0, run: 0, nbytes: 8, ms: 1 }]).finished("b", "x"),

  "gives no worker more than it offers, and what comes free to the next": (title) =>
    new Teller(title).joins("ann").worker("a", 4, [], { resources: { GPU: 2 } }).worker("b", 4)
      .wants("ann", [1, 2, 3, 4].map((n) => ({ name: `x${n}`, resources: { GPU: 1 } }))).wants("ann", [{ name: "y" }])
      .note("a task that gives up its slot runs on, and needs what it has").reports("TasksSeceded", "a", [{ id: 0, run: 0 }])
      .finished("a", "x2").cancels("ann", ["x1"]).note("it is being stopped, and has not stopped yet").stopped("a", "x1", 0),

  "keeps free what a task needs that needs much, and lets others go on": (title) =>
    new Teller(title).joins("ann").worker("a", 4, [], { resources: { GPU: 2, disk: 1 } })
      .wants("ann", [{ name: "small1", resources: { GPU: 1 } }, { name: "large", resources: { GPU: 2 } }])
      .wants("ann", [{ name: "small2", resources: { GPU: 1 } }, { name: "other", resources: { disk: 1 } }])
      .finished("a", "small1").finished("a", "large"),

  "warns of what nobody offers, and fails it in the end": (title) =>
    new Teller(title, { noWorkersTimeoutMs: 60_000 }).joins("ann").worker("a", 1, [], { resources: { GPU: 1 } })
      .wants("ann", [{ name: "x", resources: { GPU: 2 } }, { name: "x'", resources: { GPU: 2 } }, { name: "y", needs: ["x"] }, { name: "z", resources: { GPU: 1 } }])
      .pass(10_000).ticks().pass(50_000).ticks().history("x"),

  "waits for the worker that a task is to run on, unless others will do": (title) =>
    new Teller(title).joins("ann").worker("a").wants("ann", [{ name: "x", on: ["c", "d"] }, { name: "y", on: ["c"], loosely: true }])
      .worker("c", 1, [], { address: "tcp://c", host: "h" }).wants("ann", [{ name: "z", on: ["tcp://c"] }, { name: "w", on: ["h"], loosely: true }])
      .lost("c", { _tag: "Closed" }),

  "takes back only for a worker that may have it": (title) =>
    new Teller(title).joins("ann").worker("a", 1, [], { resources: { GPU: 4 } })
      .wants("ann", [{ name: "x" }, { name: "y", resources: { GPU: 1 } }])
      .worker("b").answers("a", "x", false).note("b is idle, but y may not run there")
      .worker("c", 1, [], { resources: { GPU: 1 } }).answers("a", "y", true),

  "lets tasks wait for a worker, and clients too": (title) =>
    new Teller(title).joins("ann").awaits("ann", 1).wants("ann", [{ name: "low", priority: -1 }, { name: "x" }, { name: "high", priority: 1 }])
      .worker("a"),

  "fills a slot that a task gives up": (title) =>
    new Teller(title).joins("ann").worker("a").wants("ann", ["x", "y", "z"].map((name) => ({ name })))
      .reports("TasksSeceded", "a", [{ id: 0, run: 0 }]).reports("TasksRescheduled", "a", [{ id: 1, run: 1 }])
}

describe("the scheduler", () => {
  for (const [title, tell] of Object.entries(stories)) {
    it(title, async () => {
      await expect(tell(title).text).toMatchFileSnapshot(`./stories/${title.replace(/[ ,]+/g, "-")}.txt`)
    })
  }
})
