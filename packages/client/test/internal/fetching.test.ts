import { assert, describe, it } from "@effect/vitest"
import { RelayFailed } from "@skein/protocol/ClientRpcs"
import * as Bulk from "@skein/transport/Bulk"
import { Effect, Exit, Stream } from "effect"
import type { SchedulerClient } from "../../src/internal/core.ts"
import { makeFetching } from "../../src/internal/fetching.ts"

/** Workers that answer so, a scheduler that hands on pieces, and who was asked in which order. */
const ways = (direct: boolean | undefined, fails: Bulk.BulkFailed["reason"] | undefined, relayed: Stream.Stream<Uint8Array, RelayFailed>) => {
  const asked: Array<string> = []
  const bulk = {
    fetch: (address: string, wanted: ReadonlyArray<Bulk.Wanted>) =>
      Effect.suspend(() => {
        asked.push(address)
        return fails === undefined ? Effect.succeed(wanted.map(() => Bulk.found(new Uint8Array([1])))) : Effect.fail(new Bulk.BulkFailed({ address, reason: fails, detail: "so" }))
      }),
    idle: Effect.succeed(0)
  }
  // Of all that a scheduler can be asked, this is what is asked here.
  const rpc = {
    Relay: ({ id, run }: { readonly id: number; readonly run: number }) => {
      asked.push(`relay ${id}/${run}`)
      return relayed
    }
  } as unknown as SchedulerClient
  const fetching = makeFetching(bulk as never, Effect.succeed(rpc), direct)
  return { asked, fetch: (address: string) => Effect.exit(fetching.fetch(address, [{ id: 5, run: 7 }])) }
}
const pieces = Stream.make(new Uint8Array([1, 2]), new Uint8Array([3]))
const whole = Exit.succeed([Bulk.found(new Uint8Array([1, 2, 3]))])

describe("a value that is fetched", () => {
  it.effect("comes from its worker, or from the scheduler if the client is told so", () =>
    Effect.gen(function*() {
      const direct = ways(true, undefined, pieces)
      assert.deepStrictEqual(yield* direct.fetch("w"), Exit.succeed([Bulk.found(new Uint8Array([1]))]))
      const through = ways(false, undefined, pieces)
      assert.deepStrictEqual(yield* through.fetch("w"), whole)
      assert.deepStrictEqual([direct.asked, through.asked], [["w"], ["relay 5/7"]])
    }))

  it.effect("comes from the scheduler where the worker is out of reach, which is not tried again", () =>
    Effect.gen(function*() {
      const { asked, fetch } = ways(undefined, "Connect", pieces)
      assert.deepStrictEqual([yield* fetch("w"), yield* fetch("w")], [whole, whole])
      assert.deepStrictEqual(asked, ["w", "relay 5/7", "relay 5/7"])
    }))

  it.effect("does not, where the worker fails in another way, or the client is told to ask workers", () =>
    Effect.gen(function*() {
      for (const [direct, reason] of [[undefined, "Lost"], [undefined, "Damaged"], [true, "Connect"]] as const) {
        const { asked, fetch } = ways(direct, reason, pieces)
        assert.isTrue(Exit.isFailure(yield* fetch("w")))
        assert.deepStrictEqual(asked, ["w"])
      }
    }))

  it.effect("is missing where the scheduler knows of nobody, and says what else went wrong", () =>
    Effect.gen(function*() {
      const failing = (reason: RelayFailed["reason"]) => ways(false, undefined, Stream.fail(new RelayFailed({ reason, detail: "so" }))).fetch("w")
      assert.deepStrictEqual(yield* failing("Missing"), Exit.succeed([Bulk.missing]))
      assert.deepStrictEqual(yield* failing("TooLarge"), Exit.fail(new Bulk.BulkFailed({ address: "w", reason: "TooLarge", detail: "by way of the scheduler: so" })))
      assert.deepStrictEqual(yield* failing("Failed"), Exit.fail(new Bulk.BulkFailed({ address: "w", reason: "Lost", detail: "by way of the scheduler: so" })))
    }))
})
