import { assert, describe, it } from "@effect/vitest"
import * as Duplex from "@skein/transport/Duplex"
import * as Memory from "@skein/transport/Memory"
import type { Hashing as HashingService } from "@skein/transport/Hashing"
import * as Hashing from "@skein/transport/node/Hashing"
import * as Prompt from "@skein/transport/Prompt"
import type { SessionOptions } from "@skein/transport/Session"
import { Cause, Context, Deferred, Effect, Exit, Fiber, Queue, References, Result, Schema, Scope, Stream } from "effect"
import { SchemaBinary } from "effect/encoding"
import { Rpc, RpcGroup } from "effect/rpc"
import * as Message from "../src/internal/message.ts"
import { pair } from "./utils/sessions.ts"

class NoSuchKey extends Schema.TaggedError<NoSuchKey>()("NoSuchKey", { key: Schema.String }) {}

class SchedulerRpcs extends RpcGroup.make(
  Rpc.make("Register", { payload: { name: Schema.String }, success: Schema.String }),
  Rpc.make("Hang", { success: Schema.Void }),
  Duplex.tell("Report", { n: Schema.Int }),
  Duplex.tell("Suspend", { n: Schema.Int })
) {}

class WorkerRpcs extends RpcGroup.make(
  Rpc.make("Run", { payload: { n: Schema.Int }, success: Schema.Int }),
  Rpc.make("Fail", { payload: { key: Schema.String }, success: Schema.Int, error: NoSuchKey }),
  Rpc.make("Die", { success: Schema.Void }),
  Rpc.make("Throw", { success: Schema.Void }),
  Rpc.make("Echo", { payload: { bytes: Schema.Uint8Array }, success: Schema.Uint8Array }),
  Rpc.make("Count", { payload: { to: Schema.Int }, success: Schema.Int, stream: true }),
  Rpc.make("Hang", { success: Schema.Void })
) {}

/** A scheduler and a worker with a client of each other, and what their handlers noted. */
const duplex = Effect.fnUntraced(function*(options: SessionOptions = {}) {
  const network = Memory.makeNetwork()
  const { here, there } = yield* pair({ server: yield* network.listen("s"), socket: network.connect("s") }, options)
  const reports: Array<number> = []
  const events = yield* Queue.unbounded<string>()
  const gate = yield* Deferred.make<void>()
  const hang = (who: string) => Effect.onInterrupt(
    Effect.andThen(Queue.offer(events, `${who} hangs`), Effect.never),
    () => Queue.offer(events, `${who} interrupted`)
  )
  const scheduler = yield* Duplex.make(there, { serve: SchedulerRpcs, call: WorkerRpcs }).pipe(
    Effect.provide(SchedulerRpcs.toLayer({
      Register: ({ name }) => Effect.succeed(`welcome ${name}`),
      Hang: () => hang("scheduler"),
      Report: ({ n }) => Effect.sync(() => void reports.push(n)),
      Suspend: ({ n }) => Effect.andThen(Effect.sync(() => void reports.push(n)), Deferred.await(gate))
    }))
  )
  const worker = yield* Duplex.make(here, { serve: WorkerRpcs, call: SchedulerRpcs }).pipe(
    Effect.provide(WorkerRpcs.toLayer({
      Run: ({ n }) => Effect.succeed(n * 2),
      Fail: ({ key }) => Effect.fail(new NoSuchKey({ key })),
      Die: () => Effect.die(new Error("secret: /home/me/.token")),
      Throw: (): Effect.Effect<void> => {
        throw new Error("secret, thrown")
      },
      Echo: ({ bytes }) => Effect.succeed(bytes),
      Count: ({ to }) => Stream.range(0, to - 1).pipe(Stream.rechunk(3)),
      Hang: () => hang("worker")
    }))
  )
  return { scheduler, worker, reports, events, gate, here, there }
})

const live = <A, E>(effect: Effect.Effect<A, E, HashingService | Scope.Scope>) =>
  effect.pipe(Effect.scoped, Effect.provide(Hashing.layer), Effect.provideService(References.MinimumLogLevel, "None"))

