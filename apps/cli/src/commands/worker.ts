/**
 * `skein worker`: workers for a scheduler that runs already.
 *
 * In this release only those of `--zero`, which answer at once and run nothing;
 * workers that run tasks are started by `LocalCluster`.
 */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as NodeHost from "@skein/runtime/worker/node/NodeHost"
import * as NodeSockets from "@skein/runtime/worker/node/NodeSockets"
import * as ZeroWorkers from "@skein/runtime/worker/zero/ZeroWorkers"
import * as Address from "@skein/transport/Address"
import { Network } from "@skein/transport/Memory"
import * as Hashing from "@skein/transport/node/Hashing"
import { explained, tokenFile, within } from "../flags.ts"

const flags = {
  zero: Flag.Int("zero").pipe(
    within(1, 4_000),
    Flag.withMetavar("N"),
    Flag.withDescription("Run N workers in this process that run no task, but answer each at once: for measuring the scheduler")
  ),
  address: Flag.String("address").pipe(
    Flag.withMetavar("ADDRESS"),
    Flag.withDescription("Where the scheduler listens: host:port, tcp://host:port or unix:/path")
  ),
  tokenFile,
  host: Flag.String("host").pipe(
    Flag.withDefault("127.0.0.1"),
    Flag.withDescription("Where the workers serve results, on any free port")
  ),
  name: Flag.String("name").pipe(
    Flag.withDefault("zero"),
    Flag.withDescription("The workers are called NAME-0, NAME-1 and so on")
  )
}

const work = Effect.fnUntraced(function*(options: Command.Command.Config.Infer<typeof flags>) {
  const { address, host, name, zero } = options
  const { dataAddress, ended } = yield* ZeroWorkers.start({
    count: zero,
    name,
    scheduler: address,
    token: Option.getOrUndefined(options.tokenFile),
    listen: Address.print(Address.tcp(host, 0)),
    host
  })
  yield* Console.log(`${zero} zero workers are registered with ${address} and serve results at ${dataAddress}`)
  yield* ended
})

const services = Layer.mergeAll(Hashing.layer, NodeHost.layer, Layer.provide(NodeSockets.layer, Network.layer))

export const worker = Command.make("worker", flags, (options) => explained(Effect.scoped(work(options))).pipe(Effect.provide(services))).pipe(
  Command.withShortDescription("Run workers"),
  Command.withDescription("Registers workers with a scheduler, and keeps them until the scheduler sends them away or SIGINT comes."),
  Command.withExamples([
    { command: "skein worker --zero 24 --address tcp://127.0.0.1:8786", description: "24 workers that answer at once" },
    { command: "skein worker --zero 1000 --address unix:/run/skein.sock --token-file token", description: "1,000 of them, for a cluster with a token" }
  ])
)
