/**
 * From a task and its arguments to a future.
 *
 * Everything that the client can see is looked at before anything is sent, and
 * one submission is made in one step: it happens whole or not at all, whoever
 * is interrupted.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { BadOption, ClientClosed, ForeignFuture, FutureReleased, PayloadInvalid, SubmitError, type SubmitReason, TooLarge } from "@skein/protocol/Errors"
import { KeyConflict, type SchedulerLost } from "@skein/protocol/Failure"
import { type AttemptRules, CODES_REMEMBERED, type DeclaredCode, type SubmittedTask } from "@skein/protocol/Graph"
import type { CodeRef, Key, Ref } from "@skein/protocol/Ids"
import { type CheckedOptions, checkSubmit } from "@skein/protocol/TaskOptions"
import type { Terms } from "@skein/protocol/Terms"
import type { TaskHoldings } from "@skein/protocol/TaskContext"
import type { Codec } from "@skein/protocol/TaskRegistry"
import type { Future } from "../Future.ts"
import { clusterOf } from "../Gather.ts"
import type { MapOptions } from "../Submit.ts"
import { encodeArgs, specOf } from "./arguments.ts"
import { Batch, BATCH_LIMIT_BYTES, batchOf, currentBatch, inBatch, isTooMuch, openBatch, takeAlong, type Telling } from "./batch.ts"
import type { Code } from "./code.ts"
import type { Core } from "./core.ts"
import { FutureOf, makeFuture } from "./future.ts"
import { holdingsOf } from "./inTask.ts"
import { type Held, OTHERS } from "./held.ts"
import { makeTermsOf, type Options, sizeOf } from "./terms.ts"

/** What `client.with` has said so far, or the first mistake in it. */
export type Said = Result.Result<CheckedOptions, BadOption>

type Holdings = TaskHoldings["Service"] | undefined

/** One face of a client. */
export interface Submitter {
  readonly said: Said
  /** The batch whose face it is. */
  readonly batch: Batch | undefined
  /** Holds the futures of a `scoped` client. */
  readonly scope: Holdings
}

/** Items that are built in one go, before others may run: few at first, so that the first ones leave at once, then four times as many each time. */
const FIRST_SLICE = 64
const SLICE = 1_000

/** Where a task stands in its graph. What stands alone is one by itself. */
type Place = "alone" | "inside" | "last"

const noRefs: ReadonlyArray<Ref> = []

