/** Who is next, and what happens when. */
import { assert, describe, it } from "@effect/vitest"
import { RunQueue, type Strategy } from "@skein/simulation/RunQueue"
import { Stream } from "@skein/simulation/Stream"
import { Timers } from "@skein/simulation/Timers"

/** In which order so many are taken, of owners a and b by turns, all there from the start. */
const order = (strategy: Strategy, count: number, seed = 1) => {
  const queue = new RunQueue<string>(strategy, new Stream(seed))
  const taken: Array<{ readonly owner: string; readonly index: number }> = []
  for (let index = 0; index < count; index++) {
    const owner = index % 2 === 0 ? "a" : "b"
    queue.push({ owner, rank: queue.rank(), run: () => taken.push({ owner, index }) })
  }
  while (queue.size > 0) queue.take().run()
  return taken
}
const indexes = (strategy: Strategy, count: number, seed?: number) => order(strategy, count, seed).map(({ index }) => index)
const all = Array.from({ length: 100 }, (_, i) => i)

describe("each strategy takes all there is", () => {
  for (const strategy of ["fifo", "lifo", "uniform", "pct", "starve"] as const) {
    it(strategy, () => {
      assert.deepStrictEqual(indexes(strategy, 100).sort((a, b) => a - b), all)
      assert.deepStrictEqual(indexes(strategy, 100, 5), indexes(strategy, 100, 5))
      if (strategy !== "fifo") assert.notDeepEqual(indexes(strategy, 100, 5), indexes(strategy, 100, 6))
    })
  }
})

it("fifo takes the oldest first, also after thousands", () => {
  assert.deepStrictEqual(indexes("fifo", 5000), Array.from({ length: 5000 }, (_, i) => i))
})

it("lifo takes the newest first, but now and then any", () => {
  const taken = indexes("lifo", 100)
  const falling = taken.filter((index, at) => at > 0 && index < taken[at - 1]!).length
  assert.isAbove(falling, 85)
  assert.notDeepEqual(taken, all.toReversed())
})

it("pct keeps to its ranks, but now and then any", () => {
  const queue = new RunQueue<string>("pct", new Stream(3))
  const ranks: Array<number> = []
  for (let i = 0; i < 100; i++) {
    const rank = queue.rank()
    queue.push({ owner: "a", rank, run: () => ranks.push(rank) })
  }
  while (queue.size > 0) queue.take().run()
  assert.isAbove(ranks.filter((rank, at) => at > 0 && rank < ranks[at - 1]!).length, 85)
})

it("starve leaves one owner to the last", () => {
  const owners = order("starve", 100, 2).map(({ owner }) => owner)
  const last = owners.slice(60)
  assert.isAbove(Math.max(last.filter((owner) => owner === "a").length, last.filter((owner) => owner === "b").length), 35)
})

describe("timers", () => {
  it("come in the order of their times, and equal ones in that in which they were set", () => {
    const timers = new Timers<string>()
    const stream = new Stream(1)
    const times = Array.from({ length: 500 }, () => stream.int(50))
    times.forEach((at, index) => timers.set(at, String(index), () => {}))
    const fired: Array<readonly [number, number]> = []
    for (let timer = timers.pop(); timer !== undefined; timer = timers.pop()) fired.push([timer.at, Number(timer.owner)])
    assert.deepStrictEqual(fired, times.map((at, index) => [at, index] as const).sort((a, b) => a[0] - b[0] || a[1] - b[1]))
  })

  it("that are cancelled never come, however many there are", () => {
    const timers = new Timers<number>()
    const stream = new Stream(2)
    const set = Array.from({ length: 1000 }, (_, index) => timers.set(stream.int(100), index, () => {}))
    const kept = new Set<number>()
    set.forEach((timer, index) => stream.chance(0.9) ? timers.cancel(timer) : kept.add(index))
    for (const timer of set) if (timer.cancelled) timers.cancel(timer)
    assert.strictEqual(timers.waiting().length, kept.size)
    assert.strictEqual(timers.nextAt(), Math.min(...[...kept].map((index) => set[index]!.at)))
    const fired: Array<number> = []
    for (let timer = timers.pop(); timer !== undefined; timer = timers.pop()) fired.push(timer.owner)
    assert.deepStrictEqual(new Set(fired), kept)
    assert.isUndefined(timers.nextAt())
  })
})

it("streams of different names have nothing to do with each other, also under seeds beyond 32 bits", () => {
  const first = (seed: number, name: string) => Stream.named(seed, name).bits()
  const seeds = [0, 1, 2 ** 32, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER]
  assert.strictEqual(new Set(seeds.flatMap((seed) => ["a", "b", "net/a->b"].map((name) => first(seed, name)))).size, 15)
  const draws = Array.from({ length: 10_000 }, ((stream) => () => stream.next())(Stream.named(1, "a")))
  const mean = draws.reduce((a, b) => a + b) / draws.length
  assert.closeTo(mean, 0.5, 0.02)
})
