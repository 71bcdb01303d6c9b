/**
 * Many workers in one process that do nothing: for measuring everything else.
 *
 *   zero workers   all end with the first that fails
 *   ├─ peers       one server for all, which answers every question with the same value
 *   └─ each        a connection, and the loop that answers; either ends the other
 *
 * Each is a worker to the scheduler: it keeps the real session with `Connection`,
 * registers, reports its load, resumes and comes back as a new incarnation like
 * any other. Only what stands behind the connection is missing: state, executor
 * and gather are `Answers`. All rows of a turn leave as one message.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Hex from "effect/encoding/Hex"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type * as SocketServer from "effect/socket/SocketServer"
import { empty } from "@skein/core/worker/State"
import { ProcessId } from "@skein/protocol/Ids"
import * as Value from "@skein/protocol/Value"
import * as Bulk from "@skein/transport/Bulk"
import * as BulkServer from "@skein/transport/BulkServer"
import { byToken } from "@skein/transport/Handshake"
import { Hashing } from "@skein/transport/Hashing"
import type { ConnectFailed, SessionEnded } from "@skein/transport/Session"
import * as Connection from "../Connection.ts"
import * as DataStore from "../DataStore.ts"
import { Host } from "../Host.ts"
import * as Mailbox from "../Mailbox.ts"
import { Sockets, type SocketsFailed } from "../Sockets.ts"
import * as WorkerConfig from "../WorkerConfig.ts"
import * as Answers from "./Answers.ts"

export interface Options {
  /** How many workers. */
  readonly count: number
  /** They are called `name-0`, `name-1` and so on. */
  readonly name: string
  /** Where the scheduler listens. */
  readonly scheduler: string
  /** The cluster's token. @default none */
  readonly token?: Redacted.Redacted<string> | undefined
  /** Where all of them serve their value; a TCP port of 0 is any free one. */
  readonly listen: string
  /** What the machine is called. */
  readonly host: string
}

export interface ZeroWorkers {
  /** Where they serve their value. */
  readonly dataAddress: string
  /** Returns once the scheduler has sent every one of them away; fails with the first that cannot go on. */
  readonly ended: Effect.Effect<void, Failure>
}

type Failure = ConnectFailed | SocketsFailed | SessionEnded | SocketServer.SocketServerError

/**
 * How many of them call the scheduler at once. A thousand in one moment are more than a listening socket lets wait, and the last
 * would be greeted too late.
 */
const AT_ONCE = 64

/** What is the result of every task: the number 0. */
const value = Result.getOrThrow(Value.encode(0))

/** Starts them, and keeps them until the scope closes. Returns once all have registered; fails if one cannot. */
export const start = Effect.fnUntraced(function*(
  options: Options
): Effect.fn.Return<ZeroWorkers, Failure, Hashing | Sockets | Host | Scope.Scope> {
  const { count, token } = options
  const sockets = yield* Sockets
  const listening = yield* sockets.listen(options.listen)
  const allThere = Deferred.makeUnsafe<void>()
  let registered = 0
  const turns = yield* Semaphore.make(AT_ONCE)
  const onRegistered = Effect.andThen(
    turns.release(1),
    Effect.suspend(() => ++registered === count ? Deferred.succeed(allThere, undefined) : Effect.void)
  )

  const serving = BulkServer.serve(listening.server, {
    authorize: token === undefined ? () => Effect.void : byToken(token),
    read: (wanted) => Effect.succeed(wanted.map(() => Bulk.found(value)))
  })
  const working = Effect.forEach(
    Array.from({ length: count }, (_, index) => index),
    (index) => Effect.andThen(turns.take(1), zeroWorker(options, `${options.name}-${index}`, listening.address, Effect.asVoid(onRegistered))),
    { concurrency: "unbounded", discard: true }
  )
  const fiber = yield* Effect.forkScoped(Effect.raceFirst(working, serving))
  yield* Effect.raceFirst(Deferred.await(allThere), Fiber.join(fiber))
  return { dataAddress: listening.address, ended: Fiber.join(fiber) }
})

/** One of them, until it is sent away. `onRegistered` is run at its first registration. */
const zeroWorker = Effect.fnUntraced(function*(options: Options, name: string, dataAddress: string, onRegistered: Effect.Effect<void>) {
  const { random } = yield* Hashing
  const mailbox = Mailbox.make()
  const answers = Answers.make(value)
  let isNew = true
  const connection = Connection.make({
    config: configOf(options, name, `${name}-${Hex.encode(random(8))}`),
    dataAddress,
    store: DataStore.make(),
    mailbox,
    sockets: yield* Sockets,
    host: yield* Host,
    // It has no state to tell stories of.
    state: empty,
    onRegistered: Effect.suspend(() => {
      if (!isNew) return Effect.void
      isNew = false
      return onRegistered
    })
  })
  const answering = Effect.gen(function*() {
    while (true) {
      yield* mailbox.filled
      const taken = mailbox.take()
      if ("begin" in taken) {
        taken.begin()
        answers.forget()
      } else for (const event of taken) answers.answer(event, connection.contact.report)
    }
  })
  return yield* Effect.raceFirst(connection.run, answering)
})

const configOf = ({ host, listen, scheduler, token }: Options, name: string, process: string): WorkerConfig.WorkerConfig =>
  WorkerConfig.make({
    name,
    process: ProcessId.make(process),
    nanny: null,
    scheduler,
    token: token === undefined ? null : Redacted.value(token),
    listen,
    host,
    nthreads: 1,
    nfibers: 1,
    // It writes no files.
    localDirectory: "/"
  })
