/**
 * Several systems at the same work, in turn: a round of each, then the next round
 * of each. A machine whose speed changes over minutes changes it for all of them,
 * so the ratios of rounds that lie side by side stay.
 *
 * A peer's better setting counts, and which that is shows at once: one that is far
 * behind in its first round has no other.
 */
import { Effect } from "effect"
import { Bench } from "./Bench.ts"
import { median } from "./figures.ts"
import { limited, medians, why } from "./measure.ts"
import { load } from "./procfs.ts"
import type { Row } from "./Row.ts"

/** What a round found: the figure, and microseconds of processor for each unit of work. */
export interface Found {
  readonly figure: number
  readonly cpu: Readonly<Record<string, number>>
}

export interface Contender {
  /** The name of its row. */
  readonly name: string
  readonly round: Effect.Effect<Found, unknown>
  /** Rounds that do not count, unless it is far behind. */
  readonly warm: number
}

export interface Contest {
  readonly unit: string
  readonly per: string
  readonly ours: Contender
  /** A peer's settings, of which the better one counts. */
  readonly theirs: ReadonlyArray<Contender>
  /** The name of the row that says how many times as long the peer took. */
  readonly ratio: string
}

/** How many times as slow as the best one is too far behind. */
const FAR_BEHIND = 1.5

/** Which of these first figures, the less the better, are near enough to the best to go on. */
export const goesOn = (firsts: ReadonlyArray<number>): ReadonlyArray<boolean> => {
  const best = Math.min(...firsts)
  return firsts.map((first) => first <= FAR_BEHIND * best)
}

/** Round by round, how many times as long the better of theirs took, the one with the lower median. */
export const ratios = (ours: ReadonlyArray<number>, theirs: ReadonlyArray<ReadonlyArray<number>>): ReadonlyArray<number> => {
  const [first, ...others] = theirs
  const better = first === undefined ? [] : others.reduce((best, one) => median(one) < median(best) ? one : best, first)
  return ours.slice(0, better.length).map((figure, round) => better[round]! / figure)
}

interface Kept {
  readonly contender: Contender
  readonly found: Array<Found>
  missing: string | null
  note: string
}

/** Measures them, and emits a row for each and the ratio. */
export const inTurn = Effect.fnUntraced(function*({ ours, per, ratio, theirs, unit }: Contest) {
  const { emit, options, wants } = yield* Bench
  const before = load()
  const all = [ours, ...theirs].map((contender): Kept => ({ contender, found: [], missing: null, note: "" }))
  const [own, ...others] = all as [Kept, ...Array<Kept>]
  const round = Effect.fnUntraced(function*(kept: Kept) {
    if (kept.missing !== null) return undefined
    const exit = yield* Effect.exit(limited(kept.contender.round))
    if (exit._tag === "Success") return exit.value
    kept.missing = why(exit.cause)
    return undefined
  })
  const counted = Effect.fnUntraced(function*(kept: Kept) {
    const found = yield* round(kept)
    if (found !== undefined) kept.found.push(found)
  })

  // The last round that does not count, or the first that does, shows who is far behind.
  const trials: Array<Found | undefined> = []
  for (const kept of others) {
    for (let n = 1; n < kept.contender.warm; n++) yield* round(kept)
    trials.push(yield* round(kept))
  }
  const near = goesOn(trials.map((trial) => trial?.figure ?? Infinity))
  for (const [index, kept] of others.entries()) {
    const trial = trials[index]
    if (trial === undefined) continue
    if (near[index] !== true) kept.note = `one run, the first: more than ${FAR_BEHIND} times as slow as the better setting`
    if (near[index] !== true || kept.contender.warm === 0) kept.found.push(trial)
  }
  for (let n = 0; n < ours.warm; n++) yield* round(own)
  for (let n = 0; n < options.runs; n++) {
    yield* counted(own)
    yield* Effect.forEach(others.filter((kept, index) => near[index] === true && kept.found.length === n), counted, { discard: true })
  }

  const shared = (): Pick<Row, "group" | "better" | "load" | "per"> => ({ group: options.group, better: "less", per, load: { before, after: load() } })
  for (const { contender: { name }, found, missing, note } of all) {
    if (!wants(name)) continue
    const values = missing === null ? found.map(({ figure }) => figure) : []
    yield* emit({ ...shared(), name, unit, values, cpu: missing === null ? medians(found.map(({ cpu }) => cpu)) : {}, note, missing })
  }
  if (!wants(ratio)) return
  const values = own.missing === null ? ratios(figures(own), others.filter(({ missing }) => missing === null).map(figures)) : []
  yield* emit({ ...shared(), name: ratio, unit: "×", better: "more", values, cpu: {}, note: "", missing: values.length === 0 ? own.missing ?? others[0]?.missing ?? "there is nobody to compare with" : null })
})

const figures = ({ found }: Kept) => found.map(({ figure }) => figure)