describe("calls", () => {
  it.live("go both ways over the one session", () =>
    live(Effect.gen(function*() {
      const { scheduler, worker } = yield* duplex()
      assert.strictEqual(yield* worker.Register({ name: "w1" }), "welcome w1")
      assert.deepStrictEqual(
        yield* Effect.forEach([1, 2, 3], (n) => scheduler.Run({ n }), { concurrency: 3 }),
        [2, 4, 6]
      )
    })))

  it.live("fail by their typed error", () =>
    live(Effect.gen(function*() {
      const { scheduler } = yield* duplex()
      const error = yield* Effect.flip(scheduler.Fail({ key: "x" }))
      assert.instanceOf(error, NoSuchKey)
      assert.strictEqual((error as NoSuchKey).key, "x")
    })))

  it.live("learn that a handler has a defect, but not its text, and others go on", () =>
    live(Effect.gen(function*() {
      const { scheduler, events } = yield* duplex()
      const hanging = yield* Effect.forkChild(scheduler.Hang())
      assert.strictEqual(yield* Queue.take(events), "worker hangs")
      for (const call of [scheduler.Die(), scheduler.Throw()]) {
        const exit = yield* Effect.exit(call)
        assert.isTrue(Exit.hasDies(exit))
        const defect = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
        assert.instanceOf(defect, Duplex.RemoteDefect)
        assert.notInclude(String(exit), "secret")
      }
      assert.isUndefined(hanging.pollUnsafe())
      assert.strictEqual(yield* scheduler.Run({ n: 4 }), 8)
    })))

  it.live("interrupt their handler when they are interrupted", () =>
    live(Effect.gen(function*() {
      const { events, scheduler } = yield* duplex()
      const hanging = yield* Effect.forkChild(scheduler.Hang())
      assert.strictEqual(yield* Queue.take(events), "worker hangs")
      yield* Fiber.interrupt(hanging)
      assert.strictEqual(yield* Queue.take(events), "worker interrupted")
      assert.strictEqual(yield* scheduler.Run({ n: 1 }), 2)
    })))

  it.live("fail when the session ends, and their handlers are interrupted", () =>
    live(Effect.gen(function*() {
      const { events, here, scheduler, worker } = yield* duplex()
      const down = yield* Effect.forkChild(scheduler.Hang())
      assert.strictEqual(yield* Queue.take(events), "worker hangs")
      const up = yield* Effect.forkChild(worker.Hang())
      assert.strictEqual(yield* Queue.take(events), "scheduler hangs")
      yield* here.end(Cause.interrupt())
      for (const call of [yield* Fiber.await(up), yield* Fiber.await(down)]) {
        const error = Exit.isFailure(call) ? Cause.findError(call.cause) : undefined
        assert.isTrue(error !== undefined && Result.isSuccess(error) && error.success._tag === "SessionEnded")
      }
      assert.sameMembers([yield* Queue.take(events), yield* Queue.take(events)], ["worker interrupted", "scheduler interrupted"])
      assert.strictEqual((yield* Effect.flip(worker.Report({ n: 1 })))._tag, "SessionEnded")
      assert.strictEqual((yield* Effect.flip(worker.Register({ name: "late" })))._tag, "SessionEnded")
    })))

  it.live("carry bytes of any size up to a frame, and fail alone beyond", () =>
    live(Effect.gen(function*() {
      const { scheduler } = yield* duplex({ frameLimit: 100_000 })
      const bytes = new Uint8Array(90_000).map((_, i) => i)
      assert.deepStrictEqual(yield* scheduler.Echo({ bytes }), bytes)
      assert.isTrue(Exit.hasDies(yield* Effect.exit(scheduler.Echo({ bytes: new Uint8Array(100_001) }))))
      assert.strictEqual(yield* scheduler.Run({ n: 1 }), 2)
    })))

  it.live("wait at the caller when 1,024 of them are under way, and go on as those are answered", () =>
    live(Effect.gen(function*() {
      const { events, scheduler, there } = yield* duplex()
      const hanging = yield* Effect.forEach(Array.from({ length: Duplex.inFlightLimit }), () => Effect.forkChild(scheduler.Hang()))
      yield* Queue.takeN(events, Duplex.inFlightLimit)
      const waiting = yield* Effect.forkChild(scheduler.Run({ n: 1 }))
      yield* Effect.yieldNow
      assert.isUndefined(waiting.pollUnsafe())
      yield* Fiber.interrupt(hanging[0]!)
      assert.strictEqual(yield* Fiber.join(waiting), 2)
      // Interrupted while it waits for its turn, a call was never sent, and holds nothing.
      yield* Fiber.interrupt(yield* Effect.forkChild(scheduler.Run({ n: 1 })))
      yield* Fiber.interruptAll(hanging)
      assert.strictEqual(yield* scheduler.Run({ n: 3 }), 6)
      assert.strictEqual(there.peer.name, "worker-1")
    })))

  it.live("that are interrupted while they wait for room hold nothing afterwards", () =>
    live(Effect.gen(function*() {
      const network = Memory.makeNetwork()
      const { here, there } = yield* pair({ server: yield* network.listen("s"), socket: network.connect("s") }, { window: 2000 })
      const scheduler = yield* Duplex.make(there, { serve: RpcGroup.make(), call: WorkerRpcs })
      const bytes = new Uint8Array(1500)
      let hanging = 0
      const all = yield* Deferred.make<void>()
      // The other side does not listen yet, so only one of these fits.
      const first = yield* Effect.forkChild(scheduler.Echo({ bytes }))
      for (let i = 0; i < Duplex.inFlightLimit + 10; i++) {
        const waiting = yield* Effect.forkChild(scheduler.Echo({ bytes }))
        yield* Effect.yieldNow
        yield* Fiber.interrupt(waiting)
      }
      yield* Duplex.make(here, { serve: WorkerRpcs, call: RpcGroup.make() }).pipe(Effect.provide(WorkerRpcs.toLayer({
        Run: ({ n }) => Effect.succeed(n * 2),
        Fail: () => Effect.succeed(0),
        Die: () => Effect.void,
        Throw: () => Effect.void,
        Echo: ({ bytes }) => Effect.succeed(bytes),
        Count: () => Stream.empty,
        Hang: () => Effect.suspend(() => ++hanging === Duplex.inFlightLimit ? Deferred.succeed(all, undefined) : Effect.void).pipe(Effect.andThen(Effect.never))
      })))
      assert.strictEqual((yield* Fiber.join(first)).length, 1500)
      for (let i = 0; i < Duplex.inFlightLimit; i++) yield* Effect.forkChild(scheduler.Hang())
      yield* Deferred.await(all)
    })))
})

