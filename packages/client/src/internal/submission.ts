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
import { KeyConflict } from "@skein/protocol/Failure"
import { ARGS_LIMIT, type DeclaredCode } from "@skein/protocol/Graph"
import type { CodeRef, Key, Ref } from "@skein/protocol/Ids"
import { type CheckedOptions, checkSubmit } from "@skein/protocol/TaskOptions"
import type { TaskHoldings } from "@skein/protocol/TaskContext"
import { payloadArgs } from "@skein/protocol/TaskValues"
import * as Value from "@skein/protocol/Value"
import { Future } from "../Future.ts"
import { clusterOf } from "../Gather.ts"
import type { MapOptions } from "../Submit.ts"
import type { Code } from "./code.ts"
import type { Core } from "./core.ts"
import { FutureOf, makeFuture } from "./future.ts"
import { withHoldings } from "./inTask.ts"
import type { Held } from "./references.ts"

/** What `client.with` has said so far, or the first mistake in it. */
export type Said = Result.Result<CheckedOptions, BadOption>

type Holdings = TaskHoldings["Service"] | undefined

/** Items that are built in one go, before others may run: few at first, so that the first ones leave at once, then four times as many each time. */
const FIRST_SLICE = 64
const SLICE = 1_000
/** Pieces of code whose numbers are remembered. */
const CODES_KEPT = 10_000

/** Where a task stands in its graph. What stands alone is one by itself. */
type Place = "alone" | "inside" | "last"

const noRefs: ReadonlyArray<Ref> = []

