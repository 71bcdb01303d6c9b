import { assert, describe, it } from "@effect/vitest"
import { Effect, Queue, Random } from "effect"
import { broken } from "@skein/core/scheduler/Invariants"
import { empty } from "@skein/core/scheduler/State"
import { Journal, replay } from "@skein/runtime/scheduler/Journal"
import * as Rig from "./utils/Rig.ts"
import { code, declared, ref, sha256, task } from "./utils/make.ts"

/** A worker that now finishes, now fails, stops what it is told to, and gives back what it is asked for. */
const moody = (worker: Rig.FakeWorker) =>
  Effect.forever(Effect.gen(function*() {
    const segment = yield* Queue.take(worker.commands)
    switch (segment._tag) {
      case "Compute": {
        for (const { id, run } of segment.rows) {
          const mood = yield* Random.next
          if (mood < 0.2) yield* worker.rpc.Report({ segments: [{ _tag: "Failed", rows: [{ id, run, ms: 1, failure: new Uint8Array([1]), retryable: mood < 0.1 }] }] })
          else if (mood < 0.9) yield* worker.rpc.Report({ segments: [{ _tag: "Finished", rows: [{ id, run, nbytes: 9, ms: 1, value: new Uint8Array([2]) }] }] })
        }
        break
      }
      case "Cancel":
        yield* worker.rpc.Report({ segments: [{ _tag: "Stopped", rows: segment.rows }] })
        break
      case "TakeBack":
        yield* worker.rpc.Report({ segments: [{ _tag: "TakeBack", rows: segment.rows.map((run) => ({ ...run, returned: true })) }] })
    }
  })).pipe(Effect.ignore)

/** A client that submits graphs on what it holds, releases, cancels and retries, without much sense. */
const busy = Effect.fnUntraced(function*(rig: Rig.Rig, name: string, steps: number) {
  const client = yield* Rig.client(rig, name)
  const held: Array<number> = []
  const draw = (n: number) => Random.nextIntBetween(0, n, { halfOpen: true })
  let next = 0
  let codes = 0
  for (let step = 0; step < steps; step++) {
    const what = yield* draw(10)
    if (what < 4 || held.length === 0) {
      const told = yield* draw(3)
      // A number of its own for each code, equal codes of several clients included.
      const declares = codes < 5 ? [declared(code(`f${codes}`), codes++)] : []
      const tasks = []
      for (let n = yield* draw(6); n >= 0; n--) {
        const on = held.length === 0 || (yield* draw(2)) === 0 ? [] : [held[yield* draw(held.length)]!]
        const owner = (yield* draw(4)) === 0 ? "shared" : name
        tasks.push(task(next, `${owner}-${next}`, on, { code: declared(code(""), Math.min(told, codes - 1)).ref, retries: told }))
        held.push(next++)
      }
      yield* client.rpc.Submit({ graph: { codes: declares, tasks, last: (yield* draw(4)) > 0 } })
    } else {
      const at = yield* draw(held.length)
      const refs = [ref(held[at]!)]
      if (what < 7) {
        held.splice(at, 1)
        yield* client.rpc.Release({ refs })
      } else if (what === 7) yield* Effect.forkScoped(Effect.ignore(client.rpc.Cancel({ refs, note: null, force: true })), { startImmediately: true })
      else yield* client.rpc.Retry({ refs })
    }
    if ((yield* draw(3)) === 0) yield* client.rpc.Counts()
  }
  return client
})

describe("Journal", () => {
  for (const seed of [1, 2, 3, 4]) {
    it.effect(`rebuilds state, keys and codes of a recorded run (seed ${seed})`, () =>
      Effect.gen(function*() {
        const rig = yield* Rig.start()
        const workers = yield* Effect.forEach(["a", "b", "c"], (name) => Rig.registered(rig, name))
        for (const worker of workers) yield* Effect.forkScoped(moody(worker))
        const clients = yield* Effect.all([busy(rig, "x", 40), busy(rig, "y", 40), busy(rig, "z", 30)], { concurrency: "unbounded" })
        yield* workers[1]!.session.close
        yield* clients[2]!.leave
        const [last] = yield* Effect.all([busy(rig, "w", 30), clients[0]!.rpc.Counts()], { concurrency: "unbounded" })
        yield* last.rpc.Counts()

        const { state, tables } = { state: rig.tree.state(), tables: rig.tree.desk.tables }
        const entries = yield* (yield* Journal).entries
        const again = replay(entries, empty({ allowedFailures: 3 }), sha256)
        assert.deepStrictEqual(again.state, state)
        assert.deepStrictEqual(again.keys.snapshot(), tables.keys.snapshot())
        for (const event of entries.flatMap(({ events }) => events)) {
          if (event._tag !== "TasksSubmitted") continue
          for (const { code } of event.tasks) assert.deepStrictEqual(again.codes.defOf(code), tables.codes.defOf(code))
        }
        assert.deepStrictEqual(broken(state), [])
        // It was a run worth recording.
        assert.isAbove(state.tasks.size, 20)
        const named = entries.flatMap(({ named }) => named)
        assert.isAbove(named.length - new Set(named.map(({ id }) => id)).size, 5, "ids used again")
        assert.isAbove(entries.flatMap(({ events }) => events).length, 60)
        assert.isAbove(entries.length, 30)
        assert.isTrue(entries.some(({ events }) => events.length > 1), "batches of several events")
        // The table has what the state has, and nothing else.
        assert.strictEqual(tables.keys.size(), state.tasks.size)
      }).pipe(Random.withSeed(seed), Effect.provide(Rig.layer)))
  }

  it.effect("has a batch before anybody acts on it", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.start()
      const worker = yield* Rig.registered(rig)
      const client = yield* Rig.client(rig)
      yield* client.rpc.Submit({ graph: { codes: [declared(code("inc"))], tasks: [task(1, "a")], last: true } })
      yield* worker.next("Compute")
      const entries = yield* (yield* Journal).entries
      assert.deepStrictEqual(entries.flatMap(({ named }) => named.map(({ key }) => key)), ["a"])
      assert.deepStrictEqual(entries.flatMap(({ codes }) => codes.map(({ def }) => def.name)), ["inc"])
      assert.deepStrictEqual(entries.flatMap(({ events }) => events.map(({ _tag }) => _tag)), ["WorkerJoined", "ClientJoined", "TasksSubmitted"])
    }).pipe(Effect.provide(Rig.layer)))
})
