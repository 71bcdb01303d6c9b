/**
 * A program's own values, sent to workers.
 *
 * The scheduler says where they go and keeps nothing of them: they travel to
 * workers as results do between them, on connections of their own. What is sent
 * at once is bounded, so more can be scattered than this process could keep
 * encoded. A worker tells the scheduler that it has a value, the scheduler tells
 * this client, and then it is scattered. What does not arrive, because its worker
 * went, is sent to another: for as long as this runs the value is here.
 *
 * Source: dask.distributed `client.py`, `Client._scatter`, and `utils_comm.py`, `scatter_to_workers`.
 */
import * as Effect from "effect/Effect"
import * as Hex from "effect/encoding/Hex"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { DATA_NAME, SCATTER_ROWS, type ScatterRow } from "@skein/protocol/ClientRpcs"
import { BadOption, ClientClosed, PayloadInvalid, SubmitError, type SubmitReason, TooLarge, Unreachable } from "@skein/protocol/Errors"
import { KeyConflict } from "@skein/protocol/Failure"
import type { Key } from "@skein/protocol/Ids"
import { suggestion } from "@skein/protocol/Suggestion"
import * as Value from "@skein/protocol/Value"
import { openBatch } from "./internal/batch.ts"
import { ask, type Core } from "./internal/core.ts"
import { type FutureOf, makeFuture } from "./internal/future.ts"
import { OTHERS } from "./internal/held.ts"
import { holdingsOf, waiting } from "./internal/inTask.ts"
import type { Submitter } from "./internal/submission.ts"

export interface ScatterOptions {
  /** Names, addresses or hosts; it waits for one of them. @default any */
  readonly workers?: ReadonlyArray<string>
  /** To all workers that are there (or those of `workers`). @default false: to the one that holds the fewest bytes */
  readonly broadcast?: boolean
  /** Key by content: equal values share one key, and what workers have already is not sent. @default true */
  readonly hash?: boolean
}

/** Encoded values that are kept at once, in bytes, unless one alone takes more. */
const AT_ONCE_BYTES = 64 << 20
/** Values that are being sent at once. */
const SENDING = 4
/** How often a value is sent anew that has not arrived: for about half a minute, with pauses that grow to three seconds. */
const ROUNDS = 16

/** How long news of a value that was sent may take, or it is sent anew. */
const NEWS_WITHIN = "30 seconds"

/** A value that is to be sent. */
interface Parcel {
  readonly future: FutureOf
  readonly row: ScatterRow
  readonly bytes: Uint8Array
}

/** One future for each value, in order; `path` is where it stands, for errors. Completes when workers have them all. */
export const scatter = (
  core: Core,
  values: Iterable<readonly [path: ReadonlyArray<string>, value: unknown]>,
  options: ScatterOptions | undefined,
  by: Submitter
): Effect.Effect<ReadonlyArray<FutureOf>, SubmitError> =>
  Effect.withFiber((fiber) => {
    const checked = check(options)
    if (Result.isFailure(checked)) return fail(checked.failure)
    const holdings = holdingsOf(fiber, by.scope)
    const batch = openBatch(core, fiber, by.batch)
    const futures: Array<FutureOf> = []
    const hand = (parcel: Omit<Parcel, "future">, held: FutureOf["handle"]["held"]): Parcel => {
      const future = makeFuture(core, held, holdings)
      batch?.note(future)
      futures.push(future)
      return { ...parcel, future }
    }
    const all = Effect.gen(function*() {
      let parcels: Array<Parcel> = []
      let bytes = 0
      for (const [path, value] of values) {
        const over = core.isClosed() ? new ClientClosed() : core.references.lost
        if (over !== undefined) return yield* fail(over)
        const made = prepare(core, path, value, checked.success)
        if (Result.isFailure(made)) return yield* fail(made.failure)
        const { held, parcel } = made.success
        const handed = hand(parcel, held)
        if (held.state._tag === "InMemory" && !checked.success.broadcast) continue
        parcels.push(handed)
        bytes += parcel.bytes.length
        if (parcels.length < SCATTER_ROWS && bytes < AT_ONCE_BYTES) continue
        yield* deliver(core, parcels, checked.success)
        parcels = []
        bytes = 0
      }
      if (parcels.length > 0) yield* deliver(core, parcels, checked.success)
      return futures
    })
    // What is not handed over is given up.
    return Effect.onError(all, () => Effect.sync(() => futures.forEach((future) => future.giveUp())))
  })