/** Submitting, over one core. */
export const makeSubmission = (core: Core) => {
  const codeRefs = new Map<string, CodeRef>()
  let nextCode = 0
  const termsOf = makeTermsOf()
  let lastTerms: Terms | undefined

  /** The code of the task before, which mostly is this one's too. */
  let latest: DeclaredCode | undefined

  /** The number of this code; and what it is, if the scheduler has not been told. */
  const declare = ({ def }: Code): { readonly ref: CodeRef; readonly declared: DeclaredCode | undefined } => {
    if (latest?.def === def) return { ref: latest.ref, declared: undefined }
    const known = codeRefs.get(def.digest)
    if (known === undefined && codeRefs.size >= CODES_REMEMBERED) codeRefs.clear()
    // The cast makes a number that this counter alone hands out a reference.
    const ref = known ?? nextCode++ as CodeRef
    codeRefs.set(def.digest, ref)
    latest = { ref, def }
    return { ref, declared: known === undefined ? latest : undefined }
  }

  const tell = (held: Held, code: Code, bytes: Uint8Array, dependencies: ReadonlyArray<FutureOf>, options: Options, last: boolean): void => {
    const { declared, ref } = declare(code)
    const row: SubmittedTask = {
      ref: held.ref,
      // The cast names a text that has been chosen as one.
      key: held.key as Key,
      code: ref,
      args: bytes,
      dependencies: dependencies.length === 0 ? noRefs : dependencies.map(({ handle }) => handle.held.ref),
      priority: options.priority ?? 0,
      retries: typeof options.retries === "object" ? options.retries.times : options.retries ?? 0,
      isolation: options.isolation ?? code.def.isolation
    }
    const rules = rulesOf(options)
    const { terms } = options
    const task = { _tag: "Task", task: rules === undefined ? row : { ...row, rules }, code: declared, last } as const
    if (terms === undefined) return core.outbox.offer(task)
    core.outbox.offer({ ...task, terms: { terms, bytes: terms === lastTerms ? 0 : sizeOf(terms) } })
    lastTerms = terms
  }
  /** Cancelled and wanted again: that is wanting it computed. */
  const retry = (held: Held): void => {
    if (held.state._tag !== "Failed" || held.state.status !== "cancelled") return
    core.references.pendingAgain(held)
    core.outbox.offer({ _tag: "Retry", ref: held.ref })
  }
  const telling: Telling = {
    task: (held, { bytes, code, dependencies, options }, last) => tell(held, code, bytes, dependencies, options, last),
    retry,
    detach: ({ ref }) => core.outbox.offer({ _tag: "Detach", ref })
  }

  const one = (
    code: Code,
    args: ReadonlyArray<unknown>,
    options: Options,
    place: Place,
    holdings: Holdings,
    batch: Batch | undefined
  ): Result.Result<FutureOf, SubmitReason> => {
    const encoded = encodeArgs(core, code, args)
    if (Result.isFailure(encoded)) return Result.fail(encoded.failure)
    const { bytes, dependencies } = encoded.success
    const pure = options.pure ?? true
    const digest = pure || options.key !== undefined ? specOf(core, code, bytes, dependencies) : undefined
    const key = options.key ?? `${code.def.name}-${pure ? digest : core.fresh()}`
    // Where the key has it, that is where it is kept: the text that it was cut from goes, and the key becomes one piece.
    const spec = digest !== undefined && options.key === undefined ? key.slice(-digest.length) : digest
    const found = core.references.find(key)
    if (found !== undefined && found.spec !== spec && found.spec !== OTHERS) return Result.fail(new KeyConflict({ key, heldBy: `this client, "${core.name}"` }))
    // A key that was only known by its name is this client's own from now on, and the scheduler says whether it is the same task.
    const isNew = found === undefined || found.spec === OTHERS
    if (isNew && batch !== undefined && isTooMuch(batch, bytes.length)) {
      return Result.fail(new TooLarge({ bytes: batch.takenBytes + bytes.length, limitBytes: BATCH_LIMIT_BYTES }))
    }
    const held = found ?? core.references.add({ key, task: code.def.name, spec, codecs: code.codecs })
    if (found !== undefined) core.references.retain(held)
    if (found !== undefined && isNew) core.references.submitted(held, { task: code.def.name, spec, codecs: code.codecs })
    if (!isNew) {
      const changed = takeAlong(held, batch, telling)
      if (place !== "inside" && core.outbox.isInGraph()) core.outbox.offer({ _tag: "GraphEnd" })
      if (batch === undefined) retry(held)
      else batch.retry(held)
      for (const from of changed) from.tellChanged()
    } else if (batch === undefined) {
      let changed: Array<Batch> | undefined
      for (const { handle } of dependencies) for (const from of takeAlong(handle.held, batch, telling)) (changed ??= []).push(from)
      tell(held, code, bytes, dependencies, options, place !== "inside")
      if (changed !== undefined) for (const from of changed) from.tellChanged()
    } else {
      batch.add(held, { code, bytes, dependencies, options }, found !== undefined)
    }
    const future = makeFuture(core, held, holdings)
    batch?.note(future)
    return Result.succeed(future)
  }

  const prepare = (task: object, said: Said): Result.Result<{ readonly code: Code; readonly options: Options }, SubmitReason> => {
    if (Result.isFailure(said)) return Result.fail(said.failure)
    if (core.isClosed()) return Result.fail(new ClientClosed())
    if (core.references.lost !== undefined) return Result.fail(core.references.lost)
    const code = core.codeOf(task)
    if (Result.isFailure(code)) return Result.fail(code.failure)
    const { defaults, fiberOnly } = code.success
    if (fiberOnly && (said.success.isolation ?? defaults.isolation) === "thread") return Result.fail(noThread)
    const terms = termsOf(defaults, said.success)
    if (Result.isFailure(terms)) return Result.fail(terms.failure)
    return Result.succeed({ code: code.success, options: { ...defaults, ...said.success, ...(terms.success === undefined ? {} : { terms: terms.success }) } })
  }

  const submit = (task: object, args: ReadonlyArray<unknown>, by: Submitter): Effect.Effect<Future.Any, SubmitError> =>
    Effect.andThen(core.outbox.room, Effect.withFiber((fiber) => {
      // Another fiber may have begun one while this one was woken.
      if (core.outbox.isInGraph()) return submit(task, args, by)
      const prepared = prepare(task, by.said)
      if (Result.isFailure(prepared)) return Effect.fail(SubmitError.because(prepared.failure))
      const made = one(prepared.success.code, args, prepared.success.options, "alone", holdingsOf(fiber, by.scope), openBatch(core, fiber, by.batch))
      return Result.isSuccess(made) ? Effect.succeed(made.success) : Effect.fail(SubmitError.because(made.failure))
    }))

  /** `argsOf`: the arguments that an item stands for. */
  const mapWith = (
    task: object,
    items: Iterable<unknown>,
    argsOf: (item: unknown) => Result.Result<ReadonlyArray<unknown>, SubmitReason>,
    by: Submitter,
    { batchSize, keys, priority }: MapOptions<unknown> = {}
  ): Effect.Effect<ReadonlyArray<Future.Any>, SubmitError> =>
    Effect.withFiber((fiber) => Effect.gen(function*() {
      const fail = (reason: SubmitReason) => Effect.fail(SubmitError.because(reason))
      if (batchSize !== undefined && !(Number.isSafeInteger(batchSize) && batchSize > 0)) {
        return yield* fail(new BadOption({ option: "batchSize", expected: "a whole number from 1" }))
      }
      const holdings = holdingsOf(fiber, by.scope)
      const batch = openBatch(core, fiber, by.batch)
      const all = [...items]
      const futures: Array<FutureOf> = []
      /** Of the item at this index, whose own options win. */
      const itemOptions = (options: Options, index: number): Said => {
        if (keys === undefined && priority === undefined) {
          return Result.succeed(options.key === undefined ? options : { ...options, key: `${options.key}-${index}` })
        }
        const own = checkSubmit({
          ...(keys === undefined ? options.key === undefined ? {} : { key: `${options.key}-${index}` } : { key: keys(all[index], index) }),
          ...(priority === undefined ? {} : { priority: priority(all[index], index) })
        })
        return Result.isSuccess(own) ? Result.succeed({ ...options, ...own.success }) : own
      }
      // Items depend on nothing of each other: each may start when it has come, unless batches were asked for.
      const placeOf = (index: number): Place =>
        batchSize === undefined ? "alone" : index === all.length - 1 || (index + 1) % batchSize === 0 ? "last" : "inside"
      /** Builds some, and stops between two graphs rather than inside one: others wait there. What does not fit, or all is well. */
      const buildSome = ({ code, options }: { readonly code: Code; readonly options: Options }, slice: number): SubmitReason | undefined => {
        for (let n = 1; n <= slice && futures.length < all.length; n++) {
          const index = futures.length
          const own = itemOptions(options, index)
          if (Result.isFailure(own)) return own.failure
          const args = argsOf(all[index])
          if (Result.isFailure(args)) return args.failure
          const place = placeOf(index)
          const made = one(code, args.success, own.success, place, holdings, batch)
          if (Result.isFailure(made)) return made.failure
          futures.push(made.success)
          if (place === "last" && batchSize !== undefined && n + batchSize > slice) return undefined
        }
        return undefined
      }
      /** A graph of this map has been begun, and is to be ended. */
      let inGraph = false
      const build = Effect.gen(function*() {
        for (let slice = FIRST_SLICE; futures.length < all.length;) {
          yield* inGraph ? core.outbox.roomInGraph : core.outbox.room
          // Another fiber may have begun one while this one was woken.
          if (!inGraph && core.outbox.isInGraph()) continue
          const prepared = prepare(task, by.said)
          if (Result.isFailure(prepared)) return yield* fail(prepared.failure)
          const reason = buildSome(prepared.success, slice)
          inGraph = core.outbox.isInGraph()
          if (reason !== undefined) return yield* fail(reason)
          slice = Math.min(4 * slice, SLICE)
          if (futures.length < all.length) yield* Effect.yieldNow
        }
      })
      yield* Effect.onError(build, () =>
        Effect.gen(function*() {
          // What was begun is given up, and the scheduler must not wait for the rest of it.
          if (inGraph) core.outbox.offer({ _tag: "GraphEnd" })
          for (const future of futures) yield* future.release
        }))
      return futures
    }))

  const map = (task: object, items: Iterable<unknown>, by: Submitter, options?: MapOptions<unknown>) =>
    mapWith(task, items, (item) => Result.succeed([item]), by, options)

  const mapArgs = (task: object, items: Iterable<unknown>, by: Submitter, options?: MapOptions<unknown>) =>
    mapWith(task, items, (item) => Array.isArray(item) ? Result.succeed(item) : Result.fail(notArguments), by, options)

  const batch = <A, E, R>(use: (batch: Batch) => Effect.Effect<A, E, R>, by: Submitter): Effect.Effect<A, E | SubmitError, R> =>
    Effect.withFiber((fiber) => {
      const parent = openBatch(core, fiber, by.batch)
      const opened = new Batch(core, parent, currentBatch(fiber) ?? parent, telling)
      const send = Effect.suspend(() => {
        const over = core.isClosed() ? new ClientClosed() : core.references.lost
        if (over !== undefined) return Effect.fail(SubmitError.because(over))
        opened.succeed()
        return Effect.void
      })
      return inBatch(opened, Effect.suspend(() => use(opened)), send)
    })

  const future = (key: string, schema: Codec | undefined, by: Submitter): Effect.Effect<Future.Any> =>
    Effect.withFiberSucceed((fiber) => {
      const found = core.references.find(key)
      const held = found ?? core.references.add({ key, task: "", spec: OTHERS, codecs: {} })
      if (found !== undefined) core.references.retain(held)
      // It may be known by now.
      const isAskedAgain = held.spec === OTHERS && held.state._tag === "Failed" && held.state.status === "lost"
      if (isAskedAgain) core.references.pendingAgain(held)
      if (found === undefined || isAskedAgain) core.outbox.offer({ _tag: "Want", ref: held.ref, key })
      const made = makeFuture(core, held, holdingsOf(fiber, by.scope), schema)
      openBatch(core, fiber, by.batch)?.note(made)
      return made
    })

  const fireAndForget = (future: Future.Any): Effect.Effect<void, SchedulerLost> =>
    Effect.suspend(() => {
      const mistake = !(future instanceof FutureOf) || future.core !== core
        ? new ForeignFuture({ key: future.key, cluster: clusterOf(future) })
        : future.isReleased
        ? new FutureReleased({ key: future.key })
        : undefined
      if (mistake !== undefined) return Effect.die(SubmitError.because(mistake))
      if (core.references.lost !== undefined) return Effect.fail(core.references.lost)
      const { held } = (future as FutureOf).handle
      const unsentIn = batchOf(held)
      if (unsentIn !== undefined) {
        unsentIn.detach(held)
        return Effect.void
      }
      telling.detach(held)
      return core.outbox.flushed
    })

  return { submit, map, mapArgs, batch, future, fireAndForget }
}

const noThread = new BadOption({
  option: "isolation",
  expected: "\"fiber\" for this task: layers of contracts and `services` are built in the worker's own process, where no thread finds what they give"
})
const notArguments = new PayloadInvalid({ path: [], expected: "a list of arguments, as each item of `mapArgs` is" })

/** Most tasks have no rules, and then there is nothing to say. */
const rulesOf = ({ retries, timeoutMs = Infinity }: CheckedOptions): AttemptRules | undefined => {
  if (typeof retries !== "object") return timeoutMs === Infinity ? undefined : { timeoutMs, ...noDelays }
  const { delayMs, factor, maxDelayMs } = retries
  return { timeoutMs, delayMs, factor, maxDelayMs }
}
const noDelays = { delayMs: 0, factor: 1, maxDelayMs: 0 }

/** One `client.with` after another: field by field the last one wins. */
export const saying = (before: Said, options: Said): Said =>
  Result.isFailure(before) ? before : Result.isFailure(options) ? options : Result.succeed({ ...before.success, ...options.success })
