/**
 * How fast values move: between workers, to the client, and from it.
 *
 * A task needs values of which some are on the other worker; the time is from
 * its submission until its own, small result is here, so finding out who has
 * them, decoding, and the task itself are counted. Copies are counted in a
 * cluster of its own, for counting is slow: bytes that JavaScript copied for
 * each byte that was moved or used.
 */
import { Effect } from "effect"
import type { ClientService, Future } from "skein"
import { Bench } from "../harness/Bench.ts"
import { type Real, real, withCluster } from "../harness/clusters.ts"
import { absent, type Figure, row, rows, timed } from "../harness/measure.ts"
import { folder, probe, probed } from "../harness/processes.ts"
import { COPIES, countCopies, copiedSoFar } from "../harness/probe.ts"
import { release, salts } from "../submitting.ts"
import * as tasks from "../tasks.ts"

const MiB = 2 ** 20

/** What is moved in one round: so many values of one size on each worker. */
interface Load {
  readonly name: string
  readonly bytes: number
  readonly count: number
  readonly warm: number
  readonly note?: string
}
const loads: ReadonlyArray<Load> = [
  { name: "1 KiB", bytes: 1024, count: 256, warm: 3 },
  { name: "1 MiB", bytes: MiB, count: 32, warm: 2 },
  { name: "100 MiB", bytes: 100 * MiB, count: 1, warm: 1 },
  { name: "1 GiB", bytes: 1024 * MiB - 65_536, count: 1, warm: 0, note: "less 64 KiB: one value may have 1 GiB with its tags" }
]

const transferName = (load: Load) => `worker to worker, ${load.name}`
const gatherName = (load: Load) => `gather, ${load.name}`
/** By content, as it is done unless one says otherwise, and without. */
const scatterName = (load: Load, hash: boolean) => `scatter${hash ? "" : " without a hash"}, ${load.name}`
const movesOf = (load: Load) => [transferName(load), gatherName(load), scatterName(load, true), scatterName(load, false)]
const copiesFigures = (load: Load): ReadonlyArray<Figure> => [
  { name: `copies, sending worker, ${load.name}`, unit: "a byte moved" },
  { name: `copies, receiving worker, ${load.name}`, unit: "a byte used" },
  { name: `copies, gather, worker, ${load.name}`, unit: "a byte moved" },
  { name: `copies, gather, client, ${load.name}`, unit: "a byte moved" },
  { name: `copies, scatter, client, ${load.name}`, unit: "a byte moved" },
  { name: `copies, scatter, worker, ${load.name}`, unit: "a byte moved" }
]

type Values = ReadonlyArray<Future<Uint8Array, unknown>>

/** Values on both workers, in memory. */
const spread = Effect.fnUntraced(function*(client: ClientService, { bytes, count }: Load) {
  const first = salts(2 * count)
  const futures: Array<Future<Uint8Array, unknown>> = []
  for (let n = 0; n < 2 * count; n++) futures.push(yield* client.submit(tasks.makeBytes, bytes, first + n))
  yield* client.wait(futures)
  return futures as Values
})

/** The name of the worker that holds each. */
const holders = (client: ClientService, futures: ReadonlyArray<Future<unknown, unknown>>) =>
  Effect.map(client.inspect.tasks(futures), (infos) => {
    const workers = new Map(infos.map(({ key, workers }) => [key, workers[0] ?? ""]))
    return futures.map(({ key }) => workers.get(key) ?? "")
  })

/** One task that needs them all. */
const bringTogether = Effect.fnUntraced(function*(client: ClientService, { bytes }: Load, values: Values) {
  const before = yield* holders(client, values)
  const [ms, used] = yield* timed(Effect.gen(function*() {
    const together = yield* client.submit(tasks.lengths, values)
    yield* together.result
    return together
  }))
  const [receiver] = yield* holders(client, [used])
  const moved = before.filter((holder) => holder !== receiver).length * bytes
  yield* used.release
  if (moved === 0) return yield* Effect.fail(new Error("all values were on one worker"))
  return { ms, moved, used: values.length * bytes, receiver }
})

const transfer = ({ client, processes }: Real, load: Load) => {
  let values: Values = []
  return row({
    name: transferName(load),
    unit: "MiB/s",
    better: "more",
    round: Effect.gen(function*() {
      values = yield* spread(client, load)
      const { moved, ms } = yield* bringTogether(client, load, values)
      return moved / MiB / ms * 1_000
    }),
    tidy: Effect.suspend(() => release(client, values)),
    warm: load.warm,
    processes,
    note: load.note ?? ""
  })
}

