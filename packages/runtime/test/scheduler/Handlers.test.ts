import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { CODES_REMEMBERED, type Graph, type SubmittedTask } from "@skein/protocol/Graph"
import { ClientId, CodeRef, RunId, TaskId, WorkerId } from "@skein/protocol/Ids"
import type { WorkerReport } from "@skein/protocol/WorkerRpcs"
import * as CodeTable from "@skein/runtime/scheduler/CodeTable"
import * as Handlers from "@skein/runtime/scheduler/Handlers"
import * as KeyTable from "@skein/runtime/scheduler/KeyTable"
import type { ClientPeer, WorkerPeer } from "@skein/runtime/scheduler/Registry"
import { Violation } from "@skein/runtime/scheduler/Violation"
import { code, declared, id, key, ref, registration, sha256, task } from "./utils/make.ts"

const peer = { end: () => Effect.void, push: () => {}, flush: () => {}, send: () => {}, backlog: () => 0, toldPeers: new Set<WorkerId>() }

const makeClient = (): ClientPeer => ({ ...peer, client: ClientId.make(0), name: "alice", refs: KeyTable.makeRefs(), codes: new Map() })

const makeTables = (): Handlers.Tables => ({ keys: KeyTable.make(), codes: CodeTable.make(sha256) })

const makeWorker = (): WorkerPeer => ({
  ...peer,
  worker: WorkerId.make(3),
  registration: registration("w"),
  joinedAt: 0,
  toldCodes: new Map(),
  memoryBytes: 0,
  closing: false,
  leave: () => {},
  close: () => {},
  story: () => Effect.succeed([])
})

const graph = (tasks: ReadonlyArray<SubmittedTask>, more: Partial<Graph> = {}): Graph => ({
  codes: [declared(code("inc"))],
  tasks,
  last: true,
  ...more
})

