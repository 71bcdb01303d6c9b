import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Fiber } from "effect"
import { ClientId, RunId, WorkerId } from "@skein/protocol/Ids"
import * as Recent from "@skein/core/persistent/Recent"
import { empty, type Entry, type State } from "@skein/core/scheduler/State"
import * as Asking from "@skein/runtime/scheduler/Asking"
import * as Carrying from "@skein/runtime/scheduler/Carrying"
import * as CodeTable from "@skein/runtime/scheduler/CodeTable"
import { Journal } from "@skein/runtime/scheduler/Journal"
import * as KeyTable from "@skein/runtime/scheduler/KeyTable"
import * as Mailbox from "@skein/runtime/scheduler/Mailbox"
import * as Registry from "@skein/runtime/scheduler/Registry"
import * as Scheduler from "@skein/runtime/scheduler/Scheduler"
import { code, id, key, sha256 } from "./utils/make.ts"

const ticked = (at: number) => ({ _tag: "Ticked" as const, at })
const bytes = (n: number) => new Uint8Array([n])

describe("Mailbox", () => {
  it.effect("hands over all that has queued, in order, and then waits for more", () =>
    Effect.gen(function*() {
      const mailbox = Mailbox.make()
      const waiting = yield* Effect.forkChild(mailbox.filled, { startImmediately: true })
      assert.isUndefined(waiting.pollUnsafe())
      for (const at of [1, 2, 3]) mailbox.offer(ticked(at))
      yield* Fiber.join(waiting)
      assert.deepStrictEqual(mailbox.take().events, [ticked(1), ticked(2), ticked(3)])
      const again = yield* Effect.forkChild(mailbox.filled, { startImmediately: true })
      assert.isUndefined(again.pollUnsafe())
      mailbox.offer(ticked(4))
      yield* Fiber.join(again)
      assert.deepStrictEqual(mailbox.take().events, [ticked(4)])
    }))

  it.effect("lets who looks wait until what was said before has been reduced, and no longer", () =>
    Effect.gen(function*() {
      const mailbox = Mailbox.make()
      yield* mailbox.caughtUp
      mailbox.offer(ticked(1))
      let reduced = false
      const looking = yield* Effect.forkChild(Effect.map(mailbox.caughtUp, () => reduced), { startImmediately: true })
      assert.isUndefined(looking.pollUnsafe())
      mailbox.take()
      mailbox.offer(ticked(2))
      reduced = true
      assert.isTrue(yield* Fiber.join(looking))
    }))

  it("keeps small results by who reported them, for one turn", () => {
    const mailbox = Mailbox.make()
    const [one, two, run] = [WorkerId.make(1), WorkerId.make(2), RunId.make(9)]
    mailbox.keepValue(one, run, bytes(1))
    mailbox.keepValue(two, run, bytes(2))
    const { values } = mailbox.take()
    assert.deepStrictEqual(values.get(one)?.get(run), bytes(1))
    assert.deepStrictEqual(values.get(two)?.get(run), bytes(2))
    assert.strictEqual(mailbox.take().values.size, 0)
  })
})

describe("the loop", () => {
  /** A loop without sessions, whose events a test makes itself. */
  const loop = (options: { readonly initial?: State; readonly validate?: boolean } = {}) => {
    const mailbox = Mailbox.make()
    const tables = { keys: KeyTable.make(), codes: CodeTable.make(sha256) }
    const asking = Asking.make(mailbox.offer, () => 0)
    const carrying = Carrying.make({
      tables,
      registry: Registry.make(),
      reply: asking.reply,
      wake: () => {},
      wakeFreeing: () => {},
      offer: mailbox.offer,
      forgotten: () => {},
      now: () => 0
    })
    return { mailbox, tables, scheduler: Scheduler.make({ initial: empty(), mailbox, tables, carrying, ...options }) }
  }
  const turnOver = (state: () => State, before: State) =>
    Effect.gen(function*() {
      while (state() === before) yield* Effect.yieldNow
    })

  it.effect("ends before anybody acts on a state that is not true, where it is to validate, and says what led there", () =>
    Effect.gen(function*() {
      const untrue = { ...empty(), log: Recent.empty<Entry>(7) }
      const joined = { _tag: "ClientJoined" as const, at: 0, client: ClientId.make(0), name: "c" }
      const validating = loop({ initial: untrue, validate: true })
      validating.mailbox.offer(joined)
      const defect = yield* Effect.flip(Effect.sandbox(validating.scheduler.run))
      assert.include(
        String(Cause.squash(defect)),
        "the scheduler's state is not true any more: the log keeps within its length\n  last it heard that:\n  client 0 joins"
      )
      const trusting = loop({ initial: untrue })
      yield* Effect.forkScoped(trusting.scheduler.run)
      trusting.mailbox.offer(joined)
      yield* turnOver(trusting.scheduler.state, untrue)
      assert.strictEqual(trusting.scheduler.state().clients.size, 1)
    }).pipe(Effect.provide(Journal.layerNoop)))

  it.effect("takes as one batch what is said within one turn of the program, also while it waits", () =>
    Effect.gen(function*() {
      const { mailbox, scheduler } = loop()
      yield* Effect.forkScoped(scheduler.run, { startImmediately: true })
      for (const turn of [0, 1]) {
        const before = scheduler.state()
        for (const n of [0, 1, 2]) mailbox.offer({ _tag: "ClientJoined", at: turn, client: ClientId.make(3 * turn + n), name: "c" })
        assert.strictEqual(scheduler.state(), before)
        yield* turnOver(scheduler.state, before)
      }
      const entries = yield* Effect.flatMap(Journal, (journal) => journal.entries)
      assert.deepStrictEqual(entries.map(({ events }) => events.length), [3, 3])
    }).pipe(Effect.provide(Journal.layerMemory)))

  it.effect("keeps the id of a key that is forgotten and submitted again in one batch", () =>
    Effect.gen(function*() {
      const { mailbox, scheduler, tables } = loop()
      yield* Effect.forkScoped(scheduler.run)
      const client = ClientId.make(0)
      const called = tables.codes.declare(code("inc")).code
      const submitted = () => ({
        _tag: "TasksSubmitted" as const,
        at: 0,
        client,
        last: true,
        tasks: [{
          id: tables.keys.idFor(key("a"), called),
          code: called,
          args: bytes(0),
          dependencies: [],
          priority: 0,
          retries: 0,
          isolation: "fiber" as const
        }]
      })
      const released = { _tag: "KeysReleased" as const, at: 0, client, ids: [id(0)] }
      mailbox.offer({ _tag: "ClientJoined", at: 0, client, name: "c" })
      mailbox.offer(submitted())
      mailbox.offer(released)
      mailbox.offer(submitted())
      const before = scheduler.state()
      yield* turnOver(scheduler.state, before)
      assert.strictEqual(scheduler.state().tasks.size, 1)
      assert.strictEqual(tables.keys.idOf(key("a")), id(0))
      const then = scheduler.state()
      mailbox.offer(released)
      mailbox.offer(submitted())
      mailbox.offer(released)
      yield* turnOver(scheduler.state, then)
      assert.strictEqual(scheduler.state().tasks.size, 0)
      assert.deepStrictEqual(tables.keys.snapshot(), { keys: [], free: [id(0)], next: 1 })
    }).pipe(Effect.provide(Journal.layerNoop)))
})