describe("streams", () => {
  it.live("arrive whole and in order", () =>
    live(Effect.gen(function*() {
      const { scheduler } = yield* duplex()
      assert.deepStrictEqual(yield* Stream.runCollect(scheduler.Count({ to: 20 })), Array.from({ length: 20 }, (_, i) => i))
    })))

  it.live("whose reader is slow hold back nothing else", () =>
    live(Effect.gen(function*() {
      const { scheduler } = yield* duplex()
      yield* scheduler.Run({ n: 1 }) // both ends are up
      const queue = yield* scheduler.Count({ to: 100 }, { asQueue: true, streamBufferSize: 1 })
      assert.strictEqual(yield* Queue.take(queue), 0)
      assert.strictEqual(yield* scheduler.Run({ n: 21 }), 42)
      for (const n of [1, 2, 3]) assert.strictEqual(yield* Queue.take(queue), n)
    })))
})

describe("tells", () => {
  it.live("are accepted within a call while there is room, and then in their order", () =>
    live(Effect.gen(function*() {
      const { reports, worker } = yield* duplex({ window: 1024 })
      const lefts = Array.from({ length: 200 }, (_, n) => worker.Report.now({ n }))
      assert.isTrue(Prompt.isDone(lefts[0]!))
      assert.isFalse(Prompt.isDone(lefts[199]!))
      yield* Effect.forEach(lefts, (left) => left, { discard: true })
      assert.strictEqual(yield* worker.Register({ name: "w" }), "welcome w")
      assert.deepStrictEqual(reports, Array.from({ length: 200 }, (_, n) => n))
    })))

  it.live("complete when the session has accepted them, and are handled in order", () =>
    live(Effect.gen(function*() {
      const { reports, worker } = yield* duplex()
      for (let n = 0; n < 2000; n++) yield* worker.Report({ n })
      yield* worker.Register({ name: "after them" })
      assert.deepStrictEqual(reports, Array.from({ length: 2000 }, (_, n) => n))
    })))

  it.live("whose handlers suspend do not hold back the next, up to 1,024 of them", () =>
    live(Effect.gen(function*() {
      const { gate, reports, there, worker } = yield* duplex()
      for (let n = 0; n < Duplex.inFlightLimit; n++) yield* worker.Suspend({ n })
      yield* worker.Register({ name: "after them" })
      assert.strictEqual(reports.length, Duplex.inFlightLimit)
      yield* Deferred.succeed(gate, undefined)
      yield* worker.Register({ name: "all done" })
      for (let n = 0; n < 10; n++) yield* worker.Suspend({ n })
      yield* worker.Register({ name: "still there" })
      assert.strictEqual(there.peer.name, "worker-1")
    })))

  it.live("that pile up unhandled end the session", () =>
    live(Effect.gen(function*() {
      const { there, worker } = yield* duplex()
      yield* Effect.ignore(Effect.forEach(Array.from({ length: Duplex.inFlightLimit + 1 }), (_, n) => worker.Suspend({ n })))
      assert.strictEqual((yield* Effect.flip(there.ended)).kind, "overrun")
    })))
})

