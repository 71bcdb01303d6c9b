import { assert, describe, it } from "@effect/vitest"
import type { Event } from "@skein/core/worker/Event"
import { RunId, TaskId, WorkerId } from "@skein/protocol/Ids"
import * as DataStore from "@skein/runtime/worker/DataStore"
import * as Gather from "@skein/runtime/worker/Gather"
import * as Bulk from "@skein/transport/Bulk"
import type { BulkClient } from "@skein/transport/BulkClient"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"

const row = { id: TaskId.make(1), run: RunId.make(7), nbytes: 3 }
const peer = WorkerId.make(4)

/** A gatherer whose one peer answers when it is told to. */
const gathering = Effect.gen(function*() {
  const store = DataStore.make()
  const events: Array<Event> = []
  const answer = yield* Deferred.make<ReadonlyArray<Bulk.Answer>, Bulk.BulkFailed>()
  const client: BulkClient["Service"] = { fetch: () => Deferred.await(answer), put: () => Effect.void, idle: () => 0 }
  const gather = yield* Gather.make({ store, client, addressOf: () => "unix:/peer", emit: (event) => events.push(event) })
  yield* gather.fetch(peer, [row])
  yield* Effect.yieldNow
  return { answer, events, store }
})

const settle = Effect.forEach(Array.from({ length: 10 }), () => Effect.yieldNow, { discard: true })

describe("Gather", () => {
  it.effect("keeps what comes, and then tells of it", () =>
    Effect.gen(function*() {
      const { answer, events, store } = yield* gathering
      yield* Deferred.succeed(answer, [Bulk.found(new Uint8Array(3))])
      yield* settle
      assert.deepStrictEqual(events.map(({ _tag }) => _tag), ["GatherSucceeded"])
      assert.isDefined(store.find(row.id, row.run))
    }))

  /** Found by exploration: the machine took such an answer for that to its own question, and had no result to show for it. */
  it.effect("tells a new incarnation nothing of what an earlier one asked for", () =>
    Effect.gen(function*() {
      const { answer, events, store } = yield* gathering
      store.adopt([])
      yield* Deferred.succeed(answer, [Bulk.found(new Uint8Array(3))])
      yield* settle
      assert.deepStrictEqual(events, [])
      assert.strictEqual(store.size(), 0)
    }))

  it.effect("nor that it could not be fetched", () =>
    Effect.gen(function*() {
      const { answer, events, store } = yield* gathering
      store.adopt([])
      yield* Deferred.fail(answer, new Bulk.BulkFailed({ address: "unix:/peer", reason: "Lost", detail: "the peer is gone" }))
      yield* settle
      assert.deepStrictEqual(events, [])
    }))
})
