/**
 * What must be true of the tasks of a client without a cluster, whatever it does to them: laws over drawn walks, as for the
 * scheduler of a cluster.
 */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Schema } from "effect"
import type { ClientReport } from "@skein/protocol/ClientRpcs"
import { CodeRef, Key, Ref } from "@skein/protocol/Ids"
import { type InlineTask, InlineTasks } from "../../../src/internal/inline/tasks.ts"

const Choice = Schema.Struct({
  action: Schema.Literals(["Submit", "Submit", "Submit", "Finish", "Finish", "Fail", "Release", "Release", "Want", "Detach", "Retry"]),
  at: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 999 })),
  dependencies: Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 999 }))).check(Schema.isMaxLength(3))
})
type Choice = typeof Choice.Type
const Walk = Arbitrary.array(Arbitrary.schema(Choice), { minLength: 40, maxLength: 160 })

type Heard = "pending" | "memory" | "erred"

/** The tasks, who runs them, and the client: what it holds, and what it last heard of each. */
class World {
  readonly running = new Set<InlineTask>()
  readonly heard = new Map<Ref, Heard>()
  /** Under which key each reference was made; the graph of a key never changes. */
  readonly keys = new Map<Ref, Key>()
  private readonly graph = new Map<Key, ReadonlyArray<Key>>()
  private refs = 0
  readonly tasks = new InlineTasks({
    report: (segments) => segments.forEach((segment) => this.hear(segment)),
    run: (task) => {
      assert.isFalse(this.running.has(task), "it runs already")
      this.running.add(task)
      return Effect.runFork(Effect.onInterrupt(Effect.never, () => Effect.sync(() => this.running.delete(task))))
    }
  })

  get all(): ReadonlyArray<InlineTask> {
    return this.tasks.all
  }

  step({ action, at, dependencies }: Choice): void {
    const ref = pick([...this.heard.keys()], at)
    const task = pick([...this.running], at)
    if (action === "Submit") return this.submit(at, dependencies)
    if (action === "Finish" && task !== undefined) return this.finish(task)
    if (action === "Fail" && task !== undefined) {
      this.running.delete(task)
      return this.tasks.erred(task, { failure: { _tag: "Lost" }, by: task })
    }
    if (ref === undefined) return
    if (action === "Release") return this.release(ref)
    if (action === "Detach") return this.tasks.detach(ref)
    if (action === "Retry") return this.tasks.retry([ref])
    if (action === "Want") this.tasks.want(this.reference(this.keys.get(ref)!), this.keys.get(ref)!)
  }

  finish(task: InlineTask): void {
    this.running.delete(task)
    this.tasks.inMemory(task, new Uint8Array(1))
  }

  release(ref: Ref): void {
    this.heard.delete(ref)
    this.tasks.release(ref)
  }

  /** A new key, or one from before: then with the same dependencies, as far as the client holds them. */
  private submit(at: number, dependencies: ReadonlyArray<number>): void {
    const held = new Map([...this.heard.keys()].map((ref) => [this.keys.get(ref)!, ref]))
    const known = at % 4 === 0 ? pick([...this.graph.keys()], at) : undefined
    const needed = known === undefined ? dependencies.flatMap((one) => pick([...held.keys()], one) ?? []) : this.graph.get(known)!
    if (!needed.every((key) => held.has(key))) return
    const key = known ?? Key.make(`t${this.graph.size}`)
    this.graph.set(key, [...new Set(needed)])
    const ref = this.reference(key)
    this.tasks.submit([{
      ref,
      key,
      code: {
        def: { digest: "", name: "t", kind: "function", text: "() => 0", module: null, moduleFirst: false, body: "unknown", isolation: "fiber", version: 1 },
        row: { ref, key, code: CodeRef.make(0), args: new Uint8Array(), dependencies: this.graph.get(key)!.map((one) => held.get(one)!), priority: at % 3, retries: 0, isolation: "fiber" },
        terms: undefined
      }
    }])
  }

  private reference(key: Key): Ref {
    const ref = Ref.make(this.refs++)
    this.keys.set(ref, key)
    this.heard.set(ref, "pending")
    return ref
  }

  private hear(segment: ClientReport): void {
    switch (segment._tag) {
      case "InMemory":
        return segment.rows.forEach(({ ref }) => this.heard.set(ref, "memory"))
      case "Erred":
        return segment.rows.forEach(({ ref }) => this.heard.set(ref, "erred"))
      case "Pending":
        return segment.refs.forEach((ref) => this.heard.set(ref, "pending"))
    }
  }
}

const pick = <A>(from: ReadonlyArray<A>, at: number): A | undefined => from[at % from.length]

const walk = (choices: ReadonlyArray<Choice>, check: (world: World) => void): World => {
  const world = new World()
  for (const choice of choices) {
    world.step(choice)
    check(world)
  }
  return world
}

const some = { arbitrary: { runs: 40, seed: 1 }, timeout: 60_000 }

describe("the tasks of a client without a cluster", () => {
  it.prop("are kept just as long as somebody holds them, needs them or has asked for them to be done", [Walk], ([choices]) => {
    walk(choices, ({ all }) => {
      const kept = new Set(all)
      for (const { dependencies, dependents, detached, holders, key, status } of all) {
        assert.isTrue(holders.size > 0 || dependents.size > 0 || detached, `${key} is kept for nobody`)
        assert.isTrue([...dependents].every((dependent) => dependent.status !== "memory"), `${key} is kept for what is done`)
        assert.isTrue(status === "memory" || dependencies.every((dependency) => kept.has(dependency)), `${key} lacks what it needs`)
      }
    })
  }, some)

  it.prop("run just as long as they are processing, and wait only for what is not there", [Walk], ([choices]) => {
    walk(choices, ({ all, running }) => {
      assert.sameMembers([...running], all.filter(({ status }) => status === "processing"))
      for (const { dependencies, key, status } of all) {
        if (status === "processing") assert.isTrue(dependencies.every(({ value }) => value !== undefined), `${key} runs too early`)
        if (status === "waiting") assert.isTrue(dependencies.some((one) => one.status === "waiting" || one.status === "processing"), `nothing will start ${key}`)
      }
    })
  }, some)

  it.prop("are to the client what it heard last of them", [Walk], ([choices]) => {
    walk(choices, ({ heard, tasks }) => {
      for (const [ref, last] of heard) {
        const status = tasks.at(ref)?.status
        assert.strictEqual(last, status === "memory" || status === undefined ? status ?? "erred" : status === "erred" ? "erred" : "pending")
      }
    })
  }, some)

  it.prop("all end when bodies do, and nothing is left when nobody holds any", [Walk], ([choices]) => {
    const world = walk(choices, () => {})
    for (const task of world.running) world.finish(task)
    for (const [ref, last] of world.heard) assert.notStrictEqual(last, "pending", `${world.keys.get(ref)}`)
    for (const ref of world.heard.keys()) world.release(ref)
    assert.deepStrictEqual(world.all, [])
  }, some)
})
