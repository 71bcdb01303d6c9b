/**
 * Runs as files, and what this machine and these versions are.
 */
import { Effect, Schema } from "effect"
import { execFileSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { cpus, release, totalmem, type } from "node:os"
import { availableParallelism } from "node:os"
import { type Machine, Run } from "./Row.ts"

/** A file of the benchmark cannot be used. */
export class BadFile extends Schema.TaggedError<BadFile>()("BadFile", { path: Schema.String, detail: Schema.String }) {
  override get message() {
    return `${this.path}: ${this.detail}`
  }
}

const detailOf = (error: unknown) => error instanceof Error ? error.message : String(error)

/** A run that `--json` kept. */
export const read = (path: string): Effect.Effect<Run, BadFile> =>
  Effect.try({ try: () => readFileSync(path, "utf8"), catch: (error) => new BadFile({ path, detail: detailOf(error) }) }).pipe(
    Effect.flatMap((text) =>
      Effect.mapError(
        Schema.decodeEffect(Schema.fromJsonString(Run))(text),
        () => new BadFile({ path, detail: "is no run of this benchmark; `npm run bench -- --json FILE` writes one" })
      ))
  )

export const write = (path: string, text: string): Effect.Effect<void, BadFile> =>
  Effect.try({ try: () => writeFileSync(path, text), catch: (error) => new BadFile({ path, detail: detailOf(error) }) })

export const keep = (path: string, run: Run): Effect.Effect<void, BadFile> => write(path, `${JSON.stringify(Schema.encodeSync(Run)(run), null, 1)}\n`)

export const machine = (): Machine => ({
  processor: cpus()[0]?.model ?? "unknown",
  cores: availableParallelism(),
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  system: `${type()} ${release()}`
})

/** Of Node, effect, and this repository, with "+" if it has changes that are not committed. */
export const versions = (): Readonly<Record<string, string>> => ({
  node: process.version,
  effect: versionOf("effect/package.json"),
  skein: git()
})

const versionOf = (manifest: string): string =>
  (JSON.parse(readFileSync(new URL(import.meta.resolve(manifest)), "utf8")) as { version: string }).version // a manifest has one

const git = (): string => {
  try {
    return execFileSync("git", ["describe", "--always", "--dirty=+"], { cwd: import.meta.dirname, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim()
  } catch {
    return "unknown"
  }
}
