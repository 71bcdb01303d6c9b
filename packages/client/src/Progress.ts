/**
 * A bar that fills as futures complete; where no line can be written over, a
 * line now and then.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { SchedulerLost } from "@skein/protocol/Failure"
import type { Future } from "./Future.ts"
import type { Core } from "./internal/core.ts"
import { FutureOf, ownFutures } from "./internal/future.ts"
import { hasFailed, isSettled, settledUntil } from "./internal/settling.ts"
import type { Terminal } from "./Platform.ts"

export interface ProgressOptions {
  /** @default the name of the first task */
  readonly label?: string
}

/** How often a bar is drawn again, and how often a line is written. */
const REDRAWN_MS = 100
const LINE_MS = 1_000

/** Shows how many are done until all are. */
export const withProgress = (core: Core, futures: Iterable<Future.Any>, options: ProgressOptions = {}): Effect.Effect<void, SchedulerLost> =>
  Effect.gen(function*() {
    const all = ownFutures(core, futures)
    const label = options.label ?? all.find((future) => future instanceof FutureOf)?.handle.held.task ?? "tasks"
    const { terminal } = core
    const startedAt = yield* Clock.currentTimeMillis
    // What was done before says nothing about how fast it goes.
    const doneBefore = all.filter(isSettled).length
    const show = (done: boolean) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        const text = line({ label, futures: all, doneBefore, elapsedMs: now - startedAt, done, columns: terminal.columns(), bar: terminal.isTerminal })
        return terminal.write(terminal.isTerminal ? `\r${text}\x1b[K${done ? "\n" : ""}` : `${text}\n`)
      })
    const showing = Effect.forever(Effect.andThen(show(false), Effect.sleep(terminal.isTerminal ? REDRAWN_MS : LINE_MS)))
    yield* Effect.raceFirst(settledUntil(core, all, (unsettled) => unsettled === 0), showing).pipe(
      // A bar that ends early leaves the next line to somebody else.
      Effect.onError(() => terminal.isTerminal ? terminal.write("\n") : Effect.void)
    )
    yield* show(true)
  })

interface Shown {
  readonly label: string
  readonly futures: ReadonlyArray<FutureOf>
  /** How many were done when it began. */
  readonly doneBefore: number
  readonly elapsedMs: number
  readonly done: boolean
  readonly columns: Terminal["columns"] extends () => infer N ? N : never
  readonly bar: boolean
}

/** Such as `inc ███████░░░░ 63/100  38.9/s  eta 1 s  0 errors`. */
export const line = ({ bar, columns, done, doneBefore, elapsedMs, futures, label }: Shown): string => {
  const total = futures.length
  const count = futures.filter(isSettled).length
  const errors = futures.filter(hasFailed).length
  const rate = elapsedMs > 0 ? (count - doneBefore) / elapsedMs * 1_000 : 0
  const words = [
    `${String(count).padStart(String(total).length)}/${total}`,
    `${rate.toFixed(1)}/s`,
    done ? `done in ${seconds(elapsedMs)}` : rate > 0 ? `eta ${seconds((total - count) / rate * 1_000)}` : "eta ?",
    `${errors} error${errors === 1 ? "" : "s"}`
  ].join("  ")
  const width = bar ? Math.max(0, Math.min(30, columns - label.length - words.length - 4)) : 0
  const filled = total === 0 ? width : Math.round(count / total * width)
  return [label, ...(width > 0 ? ["█".repeat(filled) + "░".repeat(width - filled)] : []), words].join(" ")
}

const seconds = (ms: number): string => ms < 10_000 ? `${(ms / 1_000).toFixed(1)} s` : ms < 120_000 ? `${Math.round(ms / 1_000)} s` : `${Math.round(ms / 60_000)} min`
