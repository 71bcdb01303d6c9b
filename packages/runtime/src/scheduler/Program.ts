/**
 * What a scheduler's process does, from its nanny's input to its end.
 *
 * Apart from main.ts, which knows Node: a simulated process runs the same.
 */
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import type * as Scope from "effect/Scope"
import * as Address from "@skein/transport/Address"
import type { Hashing } from "@skein/transport/Hashing"
import { Notices } from "../nanny/Notices.ts"
import { Sockets, SocketsFailed } from "../worker/Sockets.ts"
import type { Journal } from "./Journal.ts"
import { decode, type SchedulerConfig } from "./SchedulerConfig.ts"
import * as Tree from "./Tree.ts"

/**
 * Runs a scheduler until nobody needs it any more (`idleTimeoutMs`), it fails, or it is interrupted. What it fails of is on the
 * console by then.
 * `onStarted` is told once it serves. @default nobody is told
 */
export const program = (config: unknown, onStarted: (tree: Tree.Tree) => void = () => {}): Effect.Effect<void, unknown, Sockets | Notices | Journal | Hashing> =>
  Effect.flatMap(decode(config), (read) => Effect.provideService(Effect.scoped(serving(read, onStarted)), References.MinimumLogLevel, read.logLevel)).pipe(
    Effect.tapCause((cause) => Cause.hasInterruptsOnly(cause) ? Effect.void : Console.error(told(cause)))
  )

/** An address that cannot be used is foreseen, and no place in our code explains it. */
const told = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  return error instanceof SocketsFailed ? error.message : Cause.pretty(cause)
}

const serving = Effect.fnUntraced(function*(
  config: SchedulerConfig,
  onStarted: (tree: Tree.Tree) => void
): Effect.fn.Return<void, unknown, Sockets | Notices | Journal | Hashing | Scope.Scope> {
  const sockets = yield* Sockets
  const { address, server } = yield* sockets.listen(Address.print(addressIn(config)))
  const tree = yield* Tree.start(config, server)
  onStarted(tree)
  const notices = yield* Notices
  yield* notices.write({ ready: address })
  return yield* tree.ended
})

const addressIn = ({ host, path, port, protocol }: SchedulerConfig): Address.Address =>
  path !== null && protocol === "unix" ? Address.unix(path) : Address.tcp(host, port)
