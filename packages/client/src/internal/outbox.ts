/**
 * What this client has to tell the scheduler, in order.
 *
 * Submissions of one turn leave as one message, for a message costs more than a
 * task. Whoever submits waits for room while more than a mebibyte is on its way;
 * a release never waits, for it takes a few bytes and makes room elsewhere.
 * Whoever asks the scheduler about a key first waits until the key has been
 * submitted (`flushed`): questions go another way and could overtake it.
 *
 * The tasks of one graph stand together: the scheduler takes what comes before the
 * last of them for a part of it. A graph that is too large to be built in one go is
 * told in several turns, and until its end others wait as they do for room.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Queue from "effect/Queue"
import type { DeclaredCode, Graph, SubmittedTask } from "@skein/protocol/Graph"
import { BYTES_PER_MESSAGE, TASKS_PER_MESSAGE } from "@skein/protocol/Graph"
import type { Key, Ref } from "@skein/protocol/Ids"
import type { Terms } from "@skein/protocol/Terms"

export type Row =
  /** `code`: told with the first task that calls it. `last`: of its graph. */
  | {
    readonly _tag: "Task"
    readonly task: SubmittedTask
    readonly code: DeclaredCode | undefined
    readonly last: boolean
    /** On which it is submitted; `bytes`: what they take, unless the task before has the same. */
    readonly terms?: { readonly terms: Terms; readonly bytes: number }
  }
  /** A graph that was given up before its last task was built. */
  | { readonly _tag: "GraphEnd" }
  /** A key that somebody else has submitted. */
  | { readonly _tag: "Want"; readonly ref: Ref; readonly key: string }
  | { readonly _tag: "Release" | "Retry" | "Detach"; readonly ref: Ref }
  /** Whether the client wants to hear how far the task says it is. */
  | { readonly _tag: "Watch"; readonly ref: Ref; readonly on: boolean }
  | { readonly _tag: "Flush"; readonly done: Deferred.Deferred<void> }

/** What leaves: messages of one kind each. */
export interface Sending<E> {
  readonly submit: (graph: Graph) => Effect.Effect<void, E>
  readonly release: (refs: ReadonlyArray<Ref>) => Effect.Effect<void, E>
  readonly retry: (refs: ReadonlyArray<Ref>) => Effect.Effect<void, E>
  readonly detach: (refs: ReadonlyArray<Ref>) => Effect.Effect<void, E>
  readonly want: (rows: ReadonlyArray<Wanted>) => Effect.Effect<void, E>
  readonly watch: (ref: Ref, on: boolean) => Effect.Effect<void, E>
}

/** A key, and the number that it shall have. */
export interface Wanted {
  readonly ref: Ref
  readonly key: Key
}

/** Bytes on their way beyond which who submits waits. */
export const ROOM_BYTES = 1 << 20
/** What a task takes beside its arguments, roughly. */
const TASK_BYTES = 64

export interface Outbox {
  /** Never waits. */
  readonly offer: (row: Row) => void
  /** Completes when there is room for more submissions. Whoever then submits looks at `isInGraph` once more, in the same step. */
  readonly room: Effect.Effect<void>
  /** Whether a graph has been begun and not ended. Only whoever began it may submit. */
  readonly isInGraph: () => boolean
  /** Completes when there is room for more tasks of the graph that has been begun: for whoever began it. */
  readonly roomInGraph: Effect.Effect<void>
  /** Completes when all that was offered before has been sent, or nothing will be any more. */
  readonly flushed: Effect.Effect<void>
  /** Sends, until sending fails. To be run once. */
  readonly run: <E>(sending: Sending<E>) => Effect.Effect<never, E>
}

export const make = Effect.gen(function*() {
  // Its tasks are bounded by `room`; a release follows a task, and is smaller.
  const rows = yield* Queue.unbounded<Row>()
  const roomy = Latch.makeUnsafe(true)
  /** Open if there is room and no graph has been begun and not ended. Who offers only closes it: what it opens for goes on at once, and would submit in the middle of a step. */
  const free = Latch.makeUnsafe(true)
  let waitingBytes = 0
  let inGraph = false
  let over = false

  const close = (): void => {
    if (waitingBytes > ROOM_BYTES) roomy.closeUnsafe()
    if (waitingBytes > ROOM_BYTES || inGraph) free.closeUnsafe()
  }
  const open = (): void => {
    if (waitingBytes <= ROOM_BYTES) roomy.openUnsafe()
    if (waitingBytes <= ROOM_BYTES && !inGraph) free.openUnsafe()
  }

  const offer = (row: Row): void => {
    if (over) {
      if (row._tag === "Flush") Deferred.doneUnsafe(row.done, Exit.void)
      return
    }
    Queue.offerUnsafe(rows, row)
    if (row._tag === "Task") {
      inGraph = !row.last
      waitingBytes += bytesOf(row)
    } else if (row._tag === "GraphEnd") {
      inGraph = false
    } else {
      return
    }
    close()
  }
  const sent = (bytes: number): void => {
    waitingBytes -= bytes
    open()
  }
  const sendAll = Effect.fnUntraced(function*<E>(batch: ReadonlyArray<Row>, sending: Sending<E>) {
    for (const message of messages(batch)) {
      switch (message._tag) {
        case "Submit":
          yield* sending.submit(message.graph)
          sent(message.bytes)
          break
        case "Release":
          yield* sending.release(message.refs)
          break
        case "Retry":
          yield* sending.retry(message.refs)
          break
        case "Detach":
          yield* sending.detach(message.refs)
          break
        case "Want":
          yield* sending.want(message.rows)
          break
        case "Watch":
          yield* sending.watch(message.ref, message.on)
          break
        case "Flush":
          Deferred.doneUnsafe(message.done, Exit.void)
      }
    }
  })
  /** Nothing more will be sent: nobody shall wait for it. */
  const stop = Effect.gen(function*() {
    over = true
    inGraph = false
    waitingBytes = 0
    open()
    for (const row of yield* Queue.clear(rows)) if (row._tag === "Flush") Deferred.doneUnsafe(row.done, Exit.void)
    yield* Queue.shutdown(rows)
  })
  const outbox: Outbox = {
    offer,
    room: free.await,
    isInGraph: () => inGraph,
    roomInGraph: roomy.await,
    flushed: Effect.suspend(() => {
      const done = Deferred.makeUnsafe<void>()
      offer({ _tag: "Flush", done })
      return Deferred.await(done)
    }),
    run: <E>(sending: Sending<E>) => {
      let batch: ReadonlyArray<Row> = []
      const turn = Effect.gen(function*() {
        batch = yield* Queue.takeAll(rows) // wakes at the end of the turn: all that it offers leaves together
        open()
        yield* sendAll(batch, sending)
      })
      return Effect.forever(turn, { disableYield: true }).pipe(
        Effect.ensuring(Effect.suspend(() => {
          for (const row of batch) if (row._tag === "Flush") Deferred.doneUnsafe(row.done, Exit.void)
          return stop
        }))
      )
    }
  }
  return outbox
})

