/**
 * From a key to its value.
 *
 * A small value came with the news that it is there. A larger one is fetched
 * from a worker that holds it; if that worker is gone or has it no longer, the
 * scheduler is asked who has it now, and if nobody has, the key is pending
 * again and this waits.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { TaskDefect, TaskError } from "@skein/protocol/Failure"
import { classNamed } from "@skein/protocol/Portable"
import { codec, type Codec } from "@skein/protocol/TaskRegistry"
import { named } from "@skein/protocol/TaskValues"
import * as Value from "@skein/protocol/Value"
import { askAbout, type Core } from "./core.ts"
import type { Held, State } from "./held.ts"
import { lostCause } from "./references.ts"

type InMemory = Extract<State, { readonly _tag: "InMemory" }>

/** A future, as far as its value is concerned. */
export interface Wanting {
  readonly handle: { readonly held: Held }
  /** Through which its value is revived; undefined: as its task's own codecs say. */
  readonly schema: Codec | undefined
}

/** The value, once it is there. Whoever waits keeps the future alive. */
export const valueOf = (core: Core, future: Wanting): Effect.Effect<unknown, unknown> => {
  const { handle: { held } } = future
  return core.references.settled(held, future).pipe(
    Effect.catchTag("SchedulerLost", (lost) => Effect.failCause(lostCause(lost, held))),
    Effect.flatMap((state) =>
      state._tag === "Failed"
        // An error of a class is more than one of its name.
        ? Effect.andThen(learn(core, held), Effect.suspend(() => Effect.failCause(state.cause())))
        : state.value !== undefined
        ? revive(core, future, state.value)
        : fetched(core, future, state)
    )
  )
}

/** The value of its encoding. If it is of a class that is not known here, its task's module may export that. `exit`: what it was decoded to. */
const revive = (core: Core, future: Wanting, bytes: Uint8Array, own = false, exit = decode(future, bytes, own)): Effect.Effect<unknown, TaskError> => {
  if (Exit.isSuccess(exit) || !namesUnknown(future, bytes)) return exit
  return Effect.andThen(learn(core, future.handle.held), Effect.suspend(() => decode(future, bytes, own)))
}

/** Classes that the module of the key's task exports are known from now on. */
const learn = (core: Core, { codecs: { module } }: Held): Effect.Effect<void> => module === undefined ? Effect.void : core.learn(module)

/** Whether something in it is of a class that is not known here. */
const namesUnknown = ({ handle: { held } }: Wanting, bytes: Uint8Array): boolean => {
  let unknown = false
  Value.decode(bytes, {
    named: (name, encoded) => {
      const isKnown = held.codecs.success?.name === name || held.codecs.error?.name === name || codec(name) !== undefined
      if (!isKnown && classNamed(name) !== undefined) unknown = true
      return encoded
    }
  })
  return unknown
}

/** The value of its encoding. `own`: nobody else sees the bytes, so large arrays need not be copied once more. */
export const decode = ({ handle: { held }, schema }: Wanting, bytes: Uint8Array, own = false): Exit.Exit<unknown, TaskError> => {
  const value = Value.decode(bytes, { named: schema === undefined ? named(held.codecs) : revivable(held), own })
  if (Result.isFailure(value)) return Exit.fail(unusable(held, value.failure, ""))
  if (schema === undefined || Schema.is(schema)(value.success)) return Exit.succeed(value.success)
  const revived = Schema.decodeUnknownExit(schema)(value.success)
  if (Exit.isSuccess(revived)) return Exit.succeed(revived.value)
  const why = Cause.squash(revived.cause)
  return Exit.fail(unusable(held, new Error(`its value is not what the schema says: ${why instanceof Error ? why.message : String(why)}`), "this client"))
}

/** What travels under a name that this process does not know is for the schema to revive. */
const revivable = ({ codecs }: Held) => (name: string, encoded: unknown): unknown =>
  codecs.success?.name === name || codec(name) !== undefined ? named(codecs)(name, encoded) : encoded

/** Rounds of asking who has a value, with pauses that grow to a second: about a minute. */
const ROUNDS = 64

