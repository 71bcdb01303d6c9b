import { assert, describe, it } from "@effect/vitest"
import { Effect, Queue, Schema } from "effect"
import { SchemaBinary } from "effect/encoding"
import type { RpcGroup } from "effect/rpc"
import { ClientReportRpcs, ClientRpcs } from "@skein/protocol/ClientRpcs"
import { CodeRef, Key, RunId } from "@skein/protocol/Ids"
import { NannyRpcs } from "@skein/protocol/NannyRpcs"
import { WorkerRpcs } from "@skein/protocol/WorkerRpcs"
import * as Duplex from "@skein/transport/Duplex"
import type { Role } from "@skein/transport/Handshake"
import { dial } from "@skein/transport/Session"
import { Journal } from "@skein/runtime/scheduler/Journal"
import * as Rig from "./utils/Rig.ts"
import { code, declared, id, process, ref, registration, task } from "./utils/make.ts"

const inc = [declared(code("inc"))]
const noBytes = new Uint8Array(0)

/** A scheduler with a good client that holds "good", a good worker that computes it, and what both amount to. */
const scene = Effect.fnUntraced(function*() {
  const rig = yield* Rig.start()
  const worker = yield* Rig.registered(rig, "good")
  const client = yield* Rig.client(rig, "good")
  yield* client.rpc.Submit({ graph: { codes: inc, tasks: [task(1, "good")], last: true } })
  const { rows: [asked] } = yield* worker.next("Compute")
  const seen = Effect.gen(function*() {
    yield* client.rpc.Counts()
    return {
      counts: rig.tree.state().counts,
      workers: (yield* client.rpc.Workers()).map(({ name }) => name),
      keys: rig.tree.desk.tables.keys.snapshot().keys,
      clients: [...rig.tree.desk.registry.clients.values()].map(({ name }) => name)
    }
  })
  return { rig, worker, client, asked: asked!, seen }
})

const bad = [-1, 1.5, NaN, 2 ** 53, 77]

/** A tell whose rows, which travel packed, are these bytes. */
const told = <A>(tag: string, schema: Schema.Codec<A, unknown>, payload: A): Uint8Array =>
  new Uint8Array([1, tag.length, ...Buffer.from(tag), ...SchemaBinary.encoder(schema).encode(payload)])
const submitted = (tasks: ReadonlyArray<number>) =>
  told("Submit", Schema.Struct({ graph: Schema.Struct({ codes: Schema.Array(Schema.Never), tasks: Schema.Uint8Array, last: Schema.Boolean }) }), {
    graph: { codes: [], tasks: new Uint8Array(tasks), last: true }
  })
const reported = (segments: ReadonlyArray<number>) =>
  told("Report", Schema.Struct({ segments: Schema.Uint8Array }), { segments: new Uint8Array(segments) })
/** No rows at all, counts and lengths that nothing stands behind, a kind that nobody knows. */
const nonsense = [[], [255], [1], [255, 255, 255, 255, 15], [1, 255, 255, 255, 255, 15], [0, 200], [99]]

/** What a hostile client may say: each is refused, and why. */
const byClient: Record<string, (client: Rig.FakeClient, n: number) => Effect.Effect<unknown, unknown>> = {
  "releases": ({ rpc }, n) => rpc.Release({ refs: [ref(n)] }),
  "retries": ({ rpc }, n) => rpc.Retry({ refs: [ref(n)] }),
  "cancels": ({ rpc }, n) => rpc.Cancel({ refs: [ref(n)], note: null, force: true }),
  "locates": ({ rpc }, n) => rpc.Locate({ ref: ref(n) }),
  "builds on": ({ rpc }, n) => rpc.Submit({ graph: { codes: inc, tasks: [task(1, "evil", [n])], last: true } }),
  "calls the code": ({ rpc }, n) => rpc.Submit({ graph: { codes: inc, tasks: [task(1, "evil", [], { code: CodeRef.make(n) })], last: true } })
}