export type Message =
  | { readonly _tag: "Submit"; readonly graph: Graph; readonly bytes: number }
  | { readonly _tag: "Release" | "Retry" | "Detach"; readonly refs: ReadonlyArray<Ref> }
  | { readonly _tag: "Want"; readonly rows: ReadonlyArray<Wanted> }
  | { readonly _tag: "Watch"; readonly ref: Ref; readonly on: boolean }
  | { readonly _tag: "Flush"; readonly done: Deferred.Deferred<void> }

/**
 * Rows as messages: neighbours of one kind together, up to the limits.
 *
 * A message that ends in the middle of a graph says so, and the scheduler holds
 * it until the rest has come.
 */
export const messages = (rows: ReadonlyArray<Row>): ReadonlyArray<Message> => {
  const out: Array<Message> = []
  for (let i = 0; i < rows.length;) {
    const row = rows[i]!
    if (row._tag === "Flush" || row._tag === "Watch") {
      out.push(row)
      i++
    } else if (row._tag === "Want") {
      const wanted: Array<Wanted> = []
      let characters = 0
      for (let next = rows[i]; next?._tag === "Want" && characters < BYTES_PER_MESSAGE; next = rows[++i]) {
        characters += next.key.length + 16
        // The cast names a text as what the user says it is: a key, known or not.
        wanted.push({ ref: next.ref, key: next.key as Key })
      }
      out.push({ _tag: "Want", rows: wanted })
    } else if (row._tag === "Release" || row._tag === "Retry" || row._tag === "Detach") {
      const refs: Array<Ref> = []
      for (let next = rows[i]; next?._tag === row._tag && refs.length < REFS_PER_MESSAGE; next = rows[++i]) refs.push(next.ref)
      out.push({ _tag: row._tag, refs })
    } else {
      i = takeGraph(rows, i, out)
    }
  }
  return out
}

/** References in one message at most; 5 bytes each. */
const REFS_PER_MESSAGE = 50_000

/**
 * Adds one message of the tasks from `start` on; returns where the next begins. It ends where a graph does, if one does in it: what
 * begins after that would hold back the whole message until the rest has come.
 */
const takeGraph = (rows: ReadonlyArray<Row>, start: number, out: Array<Message>): number => {
  const codes: Array<DeclaredCode> = []
  const tasks: Array<SubmittedTask> = []
  const terms = new Map<Terms, number>()
  let bytes = 0
  let last = true
  /** As of the last end of a graph. */
  let whole = { next: start, tasks: 0, codes: 0, terms: 0, bytes: 0 }
  let i = start
  for (; i < rows.length && tasks.length < TASKS_PER_MESSAGE; i++) {
    const row = rows[i]!
    if (row._tag === "GraphEnd") {
      last = true
    } else if (row._tag === "Task") {
      const more = bytesOf(row)
      if (tasks.length > 0 && bytes + more > BYTES_PER_MESSAGE) break
      // The first of a graph that goes on: so far all was whole.
      if (last && !row.last) whole = { next: i, tasks: tasks.length, codes: codes.length, terms: terms.size, bytes }
      bytes += more
      tasks.push(row.terms === undefined ? row.task : { ...row.task, terms: placeIn(terms, row.terms.terms) })
      if (row.code !== undefined) codes.push(row.code)
      last = row.last
    } else {
      break
    }
  }
  if (!last && whole.next > start) {
    tasks.length = whole.tasks
    codes.length = whole.codes
    out.push({ _tag: "Submit", graph: { codes, tasks, ...listed(terms, whole.terms), last: true }, bytes: whole.bytes })
    return whole.next
  }
  out.push({ _tag: "Submit", graph: { codes, tasks, ...listed(terms, terms.size), last }, bytes })
  return i
}

const placeIn = (places: Map<Terms, number>, terms: Terms): number => {
  const known = places.get(terms) ?? places.size
  places.set(terms, known)
  return known
}

const listed = (terms: ReadonlyMap<Terms, number>, count: number): Pick<Graph, "terms"> =>
  count === 0 ? {} : { terms: [...terms.keys()].slice(0, count) }

const bytesOf = ({ code, task, terms }: Extract<Row, { readonly _tag: "Task" }>): number =>
  TASK_BYTES + (terms?.bytes ?? 0) + task.args.length + task.key.length + 5 * task.dependencies.length + (code === undefined ? 0 : 256 + (code.def.text?.length ?? 0) + (code.def.captures?.length ?? 0))
