/**
 * The clients of a case: each submits its tasks, holds their futures, waits for
 * every one, and does to them what it is told.
 *
 * What an agent is told it does in its client's own process, and what it hears it
 * writes down here, outside of all processes; so an agent that is killed leaves
 * behind what it had heard, and nothing more.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import { Client } from "@skein/client/Client"
import type { Future } from "@skein/client/Future"
import { ConnectError, SubmitError } from "@skein/protocol/Errors"
import type { Case, CaseTask, Operation } from "../Case.ts"
import type { SimClient } from "../SimCluster.ts"
import type { Running } from "../SimProcess.ts"
import { type Answer, type Cancelled, type Ending, endingOf, keyOf } from "./History.ts"
import { type CaseFailed, inFiber, inThread, record, specOf, type Value, valueOf } from "./Work.ts"

/** One future that a client holds or has held. */
export interface Handle {
  readonly client: number
  readonly task: number
  readonly handle: number
  readonly future: Future<Value, CaseFailed>
  /** Virtual milliseconds. */
  readonly madeAt: number
  /** The latest ending heard, of the latest wait; undefined while it is waited for. */
  ending: Ending | undefined
  /** When that was heard, virtual milliseconds. */
  endedAt: number
  released: boolean
  /** The latest wait for its first ending. */
  waiting: Running<unknown, unknown> | undefined
}

export interface Agent {
  readonly index: number
  /** All futures, in the order in which they were made. */
  readonly handles: ReadonlyArray<Handle>
  /** Things told and not yet done. */
  readonly busy: () => number
  /** It will hear nothing more: it was killed, left, or never had a session. */
  readonly isGone: () => boolean
  /** Why it never had a session, if that is so. */
  readonly refused: () => ConnectError | undefined
  readonly submit: (tasks: ReadonlyArray<number>) => void
  /** Under the same key as before; with all that it depends on, as far as it does not hold that. */
  readonly resubmit: (task: number) => void
  readonly cancel: (task: number, force: boolean) => void
  readonly release: (task: number) => void
  /** Nobody waits on its futures any more, nothing points to them, and the garbage collector finds them. */
  readonly lose: (task: number) => void
  readonly releaseAll: () => void
  readonly retry: (task: number) => void
  /** By its key, whoever has submitted it. */
  readonly adopt: (task: number) => void
  /** It is to be done whoever holds it. */
  readonly detach: (task: number) => void
  /** For all results that it holds, in one go. */
  readonly ask: (how: Extract<Operation, { readonly _tag: "Ask" }>["how"]) => void
  /** Asks for every result once more. */
  readonly askAgain: () => void
  readonly leave: () => Effect.Effect<void>
}

/** Tasks that are submitted one after another. */
interface Submitting {
  /** Those made in a batch, until it is sent; undefined: there is none, and each is waited for at once. */
  readonly made?: Array<Handle>
  /** Those that were refused, and what builds on them: not to be tried again for each that needs them. */
  readonly refused: Set<number>
}

/** What agents tell as it happens. */
export interface Listener {
  readonly onAnswer: (answer: Answer) => void
  readonly onCancelled: (cancelled: Cancelled, wasPending: boolean) => void
  /** The collector has found a future. */
  readonly onCollected: (wasPending: boolean) => void
  /** A task was asked for by its key. */
  readonly onAdopted: () => void
  /** A task is to be done whoever holds it. */
  readonly onDetached: () => void
  /** A key was submitted that the client did not hold. */
  readonly onSubmitted: (client: number, task: number) => void
}