/** The same in the shape of the input: an array of any iterable, a record of a record. */
export const scatterAll = (
  core: Core,
  values: Iterable<unknown> | Readonly<Record<string, unknown>>,
  options: ScatterOptions | undefined,
  by: Submitter
): Effect.Effect<ReadonlyArray<FutureOf> | Readonly<Record<string, FutureOf>>, SubmitError> =>
  Effect.suspend((): Effect.Effect<ReadonlyArray<FutureOf> | Readonly<Record<string, FutureOf>>, SubmitError> => {
    if (Symbol.iterator in values) return scatter(core, numbered(values as Iterable<unknown>), options, by)
    const entries = Object.entries(values)
    return Effect.map(
      scatter(core, entries.map(([name, value]) => [[name], value] as const), options, by),
      (futures) => Object.fromEntries(entries.map(([name], at) => [name, futures[at]!])) // as many as there are entries
    )
  })

const numbered = function*(values: Iterable<unknown>): Iterable<readonly [ReadonlyArray<string>, unknown]> {
  let at = 0
  for (const value of values) yield [[String(at++)], value]
}

type Checked = Required<ScatterOptions>

const known: ReadonlyArray<string> = ["workers", "broadcast", "hash"]

const check = (options: ScatterOptions = {}): Result.Result<Checked, BadOption> => {
  const bad = (option: string, expected: string) => Result.fail(new BadOption({ option, expected }))
  const { broadcast = false, hash = true, workers = [] } = options
  for (const name of Object.keys(options)) if (!known.includes(name)) return bad(name, `no such option${suggestion(name, known)}`)
  if (!Array.isArray(workers) || !workers.every((name) => typeof name === "string" && name !== "")) return bad("workers", "names, addresses or hosts of workers")
  if (typeof broadcast !== "boolean") return bad("broadcast", "true or false")
  if (typeof hash !== "boolean") return bad("hash", "true or false")
  return Result.succeed({ workers, broadcast, hash })
}

/** A value with its key, and a reference on that. */
const prepare = (core: Core, path: ReadonlyArray<string>, value: unknown, { hash }: Checked): Result.Result<
  { readonly held: FutureOf["handle"]["held"]; readonly parcel: Omit<Parcel, "future"> },
  SubmitReason
> => {
  const encoded = Value.encode(value)
  if (Result.isFailure(encoded)) {
    const { failure } = encoded
    return Result.fail(
      failure.limitBytes === undefined
        ? new PayloadInvalid({ path: [...path, ...failure.path], expected: `data, found ${failure.found}` })
        : new TooLarge({ bytes: failure.limitBytes, limitBytes: failure.limitBytes, where: "scattered" })
    )
  }
  const bytes = encoded.success
  const spec = hash ? core.digest(bytes) : undefined
  const key = `${kindOf(value)}-${spec ?? core.fresh()}`
  const found = core.references.find(key)
  if (found !== undefined && found.spec !== spec && found.spec !== OTHERS) return Result.fail(new KeyConflict({ key, heldBy: `this client, "${core.name}"` }))
  const held = found ?? core.references.add({ key, task: DATA_NAME, spec, codecs: {} })
  // The scheduler is to know the reference before anything else is said of it: this may be given up at any moment.
  if (found === undefined) core.outbox.offer({ _tag: "Want", ref: held.ref, key })
  else core.references.retain(held)
  if (found?.spec === OTHERS) core.references.submitted(held, { task: DATA_NAME, spec, codecs: {} })
  const digest = spec === undefined ? noBytes : Result.getOrElse(Hex.decode(spec), () => noBytes)
  // The cast names a text that has been chosen as a key.
  return Result.succeed({ held, parcel: { bytes, row: { ref: held.ref, key: key as Key, digest, nbytes: bytes.length } } })
}