/** A worker served here, and a peer that can say anything to it, frame by frame. */
const withPeer = Effect.gen(function*() {
  const network = Memory.makeNetwork()
  const { here, there } = yield* pair({ server: yield* network.listen("s"), socket: network.connect("s") })
  const group = RpcGroup.make(
    Rpc.make("Run", { payload: { n: Schema.Int }, success: Schema.Int }),
    Rpc.make("Hang", { success: Schema.Void }),
    Duplex.tell("Report", { n: Schema.Int })
  )
  const reports: Array<number> = []
  yield* Duplex.make(here, { serve: group, call: RpcGroup.make() }).pipe(Effect.provide(group.toLayer({
    Run: ({ n }) => Effect.succeed(n * 2),
    Hang: () => Effect.never,
    Report: ({ n }) => Effect.sync(() => void reports.push(n))
  })))
  const answers = yield* Queue.unbounded<Message.Message | undefined>()
  yield* Effect.forkScoped(there.run((frame) => Queue.offer(answers, Message.decode(frame))))
  return { here, there, reports, answers }
})
/** How a call without arguments is encoded. */
const nothing = SchemaBinary.encoder(Schema.Void).encode(undefined)
const asked = (tag: string, id: number, body: Uint8Array = nothing) => Message.ask(Message.headOf(tag, false), id, body)
const told = (tag: string, body: Uint8Array = nothing) => Message.tell(Message.headOf(tag, true), body)

describe("a peer that breaks the rules", () => {
  const garbage = new Uint8Array(30).fill(255)
  const broken: ReadonlyArray<readonly [string, ReadonlyArray<Uint8Array>]> = [
    ["by a message of no kind", [garbage]],
    ["by telling what is asked", [told("Run")]],
    ["by asking what is told", [asked("Report", 1)]],
    ["by telling what nobody serves", [told("Nothing")]],
    ["by asking what nobody serves", [asked("Nothing", 1)]],
    ["by telling what cannot be read", [told("Report", garbage)]],
    ["by giving two calls one number", [asked("Hang", 1), asked("Hang", 1)]]
  ]
  for (const [how, frames] of broken) {
    it.live(`${how} loses its session`, () =>
      live(Effect.gen(function*() {
        const { here, reports, there } = yield* withPeer
        for (const frame of frames) yield* there.send(frame)
        assert.strictEqual((yield* Effect.flip(here.ended)).kind, "protocol")
        assert.deepStrictEqual(reports, [])
      })))
  }

  it.live("by more calls than may be under way is cut off", () =>
    live(Effect.gen(function*() {
      const { here, there } = yield* withPeer
      for (let id = 1; id <= Duplex.inFlightLimit + 1; id++) yield* Effect.ignore(there.send(asked("Hang", id)))
      assert.strictEqual((yield* Effect.flip(here.ended)).kind, "overrun")
    })))

  it.live("by asking with what cannot be read has that call failed, and no other", () =>
    live(Effect.gen(function*() {
      const { answers, here, there } = yield* withPeer
      yield* there.send(asked("Run", 7, garbage))
      const answer = yield* Queue.take(answers)
      assert.isTrue(answer?._tag === "Exit" && answer.id === 7)
      const ended = yield* Effect.forkChild(here.ended)
      yield* there.send(Message.interrupt(99)) // of a call that never came: it is answered, for the peer waits for that
      const late = yield* Queue.take(answers)
      assert.isTrue(late?._tag === "Exit" && late.id === 99)
      assert.isUndefined(ended.pollUnsafe())
    })))

  it.live("by answers and chunks to nothing, or that cannot be read, changes nothing", () =>
    live(Effect.gen(function*() {
      const network = Memory.makeNetwork()
      const { here, there } = yield* pair({ server: yield* network.listen("s"), socket: network.connect("s") })
      const client = yield* Duplex.make(here, { serve: RpcGroup.make(), call: WorkerRpcs })
      const asked = yield* Queue.unbounded<Message.Message | undefined>()
      yield* Effect.forkScoped(there.run((frame) => Queue.offer(asked, Message.decode(frame))))
      yield* there.send(Message.exit(12, garbage))
      yield* there.send(Message.chunk(12, garbage))
      const call = yield* Effect.forkChild(client.Run({ n: 1 }))
      const question = yield* Queue.take(asked)
      assert.isTrue(question?._tag === "Ask" && question.tag === "Run")
      if (question?._tag === "Ask") yield* there.send(Message.exit(question.id, garbage))
      assert.isTrue(Exit.hasDies(yield* Fiber.await(call)))
      yield* there.send(Message.chunk(1, garbage))
      yield* there.send(Message.exit(1, garbage))
      const ended = yield* Effect.forkChild(here.ended)
      yield* Effect.yieldNow
      assert.isUndefined(ended.pollUnsafe())
    })))
})

