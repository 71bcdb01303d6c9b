/**
 * Arguments of a task as bytes, and the digest of what is computed with them.
 */
import * as Result from "effect/Result"
import { ForeignFuture, FutureReleased, PayloadInvalid, type SubmitReason, TooLarge } from "@skein/protocol/Errors"
import { ARGS_LIMIT } from "@skein/protocol/Graph"
import { contractOf } from "@skein/protocol/Task"
import { payloadArgs } from "@skein/protocol/TaskValues"
import * as Value from "@skein/protocol/Value"
import { Future } from "../Future.ts"
import { clusterOf } from "../Gather.ts"
import type { Code } from "./code.ts"
import type { Core } from "./core.ts"
import { FutureOf } from "./future.ts"
import type { Held } from "./held.ts"

/** Dependencies that are looked through rather than looked up. */
const FEW = 8

export interface EncodedArgs {
  readonly bytes: Uint8Array
  /** In the order of the holes. */
  readonly dependencies: ReadonlyArray<FutureOf>
}

/** Encodes them, futures as holes; or says what is wrong with them. */
export const encodeArgs = (core: Core, code: Code, args: ReadonlyArray<unknown>): Result.Result<EncodedArgs, SubmitReason> => {
  const dependencies: Array<FutureOf> = []
  /** A key's place among them: a list of thousands of futures is looked through once, not for each of them. Of few none is made. */
  let places: Map<Held, number> | undefined
  const placeOf = (held: Held): number | undefined => {
    if (places !== undefined) return places.get(held)
    for (let at = 0; at < dependencies.length; at++) if (dependencies[at]!.handle.held === held) return at
    return undefined
  }
  let refused: SubmitReason | undefined
  const hole = (value: object): number | undefined => {
    if (!Future.isFuture(value)) return undefined
    if (!(value instanceof FutureOf) || value.core !== core) refused ??= new ForeignFuture({ key: value.key, cluster: clusterOf(value) })
    else if (value.isReleased) refused ??= new FutureReleased({ key: value.key })
    else {
      const { held } = value.handle
      const known = placeOf(held)
      if (known !== undefined) return known
      const place = dependencies.push(value) - 1
      if (places !== undefined) places.set(held, place)
      else if (place === FEW) places = new Map(dependencies.map(({ handle }, at) => [handle.held, at]))
      return place
    }
    return 0 // of no consequence: the submission fails
  }
  let list = args
  if (code.contract !== undefined) {
    const payload = payloadArgs(code.contract, args[0], Future.isFuture)
    if (Result.isFailure(payload)) return Result.fail(invalid(code, payload.failure.path, payload.failure.expected))
    list = payload.success
  }
  const bytes = Value.encodeList(list, { hole })
  if (refused !== undefined) return Result.fail(refused)
  if (Result.isFailure(bytes)) {
    // A payload stands behind the word that says how it was made.
    const path = code.contract === undefined ? bytes.failure.path : bytes.failure.path.slice(1)
    return Result.fail(invalid(code, path, `data, found ${bytes.failure.found}`))
  }
  if (bytes.success.length > ARGS_LIMIT) {
    return Result.fail(new TooLarge({ bytes: bytes.success.length, limitBytes: ARGS_LIMIT, largest: largestOf(code.contract === undefined ? args : args[0], hole) }))
  }
  return Result.succeed({ bytes: bytes.success, dependencies })
}

const invalid = ({ contract, def }: Code, path: ReadonlyArray<string>, expected: string): PayloadInvalid => {
  if (contract === undefined) return new PayloadInvalid({ path, expected, task: def.name })
  const place = contractOf(contract)?.place ?? null
  return new PayloadInvalid({ path, expected, task: def.name, contract: place === null ? "" : `${place.url}:${place.line}:${place.column}` })
}

/** The argument, or the field of a payload, that takes the most. */
const largestOf = (whole: unknown, hole: (value: object) => number | undefined): { readonly path: ReadonlyArray<string>; readonly bytes: number } => {
  let largest: { readonly path: ReadonlyArray<string>; readonly bytes: number } = { path: [], bytes: 0 }
  if (typeof whole !== "object" || whole === null) return largest
  for (const [name, part] of Object.entries(whole)) {
    const bytes = Result.match(Value.encode(part, { hole }), { onFailure: () => 0, onSuccess: ({ length }) => length })
    if (bytes > largest.bytes) largest = { path: [name], bytes }
  }
  return largest
}

/**
 * What is computed, as a digest: the code, the arguments, and the keys of the tasks whose values are among them. It is made of
 * bytes in which each part says where it ends: the code's digest is always as long, and the length of the arguments precedes them.
 */
export const specOf = (core: Core, { def }: Code, args: Uint8Array, dependencies: ReadonlyArray<FutureOf>): string => {
  const keys = dependencies.length === 0 ? noBytes : Result.getOrThrow(Value.encodeList(dependencies.map(({ key }) => key)))
  const argsAt = def.digest.length + 4
  const bytes = roomFor(argsAt + args.length + keys.length)
  for (let at = 0; at < def.digest.length; at++) bytes[at] = def.digest.charCodeAt(at)
  for (let at = 0; at < 4; at++) bytes[def.digest.length + at] = args.length >>> (8 * at)
  bytes.set(args, argsAt)
  bytes.set(keys, argsAt + args.length)
  return core.digest(bytes)
}

/**
 * For bytes that are digested and forgotten. Beyond the 64 that V8 keeps in its own heap, memory of one's own for each task costs as
 * much as the digest.
 */
const roomFor = (length: number): Uint8Array => length <= IN_HEAP || length > scratch.length ? new Uint8Array(length) : scratch.subarray(0, length)
const IN_HEAP = 64
const scratch = new Uint8Array(4096)

const noBytes = new Uint8Array(0)