describe("a hostile client", () => {
  for (const [what, say] of Object.entries(byClient)) {
    it.effect(`that ${what} what it does not hold loses its session, and nothing else happens`, () =>
      Effect.gen(function*() {
        const { rig, seen } = yield* scene()
        const before = yield* seen
        for (const n of [...bad, ...(what === "calls the code" ? [] : [1])]) {
          const evil = yield* Rig.client(rig, "evil")
          yield* Effect.forkChild(Effect.exit(say(evil, n)), { startImmediately: true })
          // What follows a bad message is not listened to either.
          yield* Effect.ignore(evil.rpc.Submit({ graph: { codes: [declared(code("x"), 9)], tasks: [task(5, "more", [], { code: CodeRef.make(9) })], last: true } }))
          const why = yield* Rig.endOf(evil.session)
          assert.strictEqual(why.kind, "protocol", `${what} ${n}`)
          assert.deepStrictEqual(yield* seen, before)
        }
        const events = (yield* (yield* Journal).entries).flatMap(({ events }) => events)
        const ofEvil = events.filter((event) => "client" in event && event.client > 0)
        assert.deepStrictEqual([...new Set(ofEvil.map(({ _tag }) => _tag))].sort(), ["ClientJoined", "ClientLeft"])
      }).pipe(Effect.provide(Rig.layer)))
  }

  it.effect("whose tasks make no sense loses its session, and nothing else happens", () =>
    Effect.gen(function*() {
      const { rig, seen } = yield* scene()
      const before = yield* seen
      for (const bytes of nonsense) {
        const evil = yield* Rig.client(rig, "evil")
        yield* evil.session.send(submitted([0]))
        yield* evil.rpc.Counts() // no tasks are no offence
        yield* evil.session.send(submitted(bytes))
        const { kind, reason } = yield* Rig.endOf(evil.session)
        assert.deepStrictEqual([kind, reason.includes("cannot be read")], ["protocol", true], `${bytes}`)
        assert.deepStrictEqual(yield* seen, before)
      }
    }).pipe(Effect.provide(Rig.layer)))

  it.effect("that puts a text under another's digest loses its session", () =>
    Effect.gen(function*() {
      const { rig, seen } = yield* scene()
      const before = yield* seen
      const evil = yield* Rig.client(rig, "evil")
      const forged = { ...code("inc"), text: "() => steal()" }
      yield* evil.rpc.Submit({ graph: { codes: [declared(forged)], tasks: [task(1, "evil")], last: true } })
      assert.include((yield* Rig.endOf(evil.session)).reason, "not what its digest says")
      assert.deepStrictEqual(yield* seen, before)
    }).pipe(Effect.provide(Rig.layer)))

  it.effect("that waits for a number of workers that is none loses its session", () =>
    Effect.gen(function*() {
      const { rig } = yield* scene()
      const evil = yield* Rig.client(rig, "evil")
      yield* Effect.forkChild(Effect.exit(evil.rpc.AwaitWorkers({ count: NaN })), { startImmediately: true })
      assert.strictEqual((yield* Rig.endOf(evil.session)).kind, "protocol")
    }).pipe(Effect.provide(Rig.layer)))
})

describe("a hostile client that scatters", () => {
  it.effect("what is no size, under no reference, or too much at once loses its session, and no name is left of it", () =>
    Effect.gen(function*() {
      const { rig, seen } = yield* scene()
      const before = yield* seen
      const row = { ref: ref(1), key: Key.make("data-1"), digest: noBytes, nbytes: 8 }
      const rows = [
        ...bad.filter((n) => n !== 77 && n !== 1.5).flatMap((n) => n === 2 ** 53 ? [] : [[row, { ...row, ref: ref(2), key: Key.make("data-2"), nbytes: n }]]),
        [row, { ...row, key: Key.make("data-2"), ref: ref(1.5) }],
        [{ ...row, digest: new Uint8Array(65) }],
        Array.from({ length: 1_001 }, (_, n) => ({ ...row, ref: ref(n), key: Key.make(`data-${n}`) }))
      ]
      for (const wrong of rows) {
        const evil = yield* Rig.client(rig, "evil")
        yield* Effect.forkChild(Effect.exit(evil.rpc.Scatter({ rows: wrong, workers: [], broadcast: true })), { startImmediately: true })
        assert.strictEqual((yield* Rig.endOf(evil.session)).kind, "protocol")
        assert.deepStrictEqual(yield* seen, before)
      }
    }).pipe(Effect.provide(Rig.layer)))
})