describe("Handlers.submitted", () => {
  it("puts ids in the place of references", () => {
    const tables = makeTables()
    const client = makeClient()
    tables.keys.idFor(key("somebody else's"), tables.codes.declare(code("x")).code)
    const { event } = Handlers.submitted(tables, client, graph([task(7, "a"), task(9, "b", [7, 7])]), 5)
    assert(event._tag === "TasksSubmitted")
    assert.deepStrictEqual(event.tasks.map((task) => ({ id: task.id, dependencies: task.dependencies })), [
      { id: id(1), dependencies: [] },
      { id: id(2), dependencies: [id(1), id(1)] }
    ])
    assert.strictEqual(event.at, 5)
    assert.strictEqual(event.last, true)
    assert.strictEqual(client.refs.idOf(ref(9)), id(2))
  })

  const hostile: Record<string, ReadonlyArray<SubmittedTask>> = {
    "a negative reference": [task(-1, "a")],
    "a reference that is no integer": [task(1.5, "a")],
    "a reference that is no number": [task(NaN, "a")],
    "a reference beyond the integers": [task(2 ** 53, "a")],
    "a dependency that it does not hold": [task(1, "a"), task(2, "b", [3])],
    "a dependency on itself": [task(1, "a", [1])],
    "a dependency that comes later": [task(1, "a", [2]), task(2, "b")],
    "two keys under one reference": [task(1, "a"), task(1, "b")],
    "one key under two references": [task(1, "a"), task(2, "a")],
    "code it has not told of": [task(1, "a", [], { code: CodeRef.make(5) })],
    "a priority that is no number": [task(1, "a", [], { priority: NaN })],
    "a negative number of retries": [task(1, "a", [], { retries: -1 })],
    "arguments that are too large": [task(1, "a", [], { args: new Uint8Array((8 << 20) + 1) })],
    "too many tasks": Array.from({ length: 5_001 }, (_, n) => task(n, `k${n}`))
  }
  for (const [what, tasks] of Object.entries(hostile)) {
    it(`refuses ${what}, and leaves no names behind`, () => {
      const tables = makeTables()
      const before = tables.keys.snapshot()
      assert.throws(() => Handlers.submitted(tables, makeClient(), graph([task(100, "good"), ...tasks]), 0), Violation)
      assert.deepStrictEqual(tables.keys.snapshot(), before)
      assert.deepStrictEqual(tables.keys.takeNamed(), [])
    })
  }

  it("refuses another's reference", () => {
    const tables = makeTables()
    Handlers.submitted(tables, makeClient(), graph([task(1, "a")]), 0)
    assert.throws(() => Handlers.submitted(tables, makeClient(), graph([task(2, "b", [1])]), 0), Violation)
  })

  it("refuses two codes under one number", () => {
    const client = makeClient()
    const tables = makeTables()
    Handlers.submitted(tables, client, graph([]), 0)
    assert.throws(() => Handlers.submitted(tables, client, graph([], { codes: [declared(code("other"))] }), 0), Violation)
  })

  it("remembers the codes that were told last, and those that the same message still calls", () => {
    const client = makeClient()
    const tables = makeTables()
    const told = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => declared(code(`f${from + n}`), from + n))
    const call = (n: number, calls: number) => task(n, `k${n}`, [], { code: CodeRef.make(calls) })
    Handlers.submitted(tables, client, graph([], { codes: told(0, CODES_REMEMBERED) }), 0)
    Handlers.submitted(tables, client, graph([call(1, 0), call(2, CODES_REMEMBERED)], { codes: told(CODES_REMEMBERED, CODES_REMEMBERED + 1) }), 0)
    Handlers.submitted(tables, client, graph([call(3, 1)], { codes: [] }), 0)
    assert.throws(() => Handlers.submitted(tables, client, graph([call(4, 0)], { codes: [] }), 0), Violation, /calls the code 0, of which it has not told/)
    assert.strictEqual(client.codes.size, CODES_REMEMBERED)
  })

  it("fails what builds on a key that is another's, without telling the reducer", () => {
    const tables = makeTables()
    const client = makeClient()
    Handlers.submitted(tables, client, graph([task(1, "a")]), 0)
    client.refs.conflict(ref(1), { failure: { _tag: "Conflict", heldBy: "bob" } as const, origin: key("a"), originCode: client.codes.get(CodeRef.make(0))?.code })
    const { conflicts, event } = Handlers.submitted(tables, client, graph([task(2, "b", [1]), task(3, "c", [2])], { codes: [] }), 0)
    assert(event._tag === "TasksSubmitted")
    assert.deepStrictEqual(event.tasks, [])
    const row = { failure: { _tag: "Conflict" as const, heldBy: "bob" }, origin: key("a"), originTask: "inc" }
    assert.deepStrictEqual(conflicts, [{ _tag: "Erred", row: { ref: ref(2), ...row } }, { _tag: "Erred", row: { ref: ref(3), ...row } }])
    const released = Handlers.released(client, [ref(3), ref(2), ref(1)], 0)
    assert(released._tag === "KeysReleased")
    assert.deepStrictEqual(released.ids, [])
  })
})

describe("Handlers.released", () => {
  it("takes a message whole or not at all", () => {
    const tables = makeTables()
    const client = makeClient()
    Handlers.submitted(tables, client, graph([task(1, "a"), task(2, "b")]), 0)
    assert.throws(() => Handlers.released(client, [ref(1), ref(3)], 0), Violation)
    assert.strictEqual(client.refs.size(), 2)
    const event = Handlers.released(client, [ref(1)], 0)
    assert(event._tag === "KeysReleased")
    assert.deepStrictEqual(event.ids, [TaskId.make(0)])
    assert.throws(() => Handlers.released(client, [ref(1)], 0), Violation)
  })
})

describe("Handlers.registered", () => {
  it("says −1 for what nobody knows", () => {
    const tables = makeTables()
    const a = tables.keys.idFor(key("a"), tables.codes.declare(code("inc")).code)
    const holds = ["b", "a"].map((name) => ({ key: key(name), run: RunId.make(4), nbytes: 8 }))
    const { event, ids } = Handlers.registered(tables, WorkerId.make(2), registration("w", { holds }), 0)
    assert(event._tag === "WorkerJoined")
    assert.deepStrictEqual(ids, [TaskId.make(-1), a])
    assert.deepStrictEqual(event.holds, [{ id: a, run: RunId.make(4), nbytes: 8 }])
  })

  it("refuses slots that are no numbers of slots", () => {
    for (const nthreads of [-1, 1.5, NaN, 2 ** 53]) {
      assert.throws(() => Handlers.registered(makeTables(), WorkerId.make(0), registration("w", { nthreads }), 0), Violation)
    }
  })
})