export const make = (of: Case, index: number, client: SimClient, listener: Listener, now: () => number): Agent => {
  const tasks = new Map(of.tasks.map((task) => [task.id, task]))
  const handles: Array<Handle> = []
  /** The future that a dependent is given; undefined once that has been released. */
  const held = new Map<number, Handle>()
  const counts = new Map<number, number>()
  const { scattered } = record()
  const alone = Semaphore.makeUnsafe(1)
  let doing: Array<Running<unknown, unknown>> = []
  let left = false
  let refusal: ConnectError | undefined
  const refused = () => {
    busy()
    return refusal
  }
  const isGone = () => left || client.process.status === "ended" || refused() !== undefined
  const busy = () => {
    doing = doing.filter((running) => {
      const exit = running.poll()
      if (exit !== undefined && Exit.isFailure(exit)) {
        const error = Cause.squash(exit.cause)
        if (error instanceof ConnectError) refusal = error
      }
      return exit === undefined
    })
    return doing.length
  }

  /** Does something in the client's process. What it fails with is the end of the session, which every future tells as well. */
  const tell = (effect: Effect.Effect<unknown, unknown, Client>) => {
    if (!isGone()) doing.push(client.run(Effect.ignore(effect)))
  }
  const answered = (handle: Handle, asked: Answer["asked"], exit: Exit.Exit<Value, unknown>) => {
    const ending = endingOf(exit, scattered)
    if (handle.released && ending._tag !== "Value") return
    if (asked !== "together") {
      handle.ending = ending
      handle.endedAt = now()
    }
    listener.onAnswer({ at: now(), client: index, task: handle.task, handle: handle.handle, asked, ending })
  }
  const wait = (handle: Handle, asked: Answer["asked"]) => Effect.map(Effect.exit(handle.future.result), (exit) => answered(handle, asked, exit))
  const watch = (handle: Handle) => {
    handle.ending = undefined
    handle.waiting = client.run(wait(handle, "result"))
  }
  const newHandle = (task: number, future: Handle["future"]): Handle => {
    const handle: Handle = { client: index, task, handle: counts.get(task) ?? 0, future, madeAt: now(), ending: undefined, endedAt: 0, released: false, waiting: undefined }
    counts.set(task, handle.handle + 1)
    handles.push(handle)
    return handle
  }
  /** Its future; undefined if the client itself sees that another graph has its key. */
  const futureOf = (service: Client["Service"], task: CaseTask, inputs: ReadonlyArray<Handle["future"]>): Effect.Effect<Handle["future"] | undefined, unknown> => {
    if (task.body._tag === "Scattered") {
      return Effect.tap(service.scatter(valueOf(specOf(task), [])), ({ key }) => Effect.sync(() => scattered.set(key, task.id)))
    }
    const face = service.with({
      key: keyOf(task),
      retries: task.delayMs === undefined ? task.retries : { times: task.retries, delay: task.delayMs, factor: 1 },
      priority: task.priority,
      isolation: task.isolation,
      ...(task.timeoutMs === undefined ? {} : { timeout: task.timeoutMs }),
      ...(task.gpus === undefined ? {} : { resources: { GPU: task.gpus } }),
      ...(task.on === undefined ? {} : { workers: [`worker-${task.on.worker}`], allowOtherWorkers: !task.on.strictly })
    })
    const future: Effect.Effect<Handle["future"], SubmitError> = task.isolation === "fiber"
      ? face.submit(inFiber, specOf(task), inputs)
      : face.submit(inThread, specOf(task), inputs)
    return Effect.catch(future, (error) => error.reason._tag === "KeyConflict" ? Effect.succeed(undefined) : Effect.fail(error))
  }
  const submitOne = Effect.fnUntraced(function*(service: Client["Service"], task: CaseTask, { made, refused }: Submitting) {
    const inputs = task.dependencies.flatMap((id) => held.get(id)?.future ?? [])
    // What was refused cannot be used.
    if (inputs.length < task.dependencies.length) return void refused.add(task.id)
    const future = yield* futureOf(service, task, inputs)
    if (future === undefined) {
      refused.add(task.id)
      const ending: Ending = { _tag: "Failed", how: "Conflict", origin: task.under ?? task.id }
      return listener.onAnswer({ at: now(), client: index, task: task.id, handle: counts.get(task.id) ?? 0, asked: "submit", ending })
    }
    const handle = newHandle(task.id, future)
    if (!held.has(task.id)) listener.onSubmitted(index, task.id)
    held.set(task.id, handle)
    if (made === undefined) watch(handle)
    else made.push(handle)
  })
  /** What a task depends on, and is not held, comes first. */
  const ensure = (service: Client["Service"], id: number, round: Submitting): Effect.Effect<void, unknown> =>
    Effect.suspend(() => {
      const task = tasks.get(id)
      if (task === undefined || held.has(id) || round.refused.has(id)) return Effect.void
      return Effect.andThen(ensureAll(service, task.dependencies, round), submitOne(service, task, round))
    })
  const ensureAll = (service: Client["Service"], ids: ReadonlyArray<number>, round: Submitting = { refused: new Set() }): Effect.Effect<void, unknown> =>
    Effect.forEach(ids, (id) => ensure(service, id, round), { discard: true })
  /** All of it, or nothing: then nobody holds what was made. */
  const ensureInBatch = (service: Client["Service"], ids: ReadonlyArray<number>): Effect.Effect<void, unknown> =>
    Effect.suspend(() => {
      const made: Array<Handle> = []
      return service.batch((batch) => ensureAll(batch, ids, { made, refused: new Set() })).pipe(
        Effect.onExit((exit) =>
          Effect.sync(() => {
            for (const handle of made) {
              if (Exit.isFailure(exit)) letGo(handle)
              else if (!handle.released) watch(handle)
            }
          })
        )
      )
    })
  const askTogether = (service: Client["Service"], how: "gather" | "gatherExits" | "results"): Effect.Effect<void, unknown> =>
    Effect.suspend(() => {
      // One that never ends may be wanted again when nobody thinks of cancelling it any more.
      const asked = handles.filter(({ released, task }) => !released && tasks.get(task)?.body._tag !== "NeverEnds")
      const futures = asked.map(({ future }) => future)
      switch (how) {
        case "gather":
          // What it fails with is the failure of some of them.
          return Effect.map(service.gather(futures), (values) => asked.forEach((handle, i) => answered(handle, "together", Exit.succeed(values[i]!))))
        case "gatherExits":
          return Effect.map(service.gatherExits(futures), (exits) => asked.forEach((handle, i) => answered(handle, "together", exits[i]!)))
        case "results":
          return Stream.runForEach(service.results(futures), ({ exit, future }) =>
            Effect.sync(() => {
              const handle = asked.find((one) => one.future === future)
              if (handle !== undefined) answered(handle, "together", exit)
            }))
      }
    })

  const live = (task: number) => handles.filter((handle) => handle.task === task && !handle.released)
  /** From now on the agent does nothing more with it. */
  const letGo = (handle: Handle) => {
    handle.released = true
    if (held.get(handle.task) === handle) held.delete(handle.task)
  }
  const releaseHandle = (handle: Handle) =>
    Effect.suspend(() => {
      letGo(handle)
      return handle.future.release
    })
  const lose = (handle: Handle) =>
    Effect.suspend(() => {
      letGo(handle)
      handle.waiting?.interrupt()
      const found = Effect.sync(() => {
        listener.onCollected(handle.ending === undefined)
        client.collect(handle.future)
      })
      return handle.waiting === undefined ? found : Effect.andThen(handle.waiting.exit, found)
    })
  return {
    index,
    handles,
    busy: () => isGone() ? 0 : busy(),
    isGone,
    refused,
    submit: (ids) =>
      tell(alone.withPermits(1)(Effect.flatMap(Client, (service) => of.inBatches === true ? ensureInBatch(service, ids) : ensureAll(service, ids)))),
    adopt: (id) =>
      tell(Effect.flatMap(Client, (service) => {
        const task = tasks.get(id)
        return task === undefined ? Effect.void : Effect.map(service.future<Value, CaseFailed>(keyOf(task)), (future) => {
          listener.onAdopted()
          watch(newHandle(id, future))
        })
      })),
    detach: (id) =>
      tell(Effect.flatMap(Client, (service) =>
        Effect.suspend(() => {
          const handle = live(id)[0]
          if (handle === undefined) return Effect.void
          listener.onDetached()
          return service.fireAndForget(handle.future)
        })
      )),
    ask: (how) => tell(Effect.flatMap(Client, (service) => askTogether(service, how))),
    resubmit: (id) =>
      tell(alone.withPermits(1)(Effect.flatMap(Client, (service) => {
        const task = tasks.get(id)
        return task === undefined ? Effect.void : Effect.andThen(ensureAll(service, task.dependencies), submitOne(service, task, { refused: new Set() }))
      }))),
    cancel: (task, force) =>
      tell(Effect.suspend(() => {
        const handle = live(task)[0]
        if (handle === undefined) return Effect.void
        const wasPending = handle.ending === undefined
        return handle.future.cancel({ force, note: "as the case says" }).pipe(
          Effect.catch(() => Effect.succeed("unknown" as const)),
          Effect.map((outcome) => listener.onCancelled({ at: now(), client: index, task, outcome }, wasPending))
        )
      })),
    release: (task) => tell(Effect.suspend(() => Effect.forEach(live(task), releaseHandle, { discard: true }))),
    // Not while tasks are submitted: what is an input of one is pointed to.
    lose: (task) => tell(alone.withPermits(1)(Effect.suspend(() => Effect.forEach(live(task), lose, { discard: true })))),
    releaseAll: () => tell(Effect.suspend(() => Effect.forEach(handles.filter(({ released }) => !released), releaseHandle, { discard: true }))),
    retry: (task) =>
      tell(Effect.suspend(() =>
        Effect.forEach(live(task), (handle) =>
          Effect.map(handle.future.retry, () => {
            if (handle.ending !== undefined) watch(handle)
          }), { discard: true })
      )),
    askAgain: () =>
      tell(Effect.suspend(() => Effect.forEach(handles.filter(({ released }) => !released), (handle) => wait(handle, "again"), { discard: true, concurrency: 64 }))),
    leave: () =>
      Effect.suspend(() => {
        if (isGone()) return Effect.void
        left = true
        return client.leave
      })
  }
}