describe("handlers", () => {
  class Noted extends Context.Service<Noted, (what: string) => void>()("test/Noted") {}
  const group = RpcGroup.make(
    Rpc.make("Ask", { success: Schema.String }),
    Rpc.make("Later", { success: Schema.String }),
    Rpc.make("TooLarge", { success: Schema.Uint8Array }),
    Rpc.make("Queued", { success: Schema.Int, stream: true }),
    Duplex.tell("Tell", {})
  )
  const serving = Effect.gen(function*() {
    const network = Memory.makeNetwork()
    const { here, there } = yield* pair({ server: yield* network.listen("s"), socket: network.connect("s") }, { frameLimit: 1000 })
    const notes: Array<string> = []
    const later = yield* Deferred.make<string>()
    const finalized = (what: string) => Effect.flatMap(Noted, (note) => Effect.addFinalizer(() => Effect.sync(() => note(what))))
    yield* Duplex.make(here, { serve: group, call: RpcGroup.make() }).pipe(
      Effect.provide(group.toLayer({
        Ask: () => Effect.as(finalized("asked"), "answer"),
        Later: () => Effect.succeed(later),
        TooLarge: () => Effect.succeed(new Uint8Array(2000)),
        Queued: () => Effect.gen(function*() {
          const queue = yield* Queue.unbounded<number, Cause.Done>()
          yield* Queue.offerAll(queue, [1, 2, 3])
          yield* Queue.end(queue)
          return queue
        }),
        Tell: () => finalized("told")
      })),
      Effect.provideService(Noted, (what) => void notes.push(what))
    )
    const client = yield* Duplex.make(there, { serve: RpcGroup.make(), call: group })
    return { client, notes, later }
  })

  it.live("have a scope of their own, which closes with each of them", () =>
    live(Effect.gen(function*() {
      const { client, notes } = yield* serving
      yield* client.Tell({})
      assert.strictEqual(yield* client.Ask(), "answer")
      assert.deepStrictEqual(notes, ["told", "asked"])
    })))

  it.live("may answer by a Deferred, and a stream by a queue", () =>
    live(Effect.gen(function*() {
      const { client, later } = yield* serving
      const waiting = yield* Effect.forkChild(client.Later())
      yield* client.Ask()
      assert.isUndefined(waiting.pollUnsafe())
      yield* Deferred.succeed(later, "now")
      assert.strictEqual(yield* Fiber.join(waiting), "now")
      assert.deepStrictEqual(yield* Stream.runCollect(client.Queued()), [1, 2, 3])
    })))

  it.live("whose answer fits into no frame have the call fail, and no other", () =>
    live(Effect.gen(function*() {
      const { client } = yield* serving
      assert.isTrue(Exit.hasDies(yield* Effect.exit(client.TooLarge())))
      assert.strictEqual(yield* client.Ask(), "answer")
    })))
})

describe("what is no message", () => {
  it.live("ends the session that brought it", () =>
    live(Effect.gen(function*() {
      const { here, there } = yield* duplex()
      yield* here.send(new Uint8Array(50).fill(1))
      assert.strictEqual((yield* Effect.flip(there.ended)).kind, "protocol")
      assert.strictEqual((yield* Effect.flip(here.ended)).kind, "protocol")
    })))
})