describe("Handlers.reported", () => {
  const noValue = new Uint8Array(0)
  const run = { id: TaskId.make(1), run: RunId.make(2) }
  const good: ReadonlyArray<Exclude<WorkerReport, { _tag: "Load" }>> = [
    { _tag: "Finished", rows: [{ ...run, nbytes: 8, ms: 1, value: noValue }] },
    { _tag: "Failed", rows: [{ ...run, ms: 1, failure: noValue, retryable: true }] },
    { _tag: "TimedOut", rows: [{ ...run, ms: 1 }] },
    { _tag: "Stopped", rows: [run] },
    { _tag: "TakeBack", rows: [{ ...run, returned: true }] },
    { _tag: "Seceded", rows: [run] },
    { _tag: "Rescheduled", rows: [run] },
    { _tag: "ReplicasAdded", rows: [{ ...run, nbytes: 8 }] },
    { _tag: "ReplicasGone", rows: [run] },
    { _tag: "Missing", rows: [{ ...run, peer: WorkerId.make(1) }] },
    { _tag: "HoldersAsked", rows: [run] }
  ]
  const report = (segment: WorkerReport) => Handlers.reported(makeWorker(), segment, 9, () => {}, () => {})

  for (const segment of good) {
    it(`passes the rows of ${segment._tag} on as they came`, () => {
      const event = report(segment)
      assert(event !== undefined && "rows" in event && "worker" in event)
      assert.strictEqual(event.rows as unknown, segment.rows)
      assert.strictEqual(event.worker, 3)
      assert.strictEqual(event.at, 9)
    })
    it(`refuses ${segment._tag} with numbers that are no ids`, () => {
      for (const field of ["id", "run", ...(segment._tag === "Missing" ? ["peer"] : [])]) {
        for (const n of [-1, 1.5, NaN, 2 ** 53]) {
          // One wrong number in an otherwise right row; the types would not let it through.
          const rows = [segment.rows[0], { ...segment.rows[0], [field]: n }] as never
          assert.throws(() => report({ _tag: segment._tag, rows } as never), Violation)
        }
      }
    })
  }

  it("refuses amounts that are none", () => {
    for (const n of [-1, NaN, Infinity]) {
      assert.throws(() => report({ _tag: "Finished", rows: [{ ...run, nbytes: n, ms: 1, value: noValue }] }), Violation)
      assert.throws(() => report({ _tag: "Finished", rows: [{ ...run, nbytes: 1, ms: n, value: noValue }] }), Violation)
      assert.throws(() => report({ _tag: "ReplicasAdded", rows: [{ ...run, nbytes: n }] }), Violation)
      assert.throws(() => report({ _tag: "Load", memoryBytes: n, managedBytes: 0 }), Violation)
    }
  })

  it("keeps small results by worker and run, and none of a refused message", () => {
    const kept: Array<unknown> = []
    const value = new Uint8Array([1])
    const keep = (...all: ReadonlyArray<unknown>) => void kept.push(all)
    const finished = { ...run, nbytes: 1, ms: 1, value }
    assert.throws(() => Handlers.reported(makeWorker(), { _tag: "Finished", rows: [finished, { ...finished, ms: NaN }] }, 0, keep, () => {}), Violation)
    assert.deepStrictEqual(kept, [])
    Handlers.reported(makeWorker(), { _tag: "Finished", rows: [finished, { ...finished, value: noValue }] }, 0, keep, () => {})
    assert.deepStrictEqual(kept, [[WorkerId.make(3), RunId.make(2), value]])
  })

  it("passes words on progress on, of which the reducer need not know, and refuses those about no runs", () => {
    const worker = makeWorker()
    const heard: Array<unknown> = []
    const say = (id: number) => {
      const rows = [{ ...run, id: TaskId.make(id), done: NaN, total: null, note: "?" }]
      return Handlers.reported(worker, { _tag: "Progress", rows }, 0, () => {}, (from, words) => void heard.push(from === worker, words === rows))
    }
    assert.isUndefined(say(1))
    assert.throws(() => say(-1), Violation)
    assert.deepStrictEqual(heard, [true, true])
  })

  it("notes the load, of which the reducer need not know", () => {
    const worker = makeWorker()
    assert.isUndefined(Handlers.reported(worker, { _tag: "Load", memoryBytes: 77, managedBytes: 1 }, 0, () => {}, () => {}))
    assert.strictEqual(worker.memoryBytes, 77)
  })
})