const gather = ({ client, processes }: Real, load: Load) => {
  let values: Values = []
  return row({
    name: gatherName(load),
    unit: "MiB/s",
    better: "more",
    round: Effect.gen(function*() {
      values = (yield* spread(client, load)).slice()
      const wanted = values.slice(0, load.count)
      const [ms] = yield* timed(client.gather(wanted))
      return wanted.length * load.bytes / MiB / ms * 1_000
    }),
    tidy: Effect.suspend(() => release(client, values)),
    warm: load.warm,
    processes,
    note: load.note ?? (load.bytes <= 4_096 ? "values this small have come with the news that they are there" : "")
  })
}

/** Values of this process that no worker has: no two are equal, or they would be one. */
const ownValues = ({ bytes, count }: Load) => {
  const first = salts(count)
  return Array.from({ length: count }, (_, n) => {
    const made = new Uint8Array(bytes)
    for (let at = 0; at < bytes; at += 4_096) made[at] = at
    new DataView(made.buffer).setUint32(0, first + n)
    return made
  })
}

const scatter = ({ client, processes }: Real, load: Load, hash: boolean) => {
  let futures: Values = []
  return row<unknown, never>({
    name: scatterName(load, hash),
    unit: "MiB/s",
    better: "more",
    round: Effect.gen(function*() {
      const values = ownValues(load)
      const [ms, made] = yield* timed(client.scatterAll(values, { hash }))
      futures = made
      return values.length * load.bytes / MiB / ms * 1_000
    }),
    tidy: Effect.suspend(() => release(client, futures)),
    warm: load.warm,
    processes,
    note: load.note ?? ""
  })
}

const copies = (cluster: Real, at: string, load: Load) => {
  const { client } = cluster
  let values: Values = []
  let scattered: Values = []
  /** By the worker's name. */
  const counted = Effect.gen(function*() {
    const found = new Map<string, number>()
    for (const { address, name, pid } of yield* client.inspect.workers) {
      const { copied } = yield* probe(at, pid, "as it is")
      found.set(name, copied)
      found.set(address, copied)
    }
    return found
  })
  const sum = (all: ReadonlyMap<string, number>) => [...new Set(all.values())].reduce((total, one) => total + one, 0)
  return rows({
    figures: copiesFigures(load),
    round: Effect.gen(function*() {
      values = yield* spread(client, load)
      const before = yield* counted
      const { moved, receiver, used } = yield* bringTogether(client, load, values)
      const after = yield* counted
      const receiving = (after.get(receiver ?? "") ?? NaN) - (before.get(receiver ?? "") ?? NaN)
      const all = sum(after) - sum(before)
      const own = copiedSoFar()
      const wanted = values.slice(0, load.count)
      yield* client.gather(wanted)
      const bytes = wanted.length * load.bytes
      const afterGather = sum(yield* counted)
      const byClient = copiedSoFar() - own
      const given = ownValues(load)
      const ownBefore = copiedSoFar()
      scattered = yield* client.scatterAll(given)
      const scatteredHere = copiedSoFar() - ownBefore
      const scatteredThere = sum(yield* counted) - afterGather
      return [(all - receiving) / moved, receiving / used, (afterGather - sum(after)) / bytes, byClient / bytes, scatteredHere / bytes, scatteredThere / bytes]
    }),
    tidy: Effect.suspend(() => release(client, [...values, ...scattered])),
    runs: 5,
    processes: () => ({})
  })
}

const two = { workers: 2, threadsPerWorker: 1, fibersPerWorker: 1 }

export const data = Effect.gen(function*() {
  const { wants } = yield* Bench
  const moves = loads.filter((load) => movesOf(load).some(wants))
  if (moves.length > 0) {
    yield* withCluster(
      real(two),
      (cluster) =>
        Effect.forEach(moves, (load) =>
          Effect.all([transfer(cluster, load), gather(cluster, load), scatter(cluster, load, true), scatter(cluster, load, false)], { discard: true }), {
          discard: true
        }),
      (why) => Effect.forEach(moves.flatMap(movesOf), (name) => absent({ name, unit: "MiB/s", better: "more" }, why), { discard: true })
    )
  }
  const counts = loads.filter((load) => copiesFigures(load).some(({ name }) => wants(name)))
  if (counts.length === 0) return
  yield* Effect.scoped(Effect.gen(function*() {
    const at = yield* folder
    // The nannies hand down what begins with NODE_.
    const { env, nodeArgs } = probed(at)
    Object.assign(process.env, env, { [COPIES]: "1", NODE_OPTIONS: `${process.env["NODE_OPTIONS"] ?? ""} ${nodeArgs.join("=")}` })
    countCopies()
    yield* withCluster(
      real(two),
      (cluster) => Effect.forEach(counts, (load) => copies(cluster, at, load), { discard: true }),
      (why) => Effect.forEach(counts.flatMap(copiesFigures), (figure) => absent(figure, why), { discard: true })
    )
  }))
})
