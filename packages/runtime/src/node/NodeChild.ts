/**
 * A child process's side of its nanny: how it begins, and how it speaks.
 *
 * `begin` is the first thing a main.ts calls: from then on the process cannot
 * outlive its owner.
 */
import { readFileSync, writeSync } from "node:fs"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { ProcessId } from "@skein/protocol/Ids"
import * as Notices from "../nanny/Notices.ts"
import * as Watchdog from "./Watchdog.ts"

/** The one line that a nanny writes to its child's standard input. */
export const ChildInput = Schema.Struct({
  /** This life, as the exit report will name it. */
  process: ProcessId,
  /** The nanny's name for the child. */
  name: Schema.String,
  /** The nanny's process; the child dies with it. */
  parent: Schema.Int,
  /** For main.ts to decode. */
  config: Schema.Json
})
export type ChildInput = typeof ChildInput.Type

/** Reads the input and starts the watchdog. Throws if this process was not started by a nanny. */
export const begin = (): ChildInput => {
  const input = Schema.decodeUnknownSync(Schema.fromJsonString(ChildInput))(readFileSync(0, "utf8"))
  Watchdog.watch(input.parent)
  return input
}

/** Notices on descriptor 3. */
export const layerNotices: Layer.Layer<Notices.Notices> = Layer.succeed(Notices.Notices, {
  write: (notice) => Effect.sync(() => writeNotice(notice))
})

/** Writes a notice and returns once it is in the pipe; for use outside of Effect. */
export const writeNotice = (notice: Notices.Notice): void => {
  const bytes = Buffer.from(Notices.format(notice))
  try {
    for (let written = 0; written < bytes.length;) {
      written += writeSync(Notices.noticesFd, bytes, written)
    }
  } catch (error) {
    // The nanny is gone, so nobody needs the notice, and the watchdog is about to act.
    if (!(error instanceof Error && "code" in error && error.code === "EPIPE")) throw error
  }
  // It is up: what it is given to run may keep its loop busy.
  if ("ready" in notice) Watchdog.watchFromOutside()
}
