/**
 * How a row is measured: some rounds to warm up, then several that count, each
 * with the processor time of every process that takes part.
 *
 * A row that fails is a row all the same, which says why. The rounds' own
 * tidying up is neither timed nor counted.
 */
import { Cause, Context, Effect } from "effect"
import { Bench } from "./Bench.ts"
import { median } from "./figures.ts"
import { cpuOf, load } from "./procfs.ts"
import type { ProcessFailed } from "./processes.ts"
import type { Row } from "./Row.ts"

/** Process ids by the name under which their processor time is shown. */
export type Processes = Readonly<Record<string, ReadonlyArray<number>>>

export interface Figure {
  readonly name: string
  readonly unit: string
  /** @default "less" */
  readonly better?: "less" | "more"
}

export interface Measured<E, R> {
  /** One row for each; `round` gives a value for each. */
  readonly figures: ReadonlyArray<Figure>
  /** One round. */
  readonly round: Effect.Effect<ReadonlyArray<number>, E, R>
  /** After each round. @default nothing */
  readonly tidy?: Effect.Effect<unknown, E, R>
  /** Rounds that do not count. @default 0 */
  readonly warm?: number
  /** Rounds that count. @default as many as the benchmark was told */
  readonly runs?: number
  /** @default this one, as "client" */
  readonly processes?: () => Processes
  /** The round's own account of processor time, where its processes are not there before and after. @default what `processes` used */
  readonly used?: () => Readonly<Record<string, number>>
  /** Units of work in one round, for the processor time. @default 1 */
  readonly work?: number
  /** @default "run" */
  readonly per?: string
  readonly note?: string
}

/** Measures, and emits a row for each figure that was asked for. */
export const rows = <E, R>(measured: Measured<E, R>): Effect.Effect<void, never, R | Bench> =>
  Effect.gen(function*() {
    const bench = yield* Bench
    if (!measured.figures.some(({ name }) => bench.wants(name))) return
    const before = load()
    const values: Array<ReadonlyArray<number>> = []
    const cpus: Array<Readonly<Record<string, number>>> = []
    const outcome = yield* Effect.exit(Effect.gen(function*() {
      const runs = measured.runs ?? bench.options.runs
      for (let round = -(measured.warm ?? 0); round < runs; round++) {
        const processes = measured.processes?.() ?? { client: [process.pid] }
        const since = sample(processes)
        const found = yield* limited(measured.round)
        if (round >= 0) {
          values.push(found)
          cpus.push(perUnit(measured.used?.() ?? difference(since, sample(processes)), measured.work ?? 1))
        }
        yield* limited(measured.tidy ?? Effect.void)
      }
    }))
    const missing = outcome._tag === "Success" ? null : why(outcome.cause)
    for (const [index, { better = "less", name, unit }] of measured.figures.entries()) {
      const row: Row = {
        group: bench.options.group,
        name,
        unit,
        better,
        values: missing === null ? values.map((found) => found[index] ?? NaN) : [],
        cpu: missing === null ? medians(cpus) : {},
        per: measured.per ?? "run",
        load: { before, after: load() },
        note: measured.note ?? "",
        missing
      }
      if (bench.wants(name)) yield* bench.emit(row)
    }
  })

const LIMIT = "2 minutes"
/** Fails once a process that is measured has ended: what waits for it would wait for ever. */
export const Ended = Context.Reference<Effect.Effect<never, ProcessFailed>>("@skein/bench/Ended", { defaultValue: () => Effect.never })

/** Fails then, and after two minutes, which no round takes on a machine that is left alone: a benchmark that hangs says nothing at all. */
export const limited = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.timeoutOrElse(Effect.flatMap(Ended, (ended) => Effect.raceFirst(effect, ended)), { duration: LIMIT, orElse: () => Effect.fail(new Error(`a round was not over after ${LIMIT}`)) })

/** Measures one figure. */
export const row = <E, R>(
  measured: Omit<Measured<E, R>, "figures" | "round"> & Figure & { readonly round: Effect.Effect<number, E, R> }
): Effect.Effect<void, never, R | Bench> =>
  rows({ ...measured, figures: [measured], round: Effect.map(measured.round, (value) => [value]) })

/** A row for what cannot be measured, which says why. */
export const absent = (figure: Figure, why: string): Effect.Effect<void, never, Bench> =>
  Effect.gen(function*() {
    const { emit, options, wants } = yield* Bench
    if (!wants(figure.name)) return
    yield* emit({
      group: options.group,
      name: figure.name,
      unit: figure.unit,
      better: figure.better ?? "less",
      values: [],
      cpu: {},
      per: "run",
      load: { before: load(), after: load() },
      note: "",
      missing: why
    })
  })

/** How long an effect takes, in milliseconds. */
export const timed = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<readonly [ms: number, value: A], E, R> =>
  Effect.suspend(() => {
    const since = performance.now()
    return Effect.map(effect, (value) => [performance.now() - since, value] as const)
  })

/** Only how long. */
export const duration = <E, R>(effect: Effect.Effect<unknown, E, R>): Effect.Effect<number, E, R> => Effect.map(timed(effect), ([ms]) => ms)

/** Microseconds of processor so far, by name; without a process whose time is not known. */
export const sample = (processes: Processes): Readonly<Record<string, number>> =>
  Object.fromEntries(
    Object.entries(processes).flatMap(([name, pids]) => {
      const each = pids.map(cpuOf)
      return each.includes(undefined) ? [] : [[name, each.reduce<number>((all, one) => all + (one ?? 0), 0)]]
    })
  )

const IDLE_LOOK_MS = 100
/** Completes once these processes have used next to no processor for a while; elsewhere than on Linux, after that while. */
export const untilIdle = (processes: () => Processes): Effect.Effect<void> =>
  Effect.gen(function*() {
    while (true) {
      const since = sample(processes())
      yield* Effect.sleep(IDLE_LOOK_MS)
      const used = Object.values(difference(since, sample(processes())))
      if (used.every((us) => us < IDLE_LOOK_MS * 1_000 / 10)) return
    }
  })

/** What was used between two samples. */
export const difference = (since: Readonly<Record<string, number>>, now: Readonly<Record<string, number>>): Readonly<Record<string, number>> =>
  Object.fromEntries(Object.entries(now).flatMap(([name, at]) => since[name] === undefined ? [] : [[name, at - since[name]]]))

/** For one of so many units of work. */
export const perUnit = (used: Readonly<Record<string, number>>, work: number): Readonly<Record<string, number>> =>
  Object.fromEntries(Object.entries(used).map(([name, us]) => [name, us / work]))

/** Of each process the median of what the rounds used. */
export const medians = (cpus: ReadonlyArray<Readonly<Record<string, number>>>): Readonly<Record<string, number>> =>
  Object.fromEntries(Object.keys(cpus[0] ?? {}).map((name) => [name, median(cpus.map((cpu) => cpu[name] ?? NaN))]))

/** What went wrong, in a line. */
export const why = (cause: Cause.Cause<unknown>): string => (Cause.pretty(cause).split("\n")[0] ?? "").slice(0, 300)
