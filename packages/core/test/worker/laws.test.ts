/**
 * What is true of every history of a worker, shown on walks (see Walk.ts).
 *
 * Every state of every walk is frozen deeply after its batch, which is the only
 * thing that finds an edit in place of what a batch does not own.
 */
import { assert, describe, it } from "@effect/vitest"
import { broken } from "@skein/core/worker/Invariants"
import { reduce } from "@skein/core/worker/Reducer"
import { empty, type State } from "@skein/core/worker/State"
import { firstSeed } from "../utils/seed.ts"
import { calmDown, freeAll, tightConfig, type Turn, Walk, walk } from "./Walk.ts"

// Walks cannot get shorter, so there is little to shrink: what fails is replayed by its token.
const walks = { seed: firstSeed, size: 230, maxShrinks: 50 }
const many = { arbitrary: { ...walks, runs: 1_000 }, timeout: 240_000 }
const some = { arbitrary: { ...walks, runs: 60 }, timeout: 60_000 }
const few = { arbitrary: { ...walks, runs: 30 }, timeout: 60_000 }

describe("worker laws", () => {
  it.prop("every reachable state keeps every invariant", [Walk], ([choices]) => {
    const seen = { events: 0, effective: 0, tasks: 0, peers: 0 }
    walk(choices, 6, ({ after, effective, events }) => {
      assert.deepStrictEqual(broken(after), [])
      seen.events += events.length
      seen.effective += effective
      seen.tasks = Math.max(seen.tasks, after.tasks.size)
      seen.peers = Math.max(seen.peers, after.peers.size)
    })
    // A walk that goes nowhere shows nothing.
    assert.isAtLeast(seen.events, 200)
    assert.isAtLeast(seen.effective / seen.events, 0.6)
    assert.isAtLeast(seen.tasks, 20)
    assert.isAtLeast(seen.peers, 3)
  }, many)

  it.prop("the shell finds what it is told to use and can do what it is told, and only named peers are asked", [Walk], ([choices]) => {
    walk(choices, 1, ({ world }) => assert.deepStrictEqual(world.complaints, []))
  }, some)

  it.prop("a batch is the fold of its single events", [Walk], ([choices]) => {
    const turns = turnsOf(choices)
    for (const { commands, singly } of turns) assert.deepStrictEqual(commands, singly)
    const events = turns.flatMap((turn) => turn.events)
    for (const size of [1, 7, events.length]) assert.deepStrictEqual(inBatches(events, size), turns.at(-1)?.after)
  }, some)

  it.prop("the same state and the same events give the same step", [Walk], ([choices]) => {
    for (const { after, before, commands, events } of turnsOf(choices)) {
      const again = reduce(before, events)
      assert.deepStrictEqual(again.commands, commands)
      assert.deepStrictEqual(forComparison(again.state), forComparison(after))
    }
  }, few)

  it.prop("an event that is repeated changes nothing more", [Walk], ([choices]) => {
    walk(choices, 1, ({ after, events }) => {
      // What a peer answers belongs to the one request under way, which may be another by now.
      if (events.some(({ _tag }) => _tag === "GatherSucceeded")) return
      assert.deepStrictEqual(forComparison(reduce(after, events).state), forComparison(after))
    })
  }, few)

  it.prop("everything asked for is answered once faults stop, and freeing everything leaves nothing", [Walk], ([choices]) => {
    const turn = calmDown(walk(choices, 3, () => {}), ({ after, world }) => {
      assert.deepStrictEqual(world.complaints, [])
      assert.deepStrictEqual(broken(after), [])
    })
    assert.deepStrictEqual([...turn.world.asked.values()], [])
    assert.strictEqual(turn.after.counts.Memory, turn.after.tasks.size)
    const { ending, nfibers, nthreads, worker } = turn.after
    const nothing: State = { ...empty(tightConfig), ending, nfibers, nthreads, worker }
    assert.deepStrictEqual(forComparison(freeAll(turn)), forComparison(nothing))
  }, some)
})

const turnsOf = (choices: ReadonlyArray<number>): ReadonlyArray<Turn> => {
  const turns: Array<Turn> = []
  walk(choices, 3, (turn) => turns.push(turn))
  return turns
}

const inBatches = (events: Turn["events"], size: number): State => {
  let state = empty(tightConfig)
  for (let from = 0; from < events.length; from += size) state = reduce(state, events.slice(from, from + size)).state
  return state
}

/** Without the memory of how it came about. */
const forComparison = (state: State): State => ({ ...state, log: empty().log, threadMs: undefined })
