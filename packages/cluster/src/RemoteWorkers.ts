/**
 * Worker processes for a scheduler that runs elsewhere: what `skein worker` is.
 *
 *   nanny line               one session with the scheduler after another, for as long as the workers are there
 *   nanny of each worker     starts it again when it crashes, and tells the scheduler how it ended
 *
 * The line comes first: where no scheduler is, or it does not let this machine
 * in, no worker need be started to find out. While the scheduler is away, the
 * workers keep what they hold and look for it, and so does the line; it alone
 * judges how long that may take.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { type ClusterError, ConnectError } from "@skein/protocol/Errors"
import type { LogLine } from "@skein/runtime/nanny/Nanny"
import type { ProcessSpawner } from "@skein/runtime/nanny/ChildProcess"
import type { Sockets } from "@skein/runtime/worker/Sockets"
import type { Hashing } from "@skein/transport/Hashing"
import type { ClusterLog } from "./internal/clusterLog.ts"
import * as NannyLine from "./internal/nannyLine.ts"
import { supervised } from "./internal/nannied.ts"
import { FOR_EVER_MS } from "./WorkerOptions.ts"
import * as Workers from "./Workers.ts"

export interface Options {
  /** Where the scheduler listens: an address that has been read. */
  readonly address: string
  readonly token: Redacted.Redacted<string> | undefined
  /** The names of the workers, one for each; no two alike. */
  readonly names: ReadonlyArray<string>
  /** What this process is called in the scheduler's logs. */
  readonly name: string
  /** What a worker of this name is told: `WorkerConfig`, less what is known here. */
  readonly configOf: (name: string) => Workers.Config
  /** Added to the environment of each worker. */
  readonly env: Readonly<Record<string, string>>
  /** Called with each line that the worker of this name writes; must not throw. */
  readonly onLine: (name: string) => (line: LogLine) => void
  /** How long the scheduler may be away, at first and later; undefined: for ever. Milliseconds. */
  readonly deathMs: number | undefined
}

export interface RemoteWorkers {
  /** Completes when the scheduler has sent all of them away. Fails when it has been away for too long, or the workers end again and again. */
  readonly ended: Effect.Effect<void, ConnectError | ClusterError>
}

/** How long a worker may take until it has registered; it may have to wait for a scheduler that is coming back. */
const READY_WITHIN_MS = 300_000
/** The wait before the line looks for a scheduler again that has ended its session. */
const AGAIN_MS = 1_000

/** Starts them, and returns when all have registered. They end, in order, with the scope. */
export const start = Effect.fnUntraced(function*(
  options: Options
): Effect.fn.Return<RemoteWorkers, ConnectError | ClusterError, Hashing | ProcessSpawner | Scope.Scope | Sockets> {
  const { address, name, token } = options
  // What the nannies have to tell is for this process's log.
  const log: ClusterLog = { add: (text) => Effect.logInfo(text), all: Effect.succeed([]) }
  const line = yield* NannyLine.make
  const lost = yield* Deferred.make<never, ConnectError>()
  const opened = yield* Latch.make()
  const workers = yield* Workers.make({
    nameOf: (index) => options.names[index]!,
    configOf: (worker) => ({
      ...options.configOf(worker),
      scheduler: address,
      token: token === undefined ? null : Redacted.value(token),
      // The line ends it sooner.
      connectMs: FOR_EVER_MS,
      nanny: name
    }),
    env: options.env,
    onLine: options.onLine,
    // One that the scheduler has sent away is not wanted any more.
    policy: { restart: "transient", readyWithinMs: READY_WITHIN_MS },
    log,
    line
  })
  const { deathMs } = options
  // Of the time without a scheduler one half is for coming back, and one for beginning anew.
  const halfMs = deathMs === undefined ? undefined : deathMs / 2
  const session = (timeoutMs: number) =>
    Effect.scoped(line.run({ name, address, token, timeoutMs, graceMs: halfMs, endProcess: workers.endProcess, logs: workers.logs, onOpen: opened.open }))
  const sessions = session(deathMs ?? Infinity).pipe(
    Effect.andThen(Effect.forever(Effect.andThen(Effect.sleep(AGAIN_MS), session(halfMs ?? Infinity)))),
    Effect.catchTag("ConnectFailed", ({ detail, reason }) => Deferred.fail(lost, ConnectError.because(reason, address, detail)))
  )
  yield* Effect.forkScoped(supervised({ id: "nanny line", start: Effect.asVoid(sessions), restart: "transient" }, 0))
  const untilLost = <A, E>(effect: Effect.Effect<A, E>) => Effect.raceFirst(effect, Deferred.await(lost))
  yield* untilLost(Effect.andThen(opened.await, workers.scale(options.names.length)))
  return { ended: untilLost(workers.ended) }
})
