/**
 * How much memory a worker's process may take: what users say, in bytes; and
 * a scheduler's, of which they seldom say anything.
 *
 * There are five ways to say it, the same in code and on the command line, so
 * they are read in one place. A number up to 1 is a part of the machine, as in
 * Dask; nobody means so few bytes.
 *
 * Source: dask.distributed `worker_memory.py`, `parse_memory_limit`, and
 * dask `utils.py`, `parse_bytes`. There a limit beyond the machine's memory warns.
 */
import * as Result from "effect/Result"

/** Bytes, "2GiB", a part of the machine's memory up to 1, "auto" (an even share), or null or 0 for no limit. */
export type MemoryLimit = number | string | null

/**
 * The limit of a scheduler's heap if nobody has said it, in MiB: half of the memory of the machine or container, but at least
 * 512 MiB and at most 16 GiB, beyond which collections take seconds. About a million retained tasks for each GiB.
 */
export const defaultHeapMiB = (machineBytes: number): number => Math.round(Math.min(16_384, Math.max(512, machineBytes / 2 / 2 ** 20)))

/** What the machine offers. */
export interface Offer {
  /** Bytes that all processes of this machine or container may have together. */
  readonly machineBytes: number
  /** Workers that share the machine: "auto" is this part of it. At least 1. */
  readonly workers: number
}

/** A worker takes about 100 MiB before it has done anything; with less than this its nanny would end it again and again. */
export const LEAST_BYTES = 128 * 2 ** 20

/**
 * The limit in bytes; null for none. What is wrong is told in words that go on after the option's name.
 *
 * More than the machine has counts as all of it, and an even share is never less than the least that a worker needs.
 */
export const parse = (limit: MemoryLimit, { machineBytes, workers }: Offer): Result.Result<number | null, string> => {
  if (limit === null) return Result.succeed(null)
  if (limit === "auto") return Result.succeed(Math.max(LEAST_BYTES, Math.floor(machineBytes / Math.max(1, workers))))
  const said = typeof limit === "number" ? limit : bytesOf(limit)
  if (said === undefined || !Number.isFinite(said) || said < 0) return Result.fail(`${FORMS}, got ${JSON.stringify(limit)}`)
  if (said === 0) return Result.succeed(null)
  const bytes = Math.floor(Math.min(said <= 1 ? said * machineBytes : said, machineBytes))
  return bytes >= LEAST_BYTES
    ? Result.succeed(bytes)
    : Result.fail(`is too low: a worker needs ${mebibytes(LEAST_BYTES)} at least, and ${JSON.stringify(limit)} is ${mebibytes(bytes)} here`)
}

const FORMS = "must be a number of bytes, a text such as \"2GiB\", a fraction of the machine's memory up to 1, \"auto\", or null or 0 for none"

/** A number with or without a unit: powers of 1000 (kB, MB, GB, TB; k, M, G, T) or of 1024 (KiB, MiB, GiB, TiB; Ki, Mi, Gi, Ti), in whatever case. */
const bytesOf = (text: string): number | undefined => {
  const [, digits, prefix = "", binary = ""] = /^\s*(\d+(?:\.\d*)?|\.\d+)\s*(?:([kmgt])(i?))?b?\s*$/i.exec(text) ?? []
  if (digits === undefined) return undefined
  const power = prefix === "" ? 0 : 1 + "kmgt".indexOf(prefix.toLowerCase())
  return Number(digits) * (binary === "" ? 1_000 : 1_024) ** power
}

const mebibytes = (bytes: number): string => bytes < 2 ** 20 ? `${bytes} bytes` : `${Math.floor(bytes / 2 ** 20)} MiB`