/** The two ways of submitting, over one core. */
export const makeSubmission = (core: Core) => {
  const codeRefs = new Map<string, CodeRef>()
  let nextCode = 0

  /** The number of this code; and what it is, if the scheduler has not been told. */
  const declare = ({ def }: Code): { readonly ref: CodeRef; readonly declared: DeclaredCode | undefined } => {
    const known = codeRefs.get(def.digest)
    if (known !== undefined) return { ref: known, declared: undefined }
    // Who makes code without end tells the same code again now and then.
    if (codeRefs.size >= CODES_KEPT) codeRefs.clear()
    // The cast makes a number that this counter alone hands out a reference.
    const ref = nextCode++ as CodeRef
    codeRefs.set(def.digest, ref)
    return { ref, declared: { ref, def } }
  }

  const one = (code: Code, args: ReadonlyArray<unknown>, options: CheckedOptions, place: Place, holdings: Holdings): Result.Result<FutureOf, SubmitReason> => {
    const encoded = encodeArgs(core, code, args)
    if (Result.isFailure(encoded)) return Result.fail(encoded.failure)
    const { bytes, dependencies } = encoded.success
    const pure = options.pure ?? true
    const spec = pure || options.key !== undefined ? specOf(core, code, bytes, dependencies) : undefined
    const key = options.key ?? `${code.def.name}-${pure ? spec : core.fresh()}`
    const held = core.references.find(key)
    if (held !== undefined) {
      if (held.spec !== spec) return Result.fail(new KeyConflict({ key, heldBy: `this client, "${core.name}"` }))
      core.references.retain(held)
      // Cancelled and wanted again: that is wanting it computed.
      if (held.state._tag === "Failed" && held.state.status === "cancelled") {
        core.references.pendingAgain(held)
        core.outbox.offer({ _tag: "Retry", ref: held.ref })
      }
      if (place === "last") core.outbox.offer({ _tag: "GraphEnd" })
      return Result.succeed(makeFuture(core, held, holdings))
    }
    const added = core.references.add({ key, task: code.def.name, spec, codecs: code.codecs })
    const { declared, ref } = declare(code)
    core.outbox.offer({
      _tag: "Task",
      task: {
        ref: added.ref,
        // The cast names a text that has been chosen as one.
        key: key as Key,
        code: ref,
        args: bytes,
        dependencies: dependencies.length === 0 ? noRefs : dependencies.map(({ handle }) => handle.held.ref),
        priority: options.priority ?? 0,
        retries: options.retries ?? 0,
        isolation: options.isolation ?? code.def.isolation
      },
      code: declared,
      last: place !== "inside"
    })
    return Result.succeed(makeFuture(core, added, holdings))
  }

  const prepare = (task: object, said: Said): Result.Result<{ readonly code: Code; readonly options: CheckedOptions }, SubmitReason> => {
    if (Result.isFailure(said)) return Result.fail(said.failure)
    if (core.isClosed()) return Result.fail(new ClientClosed())
    if (core.references.lost !== undefined) return Result.fail(core.references.lost)
    const code = core.codeOf(task)
    return Result.isFailure(code) ? Result.fail(code.failure) : Result.succeed({ code: code.success, options: { ...code.success.defaults, ...said.success } })
  }

  const submit = (task: object, args: ReadonlyArray<unknown>, said: Said): Effect.Effect<Future.Any, SubmitError> =>
    Effect.andThen(core.outbox.room, withHoldings((holdings) => {
      const prepared = prepare(task, said)
      if (Result.isFailure(prepared)) return Effect.fail(SubmitError.because(prepared.failure))
      const made = one(prepared.success.code, args, prepared.success.options, "alone", holdings)
      return Result.isSuccess(made) ? Effect.succeed(made.success) : Effect.fail(SubmitError.because(made.failure))
    }))

  const map = (
    task: object,
    items: Iterable<unknown>,
    said: Said,
    { batchSize, keys, priority }: MapOptions<unknown> = {}
  ): Effect.Effect<ReadonlyArray<Future.Any>, SubmitError> =>
    withHoldings((holdings) => Effect.gen(function*() {
      const fail = (reason: SubmitReason) => Effect.fail(SubmitError.because(reason))
      if (batchSize !== undefined && !(Number.isSafeInteger(batchSize) && batchSize > 0)) {
        return yield* fail(new BadOption({ option: "batchSize", expected: "a whole number from 1" }))
      }
      const all = [...items]
      const futures: Array<FutureOf> = []
      /** Of the item at this index, whose own options win. */
      const itemOptions = (options: CheckedOptions, index: number): Said => {
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
      const build = Effect.gen(function*() {
        for (let slice = FIRST_SLICE; futures.length < all.length; slice = Math.min(4 * slice, SLICE)) {
          yield* core.outbox.room
          const prepared = prepare(task, said)
          if (Result.isFailure(prepared)) return yield* fail(prepared.failure)
          const { code, options } = prepared.success
          for (let n = 0; n < slice && futures.length < all.length; n++) {
            const index = futures.length
            const own = itemOptions(options, index)
            if (Result.isFailure(own)) return yield* fail(own.failure)
            const made = one(code, [all[index]], own.success, placeOf(index), holdings)
            if (Result.isFailure(made)) return yield* fail(made.failure)
            futures.push(made.success)
          }
          if (futures.length < all.length) yield* Effect.yieldNow
        }
      })
      yield* Effect.onError(build, () =>
        Effect.gen(function*() {
          // What was begun is given up, and the scheduler must not wait for the rest of it.
          if (batchSize !== undefined) core.outbox.offer({ _tag: "GraphEnd" })
          for (const future of futures) yield* future.release
        }))
      return futures
    }))

  return { submit, map }
}

interface EncodedArgs {
  readonly bytes: Uint8Array
  /** In the order of the holes. */
  readonly dependencies: ReadonlyArray<FutureOf>
}

const encodeArgs = (core: Core, code: Code, args: ReadonlyArray<unknown>): Result.Result<EncodedArgs, SubmitReason> => {
  const dependencies: Array<FutureOf> = []
  /** A key's place among them: a list of thousands of futures is looked through once, not for each of them. */
  let places: Map<Held, number> | undefined
  let refused: SubmitReason | undefined
  const hole = (value: object): number | undefined => {
    if (!Future.isFuture(value)) return undefined
    if (!(value instanceof FutureOf) || value.core !== core) refused ??= new ForeignFuture({ key: value.key, cluster: clusterOf(value) })
    else if (value.isReleased) refused ??= new FutureReleased({ key: value.key })
    else {
      const { held } = value.handle
      places ??= new Map()
      const known = places.get(held)
      if (known !== undefined) return known
      places.set(held, dependencies.length)
      return dependencies.push(value) - 1
    }
    return 0 // of no consequence: the submission fails
  }
  let list = args
  if (code.contract !== undefined) {
    const payload = payloadArgs(code.contract, args[0], Future.isFuture)
    if (Result.isFailure(payload)) return Result.fail(payload.failure)
    list = payload.success
  }
  const bytes = Value.encodeList(list, { hole })
  if (refused !== undefined) return Result.fail(refused)
  if (Result.isFailure(bytes)) {
    // A payload stands behind the word that says how it was made.
    const path = code.contract === undefined ? bytes.failure.path : bytes.failure.path.slice(1)
    return Result.fail(new PayloadInvalid({ path, expected: `data, found ${bytes.failure.found}` }))
  }
  if (bytes.success.length > ARGS_LIMIT) return Result.fail(new TooLarge({ bytes: bytes.success.length, limitBytes: ARGS_LIMIT }))
  return Result.succeed({ bytes: bytes.success, dependencies })
}

/**
 * What is computed, as a digest: the code, the arguments, and the keys of the tasks whose values are among them. It is made of
 * bytes in which each part says where it ends: the code's digest is always as long, and the length of the arguments precedes them.
 */
const specOf = (core: Core, { def }: Code, args: Uint8Array, dependencies: ReadonlyArray<FutureOf>): string => {
  const keys = dependencies.length === 0 ? noBytes : Result.getOrThrow(Value.encodeList(dependencies.map(({ key }) => key)))
  const argsAt = def.digest.length + 4
  const bytes = new Uint8Array(argsAt + args.length + keys.length)
  for (let at = 0; at < def.digest.length; at++) bytes[at] = def.digest.charCodeAt(at)
  for (let at = 0; at < 4; at++) bytes[def.digest.length + at] = args.length >>> (8 * at)
  bytes.set(args, argsAt)
  bytes.set(keys, argsAt + args.length)
  return core.digest(bytes)
}

const noBytes = new Uint8Array(0)

/** One `client.with` after another: field by field the last one wins. */
export const saying = (before: Said, options: Said): Said =>
  Result.isFailure(before) ? before : Result.isFailure(options) ? options : Result.succeed({ ...before.success, ...options.success })

