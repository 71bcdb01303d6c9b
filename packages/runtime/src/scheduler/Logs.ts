/**
 * What a cluster's parts have logged, for clients: the scheduler's own lines, and
 * those of workers that have a nanny, which keeps them.
 */
import * as Effect from "effect/Effect"
import type { Logs } from "@skein/protocol/NannyRpcs"
import type { NannyPeer, Registry } from "./Registry.ts"

/** Characters in one answer at most, for a frame has a limit. */
const CHARACTERS = 4 << 20
/** How long nannies may take to answer. */
const WITHIN_MS = 2_000
/** Nannies that are asked at once. */
const AT_ONCE = 16

/** Under "scheduler", and each worker's name. A nanny that does not answer in time has nothing to say. */
export const gather = (own: () => ReadonlyArray<string>, registry: Pick<Registry, "nannies">): Effect.Effect<Logs> =>
  Effect.suspend(() => Effect.forEach(registry.nannies(), inTime, { concurrency: AT_ONCE })).pipe(
    Effect.map((workers) => fitting([{ name: "scheduler", lines: own() }, ...workers.flat()]))
  )

const inTime = ({ logs }: NannyPeer) => Effect.timeoutOrElse(logs, { duration: WITHIN_MS, orElse: () => Effect.succeed([]) })

/** The latest lines of each, as many as there is room for. */
export const fitting = (logs: Logs, characters = CHARACTERS): Logs => {
  const room = Math.floor(characters / Math.max(1, logs.length))
  return logs.map(({ lines, name }) => {
    let from = lines.length
    for (let left = room; from > 0; from--) {
      left -= lines[from - 1]!.length + 1
      if (left < 0) break
    }
    return { name, lines: lines.slice(from) }
  })
}
