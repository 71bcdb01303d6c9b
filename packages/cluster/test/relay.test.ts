/**
 * Results by way of the scheduler, for clients that cannot reach the workers or are not to.
 */
import { assert, describe, it } from "@effect/vitest"
import { type ClientOptions } from "@skein/client"
import { make as makeClient } from "@skein/client/Client"
import * as NodePlatform from "@skein/client/node/Platform"
import { Platform } from "@skein/client/Platform"
import { Cluster, LocalCluster } from "@skein/cluster"
import { RunId, TaskId } from "@skein/protocol/Ids"
import * as Relaying from "@skein/runtime/scheduler/Relaying"
import * as NodeHashing from "@skein/transport/node/Hashing"
import { Effect, Redacted, Stream } from "effect"

const WITHIN = 60_000
const token = Redacted.make("for tests")
const cluster = LocalCluster.layer({ processes: false, workers: 2, threadsPerWorker: 1, scheduler: { token } })

/** Too large to come with its news, and more than one piece. */
const large = (n: number) => new Uint8Array(5 * 2 ** 19 + n).fill(n)

/** What two tasks gave to a client that is told so, which addresses it dialled, and whether workers let it connect. */
const gathered = (options: ClientOptions, reaches: boolean) =>
  Effect.scoped(Effect.gen(function*() {
    const { schedulerAddress: address } = yield* Cluster
    const platform = yield* Platform
    const { connect, connectBulk = connect } = platform
    const dialled = new Set<string>()
    const seen = <A>(to: string, dial: Effect.Effect<A, { readonly message: string }>) => {
      dialled.add(to === address ? "scheduler" : "worker")
      return to === address || reaches ? dial : Effect.fail({ message: "a firewall is in between" })
    }
    const client = yield* makeClient({ address, token, ...options }).pipe(Effect.provideService(Platform, {
      ...platform,
      connect: (to) => seen(to, connect(to)),
      connectBulk: (to, room) => seen(to, connectBulk(to, room))
    }))
    const values = yield* Effect.flatMap(client.map(large, [1, 2]), client.gather)
    return { dialled: [...dialled].sort(), sizes: values.map((value) => value.length), ends: values.map((value) => value.at(-1)) }
  }).pipe(Effect.provide(NodePlatform.layer)))

describe("a result", () => {
  it.live("comes from its worker, or through the scheduler, as the client is told and as it can (test_client.py::test_gather_direct)", () =>
    Effect.gen(function*() {
      const all = { sizes: [5 * 2 ** 19 + 1, 5 * 2 ** 19 + 2], ends: [1, 2] }
      assert.deepStrictEqual(yield* gathered({}, true), { ...all, dialled: ["scheduler", "worker"] })
      assert.deepStrictEqual(yield* gathered({ directToWorkers: false }, true), { ...all, dialled: ["scheduler"] })
      assert.deepStrictEqual(yield* gathered({}, false), { ...all, dialled: ["scheduler", "worker"] })
    }).pipe(Effect.provide(cluster)), WITHIN)
})

describe("the scheduler hands on", () => {
  const id = TaskId.make(0)
  const run = RunId.make(1)
  const relay = (nbytes: number, asked: RunId) =>
    Effect.scoped(Effect.gen(function*() {
      const relaying = Relaying.make({
        sockets: { connectBulk: () => Effect.die("nobody is asked") },
        token: null,
        locate: () => ({ id, run, nbytes, addresses: [] }),
        hashing: NodeHashing.node
      })
      return yield* Effect.flip(Stream.runCollect((yield* relaying.forClient)({ id, run: asked })))
    }))

  it.effect("no value that is larger than what it has room for, nor one that is gone", () =>
    Effect.gen(function*() {
      assert.deepInclude(yield* relay(300 * 2 ** 20, run), { reason: "TooLarge", detail: "the value has 300 MiB, and the scheduler hands on 256 MiB at most" })
      assert.deepInclude(yield* relay(1, RunId.make(2)), { reason: "Missing" })
      assert.deepInclude(yield* relay(1, run), { reason: "Failed", detail: "no worker has it any more" })
    }))
})