describe("a hostile worker", () => {
  it.effect("that reports numbers which are no runs loses its session, and nothing else happens", () =>
    Effect.gen(function*() {
      const { rig, seen } = yield* scene()
      const before = yield* seen
      for (const n of [-1, 1.5, NaN, 2 ** 53]) {
        const evil = yield* Rig.registered(rig, "evil")
        const row = { run: RunId.make(0), nbytes: 1, ms: 1, value: noBytes }
        yield* evil.rpc.Report({ segments: [{ _tag: "Finished", rows: [{ ...row, id: id(0) }, { ...row, id: id(n) }] }] })
        assert.strictEqual((yield* Rig.endOf(evil.session)).kind, "protocol")
        assert.deepStrictEqual(yield* seen, before)
      }
    }).pipe(Effect.provide(Rig.layer)))

  it.effect("whose rows make no sense loses its session, and nothing else happens", () =>
    Effect.gen(function*() {
      const { rig, seen } = yield* scene()
      const before = yield* seen
      for (const bytes of nonsense.filter(({ length }) => length > 0)) {
        const evil = yield* Rig.registered(rig, "evil")
        yield* evil.session.send(reported([]))
        assert.include((yield* seen).workers, "evil") // nothing said is no offence
        yield* evil.session.send(reported(bytes))
        const { kind, reason } = yield* Rig.endOf(evil.session)
        assert.deepStrictEqual([kind, reason.includes("cannot be read")], ["protocol", true], `${bytes}`)
        assert.deepStrictEqual(yield* seen, before)
      }
    }).pipe(Effect.provide(Rig.layer)))

  it.effect("that reports another's run changes nothing, and puts no value in the place of the right one", () =>
    Effect.gen(function*() {
      const { asked, client, rig, seen, worker } = yield* scene()
      const before = yield* seen
      const evil = yield* Rig.registered(rig, "evil")
      const finished = (value: number) => ({
        segments: [{ _tag: "Finished" as const, rows: [{ id: asked.id, run: asked.run, nbytes: 1, ms: 1, value: new Uint8Array([value]) }] }]
      })
      yield* Effect.all([evil.rpc.Report(finished(66)), worker.rpc.Report(finished(1)), evil.rpc.Report(finished(67))])
      const { rows: [news] } = yield* client.next("InMemory")
      assert.strictEqual(news!.worker, worker.worker)
      assert.deepStrictEqual(news!.value, new Uint8Array([1]))
      assert.deepInclude(yield* seen, { keys: before.keys, counts: { ...before.counts, processing: 0, memory: 1 } })
    }).pipe(Effect.provide(Rig.layer)))

  it.effect("that speaks before it registered, or registers twice, loses its session", () =>
    Effect.gen(function*() {
      const { rig } = yield* scene()
      const early = yield* Rig.worker(rig, "early")
      yield* early.rpc.Report({ segments: [{ _tag: "Load", memoryBytes: 1, managedBytes: 1 }] })
      assert.include((yield* Rig.endOf(early.session)).reason, "before it registered")
      const twice = yield* Rig.registered(rig, "twice")
      yield* Effect.forkChild(Effect.exit(twice.rpc.Register({ registration: registration("twice") })), { startImmediately: true })
      assert.include((yield* Rig.endOf(twice.session)).reason, "twice")
    }).pipe(Effect.provide(Rig.layer)))
})

describe("a hostile nanny", () => {
  it.effect("that reports the end of what it does not watch loses its session, and the worker stays", () =>
    Effect.gen(function*() {
      const { rig, seen } = yield* scene()
      const watching = yield* Rig.nanny(rig)
      yield* watching.rpc.Watching({ process: process("good/1") })
      const before = yield* seen
      const report = { process: process("good/1"), ended: "signal" as const, detail: "", peakMemoryBytes: null, logTail: [], started: [] }
      const says = [
        (evil: Effect.Success<ReturnType<typeof Rig.nanny>>) => evil.rpc.Exited({ report }),
        (evil: Effect.Success<ReturnType<typeof Rig.nanny>>) => evil.rpc.Watching({ process: process("good/1") })
      ]
      for (const say of says) {
        const evil = yield* Rig.nanny(rig, "evil")
        yield* say(evil)
        assert.strictEqual((yield* Rig.endOf(evil.session)).kind, "protocol")
        assert.deepStrictEqual(yield* seen, before)
      }
    }).pipe(Effect.provide(Rig.layer)))
})

