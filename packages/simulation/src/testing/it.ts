/**
 * `it.sim`: a test that runs once for each of many seeds.
 *
 * It is `@effect/vitest`'s `it` with one method more. A run is synchronous, and
 * between runs the event loop has a turn.
 */
import { it as effectIt, makeMethods, type Vitest } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Client } from "@skein/client/Client"
import type { Cluster } from "@skein/client/Cluster"
import { it as vitestIt } from "vitest"
import { failed, freshSeed, prepare, runCase, runSeed, runSeeds, type SeedsOptions, type SimFailed } from "./node/Seeds.ts"
import type { SimOptions } from "./Options.ts"
import type { Program } from "./Run.ts"
import type { Sim } from "./Sim.ts"

type SimServices = Client | Cluster | Sim | Scope.Scope

export interface SimTestOptions extends SimOptions<any> {
  /** How many runs. @default 50 */
  readonly seeds?: number
}

export interface SimTest<R> {
  <A, E>(name: string, body: () => Effect.Effect<A, E, SimServices | R>, options?: SimTestOptions): void
}

export interface SimTester<R> extends SimTest<R> {
  readonly skip: SimTest<R>
  readonly only: SimTest<R>
  each<T>(cases: ReadonlyArray<T>): <A, E>(name: string, body: (value: T) => Effect.Effect<A, E, SimServices | R>, options?: SimTestOptions) => void
  /** Seeds draw the arguments as well as the faults; both shrink. */
  prop<const Arbs extends Vitest.Arbitraries, A, E>(name: string, arbitraries: Arbs, body: (values: { [K in keyof Arbs]: Vitest.ArbitraryValue<Arbs[K]> }) => Effect.Effect<A, E, SimServices | R>, options?: SimTestOptions): void
}

/** A test ends by itself, at the last seed or once a failure has been made small; this only says that it may take its time. */
const WITHIN_MS = 30 * 60_000

/** How it is run again, which the test's name does not say. */
const again = (name: string) => (seed: number): string => `it.sim(${JSON.stringify(name)}, …, { seed: ${seed}, seeds: 1 })`

type Register = (name: string, timeout: { readonly timeout: number }, run: () => Promise<unknown>) => void

const tester = (register: Register) => <A, E>(name: string, body: () => Effect.Effect<A, E, SimServices>, options: SimTestOptions = {}): void =>
  register(name, { timeout: WITHIN_MS }, () => runSeeds(body, options as SeedsOptions, again(name)))

/** Runs `body` once per seed against the real client, scheduler and workers in virtual time; checks every invariant; prints seed and shortest failing history. */
const sim: SimTester<never> = Object.assign(tester((name, timeout, run) => effectIt(name, timeout, run)), {
  skip: tester((name, timeout, run) => effectIt.skip(name, timeout, run)),
  only: tester((name, timeout, run) => effectIt.only(name, timeout, run)),
  each: <T>(cases: ReadonlyArray<T>) => <A, E>(name: string, body: (value: T) => Effect.Effect<A, E, SimServices>, options: SimTestOptions = {}): void => {
    effectIt.each(cases as Array<T>)(name, { timeout: WITHIN_MS }, async (value) => void await runSeeds(() => body(value), options as SeedsOptions, again(name)))
  },
  prop: <const Arbs extends Vitest.Arbitraries, A, E>(
    name: string,
    arbitraries: Arbs,
    body: (values: { [K in keyof Arbs]: Vitest.ArbitraryValue<Arbs[K]> }) => Effect.Effect<A, E, SimServices>,
    options: SimTestOptions = {}
  ): void =>
    effectIt(name, { timeout: WITHIN_MS }, () =>
      // What is drawn for each name is what its arbitrary gives, which the mapped type cannot be shown.
      runProperty(arbitraryOf(arbitraries), body as (values: unknown) => Program, options as SeedsOptions, again(name)))
})

/** Each seed draws values; under those that fail, first the values are made small and then the case. */
const runProperty = async (
  values: Arbitrary.Arbitrary<unknown>,
  body: (values: unknown) => Program,
  { seeds = 50, ...options }: SeedsOptions,
  again: (seed: number, file: string) => string
): Promise<void> => {
  const prepared = await prepare(() => Effect.die(new Error("no values were drawn")), options, again)
  const firstSeed = prepared.plan.seed ?? freshSeed()
  for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
    const [drawn] = await Effect.runPromise(Arbitrary.sampleEffect(values, { count: 1, seed }))
    const tried = (candidate: unknown) => {
      prepared.program = () => body(candidate)
      // Other values take another time.
      prepared.activityMs = undefined
      return runSeed(prepared, seed)
    }
    const first = tried(drawn)
    const wanted = first.outcome.violation?.id
    if (wanted === undefined) continue
    const smaller = await Effect.runPromise(Arbitrary.checkEffect(values, (candidate) => Effect.sync(() => tried(candidate).outcome.violation?.id !== wanted), { runs: 1, seed, maxShrinks: 200 }))
    const smallest = smaller._tag === "Falsified" ? smaller.shrunkInput : drawn
    const { of, outcome } = tried(smallest)
    const error: SimFailed = await failed(prepared, of, outcome.violation === undefined ? runCase(prepared, of) : outcome)
    error.message = `with ${JSON.stringify(smallest)}\n${error.message}`
    throw error
  }
}

const arbitraryOf = (arbitraries: Vitest.Arbitraries): Arbitrary.Arbitrary<unknown> => {
  const each = (one: Schema.Schema<any> | Arbitrary.Arbitrary<any>) => Arbitrary.isArbitrary(one) ? one : Arbitrary.schema(one as Schema.Schema<any>)
  return Array.isArray(arbitraries)
    ? Arbitrary.all(arbitraries.map(each))
    : Arbitrary.all(Object.fromEntries(Object.entries(arbitraries).map(([name, one]) => [name, each(one)])))
}

/** `@effect/vitest`'s, and `it.sim`. A copy: theirs stays as it is. */
export const it: Vitest.Methods & { readonly sim: SimTester<never> } = Object.assign(makeMethods(vitestIt.extend({})), { sim })