const fetched = (core: Core, future: Wanting, first: InMemory): Effect.Effect<unknown, unknown> =>
  Effect.gen(function*() {
    const { held } = future.handle
    let known: State = first
    let where: Where = { id: first.id, run: first.run, addresses: addressesOf(core, first) }
    let failed = "nobody is known to have it"
    for (let round = 0; round < ROUNDS; round++) {
      for (const address of where.addresses) {
        const answer = yield* Effect.result(core.bulk.fetch(address, [{ id: where.id, run: where.run }]))
        if (Result.isFailure(answer)) failed = answer.failure.message
        else if (answer.success[0]?._tag === "Found") return yield* revive(core, future, answer.success[0].bytes, true)
        else failed = `${address} answered "${answer.success[0]?._tag ?? "nothing"}"`
      }
      if (round > 0) yield* Effect.sleep(Math.min(1000, 10 * 2 ** round))
      // News may have come meanwhile; it is newer than any answer could be.
      if (held.state !== known) return yield* valueOf(core, future)
      const location = yield* askAbout(core, [held], (scheduler) => scheduler.Locate({ ref: held.ref })).pipe(
        Effect.catchTag("SchedulerLost", (lost) => Effect.failCause(lostCause(lost, held)))
      )
      // Given up meanwhile: no news of it will come.
      if (location === undefined || held.count <= 0) return yield* Effect.failCause(core.references.releasedCause(held))
      if (held.state !== known) return yield* valueOf(core, future)
      if (location === null) {
        core.references.pendingAgain(held)
        return yield* valueOf(core, future)
      }
      known = held.state
      where = location
    }
    return yield* Effect.fail(unusable(held, new Error(`The value cannot be fetched: ${failed}`), where.addresses[0] ?? ""))
  })

interface Where {
  readonly id: number
  readonly run: number
  readonly addresses: ReadonlyArray<string>
}

const addressesOf = (core: Core, { worker }: InMemory): ReadonlyArray<string> => {
  const address = core.references.addressOf(worker)
  return address === undefined ? [] : [address]
}

/** The task ran; what it gave is of no use here. */
const unusable = (held: Held, cause: unknown, worker: string): TaskError =>
  TaskError.because(new TaskDefect({ cause, remoteStack: "", worker, attempts: [] }), held)

/**
 * Values of many keys that are all settled, as exits: those that are here are
 * decoded, those that are not are fetched, all of one worker in few questions.
 */
export const valuesOf = Effect.fnUntraced(function*(core: Core, futures: ReadonlyArray<Wanting>) {
  const elsewhere = new Map<string, Array<{ readonly held: Held; readonly state: InMemory }>>()
  for (const { handle: { held } } of futures) {
    const { state } = held
    if (state._tag !== "InMemory" || state.value !== undefined) continue
    const address = core.references.addressOf(state.worker)
    if (address === undefined) continue
    const same = elsewhere.get(address)
    if (same === undefined) elsewhere.set(address, [{ held, state }])
    else same.push({ held, state })
  }
  const bytes = new Map<Held, Uint8Array>()
  yield* Effect.forEach(elsewhere, ([address, wanted]) =>
    core.bulk.fetch(address, wanted.map(({ state: { id, run } }) => ({ id, run }))).pipe(
      Effect.map((answers) => answers.forEach((answer, i) => answer._tag === "Found" && bytes.set(wanted[i]!.held, answer.bytes))),
      // One by one then, with all that can be tried.
      Effect.ignore
    ), { concurrency: 16, discard: true })
  const exits = new Array<Exit.Exit<unknown, unknown>>(futures.length)
  const others: Array<number> = []
  for (const [at, future] of futures.entries()) {
    const { held } = future.handle
    // No fiber for a value that is here. Of very many, others may run in between.
    if (at % DECODED_AT_ONCE === DECODED_AT_ONCE - 1) yield* Effect.yieldNow
    const found = bytes.get(held)
    const here = found ?? (held.state._tag === "InMemory" ? held.state.value : undefined)
    bytes.delete(held)
    if (here !== undefined) {
      const exit = decode(future, here, here === found)
      exits[at] = Exit.isSuccess(exit) ? exit : yield* Effect.exit(revive(core, future, here, here === found, exit))
    } else if (held.state._tag === "Failed") {
      yield* learn(core, held)
      exits[at] = Exit.failCause(held.state.cause())
    } else others.push(at)
  }
  yield* Effect.forEach(others, (at) =>
    Effect.map(Effect.exit(valueOf(core, futures[at]!)), (exit) => {
      exits[at] = exit
    }), { concurrency: 16, discard: true })
  return exits
})

/** Values that are decoded in one go. */
const DECODED_AT_ONCE = 1_000