const noBytes = new Uint8Array(0)

/** What kind of value it is, in a word, as Dask's keys begin with the name of its type. */
const kindOf = (value: unknown): string => {
  if (value === null) return "null"
  if (typeof value !== "object") return typeof value
  const constructor: unknown = (value as { readonly constructor?: unknown }).constructor
  const name = typeof constructor === "function" ? constructor.name : ""
  return name === "" ? "Object" : name.slice(0, 64)
}

/** Sends values until each is on a worker, or has failed of something that sending anew does not help. */
const deliver = Effect.fnUntraced(function*(core: Core, parcels: ReadonlyArray<Parcel>, options: Checked) {
  let left = parcels
  let met = ""
  for (let round = 0; left.length > 0; round++) {
    if (round === ROUNDS) return yield* fail(new Unreachable({ values: left.length, detail: met }))
    if (round > 0) yield* Effect.sleep(Math.min(3_000, 50 * 2 ** round))
    const places = yield* placesFor(core, left, options)
    // As it was before: a key that nobody knew, or that was lost.
    for (const { future: { handle: { held } } } of left) if (isLost(held.state)) core.references.pendingAgain(held)
    const sent = yield* Effect.forEach(left, (parcel, at) => send(core, parcel, places[at] ?? nowhere), { concurrency: SENDING })
    const again: Array<Parcel> = []
    for (const [at, parcel] of left.entries()) {
      const problem = sent[at]
      if (problem === undefined) {
        const { handle: { held } } = parcel.future
        const state = yield* core.references.settled(held, parcel.future).pipe(Effect.catchTag("SchedulerLost", fail), Effect.timeoutOption(NEWS_WITHIN))
        if (Option.isSome(state) && !isLost(state.value)) continue
      }
      met = problem ?? "the worker went before the value had arrived"
      again.push(parcel)
    }
    left = again
  }
})

type Place = { readonly id: number; readonly run: number; readonly addresses: ReadonlyArray<string> }

/** There is nothing to send: news will say why. */
const nowhere: Place = { id: 0, run: 0, addresses: [] }

/** Where these go. Waits for a worker that they may go to. */
const placesFor = (core: Core, parcels: ReadonlyArray<Parcel>, { broadcast, workers }: Checked): Effect.Effect<ReadonlyArray<Place>, SubmitError> => {
  const rows = parcels.map(({ row }) => row)
  // What was released before is told first: the scheduler may know one of these keys under an older reference.
  return waiting(Effect.andThen(core.outbox.flushed, ask(core, (scheduler) => scheduler.Scatter({ rows, workers, broadcast })))).pipe(
    Effect.catchTag("SchedulerLost", fail)
  )
}

/** Sends a value to where it goes; what went wrong, if no worker has taken it. */
const send = Effect.fnUntraced(function*(core: Core, { bytes }: Parcel, { addresses, id, run }: Place) {
  if (addresses.length === 0) return undefined
  const answers = yield* Effect.forEach(addresses, (address) => Effect.result(core.bulk.put(address, { id, run }, bytes)), { concurrency: SENDING })
  let problem: string | undefined
  for (const answer of answers) {
    if (Result.isSuccess(answer)) return undefined
    problem = answer.failure.message
  }
  return problem
})

const isLost = (state: FutureOf["handle"]["held"]["state"]): boolean => state._tag === "Failed" && state.status === "lost"

const fail = (reason: SubmitReason): Effect.Effect<never, SubmitError> => Effect.fail(SubmitError.because(reason))
