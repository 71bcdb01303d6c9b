import { assert, describe, it } from "@effect/vitest"
import { ProcessId } from "@skein/protocol/Ids"
import { type ExitReport, NannyCommandRpcs, NannyRpcs } from "@skein/protocol/NannyRpcs"
import * as NodeSockets from "@skein/runtime/worker/node/NodeSockets"
import { Sockets } from "@skein/runtime/worker/Sockets"
import * as Duplex from "@skein/transport/Duplex"
import { Network } from "@skein/transport/Memory"
import * as Hashing from "@skein/transport/node/Hashing"
import * as Session from "@skein/transport/Session"
import { Cause, Effect, Fiber, Layer, Queue } from "effect"
import * as NannyLine from "../../src/internal/nannyLine.ts"

const ADDRESS = "inproc://scheduler"

/** A scheduler that notes what nannies say, and with whom it speaks. */
const scheduler = Effect.gen(function*() {
  const words = yield* Queue.unbounded<string>()
  const sessions = yield* Queue.unbounded<Session.Session>()
  const { server } = yield* (yield* Sockets).listen(ADDRESS)
  const onSession = Effect.fnUntraced(function*(session: Session.Session) {
    const note = (word: string) => Effect.asVoid(Queue.offer(words, word))
    const handlers = yield* NannyRpcs.toHandlers(NannyRpcs.of({
      Watching: ({ process }) => note(`${process} is watched`),
      Exited: ({ report }) => note(`${report.process} has exited`)
    }))
    yield* Effect.provideContext(Duplex.make(session, { serve: NannyRpcs, call: NannyCommandRpcs }), handlers)
    yield* Queue.offer(sessions, session)
    return yield* session.ended
  })
  yield* Effect.forkScoped(Session.serve(server, { authorize: () => Effect.void, onSession }))
  return { hears: (n: number) => Queue.takeN(words, n), sessions }
})

const exit = (process: string): ExitReport => ({
  process: ProcessId.make(process),
  ended: "signal",
  detail: "signal SIGKILL",
  peakMemoryBytes: null,
  logTail: [],
  started: []
})

describe("the nannies' line", () => {
  it.live("a new session begins with the processes that run then, and hears nothing of those that ended before it", () =>
    Effect.gen(function*() {
      const { hears, sessions } = yield* scheduler
      const line = yield* NannyLine.make
      const watching = (process: string) => line.watching(ProcessId.make(process))
      const session = Effect.scoped(line.run({
        name: "nannies",
        address: ADDRESS,
        token: undefined,
        timeoutMs: 10_000,
        endProcess: () => Effect.void,
        logs: Effect.succeed([])
      }))
      // Said before there is anybody to hear it.
      yield* watching("a/1")
      yield* watching("b/1")
      const first = yield* Effect.forkScoped(session)
      yield* line.exited(exit("a/1"))
      yield* watching("a/2")
      assert.deepStrictEqual(yield* hears(4), ["a/1 is watched", "b/1 is watched", "a/1 has exited", "a/2 is watched"])

      yield* (yield* Queue.take(sessions)).end(Cause.empty)
      yield* Fiber.join(first)
      yield* line.exited(exit("b/1"))
      yield* watching("b/2")
      yield* Effect.forkScoped(session)
      assert.deepStrictEqual(yield* hears(2), ["a/2 is watched", "b/2 is watched"])
      yield* line.exited(exit("a/2"))
      assert.deepStrictEqual(yield* hears(1), ["a/2 has exited"])
    }).pipe(Effect.scoped, Effect.provide(Layer.merge(Hashing.layer, Layer.provideMerge(NodeSockets.layer, Network.layer)))))
})