describe("a role", () => {
  const groups = { client: ClientRpcs, worker: WorkerRpcs, nanny: NannyRpcs }
  const roles = ["client", "worker", "nanny"] as const
  /** Well-formed in every respect but who says it. */
  const said: Record<string, object> = {
    Submit: { graph: { codes: inc, tasks: [task(1, "evil")], last: true } },
    Release: { refs: [] },
    Retry: { refs: [] },
    Cancel: { refs: [], note: null, force: true },
    Locate: { ref: ref(1) },
    Scatter: { rows: [], workers: [], broadcast: false },
    AwaitWorkers: { count: 0 },
    Introduce: { id: "evil" },
    Want: { rows: [] },
    Detach: { refs: [] },
    Tasks: { keys: null, from: 0 },
    Places: { keys: null, from: 0 },
    Explain: { key: "good" },
    Story: { key: "good" },
    Register: { registration: registration("evil") },
    Watching: { process: process("good/1") },
    Exited: { report: { process: process("good/1"), ended: "signal", detail: "", peakMemoryBytes: null, logTail: [], started: [] } }
  }
  for (const role of roles) {
    for (const other of roles.filter((other) => other !== role)) {
      it.effect(`may not call what ${other}s call: a ${role}'s calls change and answer nothing`, () =>
        Effect.gen(function*() {
          const { rig, seen } = yield* scene()
          const before = { ...(yield* seen), clients: null }
          for (const [tag, rpc] of groups[other].requests) {
            // "Report" of a worker is told to it by another group of the same name.
            if (groups[role].requests.has(tag)) continue
            const session = yield* Rig.dialAs(rig, role as Role, "evil")
            const handlers = yield* ClientReportRpcs.toHandlers(ClientReportRpcs.of({ Report: () => Effect.void }))
            const calls = yield* Duplex.make(session, {
              serve: ClientReportRpcs,
              call: groups[other] as unknown as RpcGroup.RpcGroup<never>
            }).pipe(Effect.provideContext(handlers))
            const call = (calls as unknown as Record<string, (payload: unknown) => Effect.Effect<unknown, unknown>>)[tag]!
            const answer = yield* Effect.exit(Effect.raceFirst(call(said[tag] ?? undefined), Effect.andThen(Rig.endOf(session), Effect.fail("ended"))))
            const isTell = rpc.annotations.mapUnsafe.has("@skein/protocol/Tell")
            if (!isTell) assert.strictEqual(answer._tag, "Failure", `${role} asked ${tag}`)
            assert.deepStrictEqual({ ...(yield* seen), clients: null }, before, `${role} said ${tag}`)
            yield* session.close
          }
        }).pipe(Effect.provide(Rig.layer)))
    }
  }

  it.effect("that a scheduler does not serve is not let in, nor is one without the token", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.start({ token: "right" })
      const dialAs = (role: Role, token?: string) =>
        Effect.flip(Effect.flatMap(rig.connect, (socket) => dial({ socket, greeting: { role, name: "x", ...Rig.tokenOf(token) }, beatMs: Infinity })))
      for (const [role, token] of [["operator", "right"], ["scheduler", "right"], ["client", "wrong"], ["client", undefined]] as const) {
        assert.strictEqual((yield* dialAs(role, token)).reason, "Unauthorized", `${role} with ${token}`)
      }
      yield* Rig.client({ ...rig, token: "right" })
    }).pipe(Effect.provide(Rig.layer)))
})

describe("a slow client", () => {
  /** Computes what it is asked to, at once. */
  const answering = (worker: Rig.FakeWorker, value: Uint8Array) =>
    Effect.forever(Effect.gen(function*() {
      const segment = yield* Queue.take(worker.commands)
      if (segment._tag === "Compute") {
        yield* worker.rpc.Report({
          segments: [{ _tag: "Finished", rows: segment.rows.map(({ id, run }) => ({ id, run, nbytes: 4_000, ms: 1, value })) }]
        })
      } else if (segment._tag === "Cancel") yield* worker.rpc.Report({ segments: [{ _tag: "Stopped", rows: segment.rows }] })
    }))

  it.effect("is cut off, and others go on", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.start({ outboxRows: 100 })
      const worker = yield* Rig.registered(rig)
      yield* Effect.forkScoped(answering(worker, new Uint8Array(4_000)))
      const slow = yield* Rig.client(rig, "slow", false)
      const other = yield* Rig.client(rig, "other")
      // Enough for its window, then for the message under way, and then for its outbox.
      for (let part = 0; part < 16; part++) {
        const tasks = Array.from({ length: 50 }, (_, n) => task(part * 50 + n, `slow-${part}-${n}`))
        yield* Effect.ignore(slow.rpc.Submit({ graph: { codes: part === 0 ? inc : [], tasks, last: true } }))
        yield* other.rpc.Counts()
      }
      const why = yield* Rig.endOf(slow.session)
      assert.strictEqual(why.kind, "overrun")
      assert.include(why.reason, "reads too slowly")
      yield* other.rpc.Submit({ graph: { codes: inc, tasks: [task(1, "other")], last: true } })
      assert.strictEqual((yield* other.next("InMemory")).rows[0]!.ref, ref(1))
      assert.deepStrictEqual(rig.tree.desk.tables.keys.snapshot().keys.map(([key]) => key), ["other"])
    }).pipe(Effect.provide(Rig.layer)))

  it.effect("is not one for which a single turn has a lot", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.start({ outboxRows: 100 })
      const worker = yield* Rig.registered(rig, "worker", { nfibers: 100 })
      yield* Effect.forkScoped(answering(worker, new Uint8Array(0)))
      const client = yield* Rig.client(rig)
      const tasks = Array.from({ length: 3_000 }, (_, n) => task(n, `k${n}`))
      yield* client.rpc.Submit({ graph: { codes: inc, tasks, last: true } })
      for (let done = 0; done < 3_000;) done += (yield* client.next("InMemory")).rows.length
      yield* client.rpc.Release({ refs: tasks.map(({ ref }) => ref) })
      assert.deepInclude(yield* client.rpc.Counts(), { memory: 0 })
    }).pipe(Effect.provide(Rig.layer)))
})
