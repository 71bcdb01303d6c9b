/**
 * What a worker's process does, from its nanny's input to its end.
 *
 * Apart from main.ts, which knows Node: a simulated process runs the same.
 */
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as References from "effect/References"
import type { ProcessId } from "@skein/protocol/Ids"
import { Notices } from "../nanny/Notices.ts"
import * as Tree from "./Tree.ts"
import { decode, type WorkerConfig } from "./WorkerConfig.ts"

/** What a nanny has written. */
export interface Input {
  readonly process: ProcessId
  readonly name: string
  readonly config: unknown
}

export interface Options extends Tree.Options {
  /** Told once it has been put together and, if the scheduler lets it in, registered. @default nobody is told */
  readonly onStarted?: (tree: Tree.Tree) => void
}

/**
 * Runs a worker until the scheduler sends it away; fails when it cannot go on, and what it fails of is on the console by then.
 * `services` are what its surroundings offer to a worker of this configuration.
 */
export const program = (
  input: Input,
  services: (config: WorkerConfig) => Layer.Layer<Tree.Services>,
  options: Options = {}
): Effect.Effect<void, unknown> =>
  Effect.gen(function*() {
    const config = yield* decode(input)
    yield* Effect.provide(Effect.scoped(working(config, options)), services(config)).pipe(
      Effect.provideService(References.MinimumLogLevel, config.logLevel)
    )
  }).pipe(
    Effect.tapCause((cause) => Cause.hasInterruptsOnly(cause) ? Effect.void : Console.error(Cause.pretty(cause)))
  )

const working = Effect.fnUntraced(function*(config: WorkerConfig, { onStarted, ...options }: Options) {
  const tree = yield* Tree.start(config, options)
  onStarted?.(tree)
  const notices = yield* Notices
  if (tree.registered.isOpen()) yield* notices.write({ ready: tree.dataAddress })
  yield* tree.ended
})
