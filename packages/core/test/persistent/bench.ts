/**
 * Nanoseconds per operation of the persistent collections: run it with
 * `node packages/core/test/persistent/bench.ts`. It is no test: the figures are
 * for people, and for comparison within one run.
 *
 * Each figure is the median of five rounds over a collection of `n` entries, at
 * pseudo-random indices and with a new owner every 500 operations, as the
 * reducer has it; the first rounds are left out as warm-up.
 */
import * as IntSet from "@skein/core/persistent/IntSet"
import { makeOwner } from "@skein/core/persistent/Owner"
import * as Ranked from "@skein/core/persistent/Ranked"
import * as Vector from "@skein/core/persistent/Vector"

const perBatch = 500
const operations = 100_000

/** Keeps the engine from leaving out what nobody reads. */
let sink = 0

/** Runs `round` eight times and prints the median of the last five, per operation. */
const measure = (name: string, n: number, round: () => void, operationsPerRound = operations): void => {
  const times: Array<number> = []
  for (let at = 0; at < 8; at++) {
    const start = performance.now()
    round()
    if (at >= 3) times.push(performance.now() - start)
  }
  times.sort((a, b) => a - b)
  const ns = ((times[2] ?? NaN) * 1e6) / operationsPerRound
  console.log(`${name.padEnd(56)} ${String(n).padStart(9)} ${ns.toFixed(1).padStart(8)} ns`)
}

/** A permutation of 0 … n − 1 for n without the divisor 7 919: near in order, but no two in one leaf. */
const scattered = (at: number, n: number): number => (at * 7_919) % n

const vectors = (n: number): void => {
  const owner = makeOwner()
  const values = Array.from({ length: 1_000 }, (_, id) => ({ id }))
  const value = (at: number) => values[at % 1_000] ?? { id: 0 }
  let full = Vector.empty<{ id: number }>()
  for (let at = 0; at < n; at++) full = Vector.set(full, owner, at, value(at))

  measure("Vector.get", n, () => {
    for (let at = 0; at < operations; at++) sink += Vector.get(full, scattered(at, n))?.id ?? 0
  })
  measure("Vector.set, neighbours", n, () => {
    let vector = full
    let owner = makeOwner()
    for (let at = 0; at < operations; at++) {
      if (at % perBatch === 0) owner = makeOwner()
      vector = Vector.set(vector, owner, at % n, value(at))
    }
  })
  measure("Vector.set, scattered", n, () => {
    let vector = full
    let owner = makeOwner()
    for (let at = 0; at < operations; at++) {
      if (at % perBatch === 0) owner = makeOwner()
      vector = Vector.set(vector, owner, scattered(at, n), value(at))
    }
  })
  measure("Vector.set + remove at the end", n, () => {
    let vector = full
    let owner = makeOwner()
    for (let at = 0; at < operations / 2; at++) {
      if (at % perBatch === 0) owner = makeOwner()
      vector = Vector.set(vector, owner, n + at, value(at))
      if (at >= 100) vector = Vector.remove(vector, owner, n + at - 100)
    }
  })
  measure("Vector.remove, scattered", n, () => {
    let vector = full
    let owner = makeOwner()
    for (let at = 0; at < operations; at++) {
      if (at % perBatch === 0) owner = makeOwner()
      vector = Vector.remove(vector, owner, scattered(at, n))
    }
  })
  measure("Vector.min", n, () => {
    for (let at = 0; at < operations; at++) sink += Vector.min(full) ?? 0
  })
  measure("Vector.forEach, per entry", n, () => {
    Vector.forEach(full, (value) => {
      sink += value.id
    })
  }, n)
}

const sets = (n: number): void => {
  const full = IntSet.fromIterable(Array.from({ length: n }, (_, id) => id))
  measure("IntSet.has", n, () => {
    for (let at = 0; at < operations; at++) sink += IntSet.has(full, scattered(at, n)) ? 1 : 0
  })
  measure("IntSet.add + remove of a new one", n, () => {
    let set: IntSet.IntSet = full
    let owner = makeOwner()
    for (let at = 0; at < operations / 2; at++) {
      if (at % perBatch === 0) owner = makeOwner()
      set = IntSet.add(set, owner, n + at)
      if (at >= 100) set = IntSet.remove(set, owner, n + at - 100)
    }
  })
  measure("IntSet.remove + add, scattered", n, () => {
    let set: IntSet.IntSet = full
    let owner = makeOwner()
    for (let at = 0; at < operations / 2; at++) {
      if (at % perBatch === 0) owner = makeOwner()
      set = IntSet.remove(set, owner, scattered(at, n))
      set = IntSet.add(set, owner, scattered(at, n))
    }
  })
  measure("IntSet.min", n, () => {
    for (let at = 0; at < operations; at++) sink += IntSet.min(full) ?? 0
  })
}

const smallSets = (n: number): void => {
  const full = IntSet.fromIterable(Array.from({ length: n }, (_, id) => id * 3))
  measure("IntSet.has", n, () => {
    for (let at = 0; at < operations; at++) sink += IntSet.has(full, at % (3 * n)) ? 1 : 0
  })
  measure("IntSet.remove + add", n, () => {
    let set: IntSet.IntSet = full
    let owner = makeOwner()
    for (let at = 0; at < operations / 2; at++) {
      if (at % perBatch === 0) owner = makeOwner()
      const id = (at % n) * 3
      set = IntSet.remove(set, owner, id)
      set = IntSet.add(set, owner, id)
    }
    sink += IntSet.size(set)
  })
  measure("IntSet.forEach, per set", n, () => {
    for (let at = 0; at < operations; at++) {
      IntSet.forEach(full, (id) => {
        sink += id
      })
    }
  })
}

const queues = (n: number, priorities: number, epoch: number): void => {
  const owner = makeOwner()
  let full = Ranked.empty()
  for (let rank = 0; rank < n; rank++) {
    full = Ranked.add(full, owner, { priority: rank % priorities, rank: epoch + rank }, rank)
  }
  const kind = `${priorities} priorities, ranks from ${epoch === 0 ? "0" : "2^40"}`
  measure(`Ranked.add + remove, ${kind}`, n, () => {
    let queue = full
    let owner = makeOwner()
    for (let at = 0; at < operations / 2; at++) {
      if (at % perBatch === 0) owner = makeOwner()
      queue = Ranked.add(queue, owner, { priority: at % priorities, rank: epoch + n + at }, at)
      const old = at - 100
      if (old >= 0) {
        queue = Ranked.remove(queue, owner, { priority: old % priorities, rank: epoch + n + old })
      }
    }
  })
  measure(`Ranked.first, ${kind}`, n, () => {
    for (let at = 0; at < operations; at++) sink += Ranked.first(full) ?? 0
  })
}

console.log(`${"operation".padEnd(56)} ${"entries".padStart(9)}`)
for (const n of [100_000, 1_000_000]) {
  vectors(n)
  sets(n)
  for (const priorities of [1, 3, 1_000]) queues(n, priorities, 0)
  queues(n, 1, 2 ** 40)
}
queues(100_000, 100_000, 0)
for (const n of [1, 3, 16, 17]) smallSets(n)
if (Number.isNaN(sink)) console.log(sink)
