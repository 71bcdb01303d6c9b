/**
 * `skein scheduler`: a scheduler in the foreground.
 */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as NodeMemory from "@skein/runtime/node/NodeMemory"
import { Journal } from "@skein/runtime/scheduler/Journal"
import { Memory } from "@skein/runtime/scheduler/Memory"
import * as SchedulerConfig from "@skein/runtime/scheduler/SchedulerConfig"
import * as Tree from "@skein/runtime/scheduler/Tree"
import * as NodeSockets from "@skein/runtime/worker/node/NodeSockets"
import { Sockets } from "@skein/runtime/worker/Sockets"
import * as Address from "@skein/transport/Address"
import { Network } from "@skein/transport/Memory"
import * as Hashing from "@skein/transport/node/Hashing"
import { explained, tokenFile, within } from "../flags.ts"

const flags = {
  host: Flag.String("host").pipe(
    Flag.withDefault("127.0.0.1"),
    Flag.withDescription("Address to bind; one beyond this machine needs a token")
  ),
  port: Flag.Int("port").pipe(
    within(0, 65_535),
    Flag.withDefault(8786),
    Flag.withDescription("Port; 0: any free one")
  ),
  unix: Flag.String("unix").pipe(
    Flag.withMetavar("PATH"),
    Flag.withDescription("Listen on this unix socket instead, in a directory that nobody else can enter"),
    Flag.optional
  ),
  tokenFile
}

const serve = Effect.fnUntraced(function*({ host, port, tokenFile, unix }: Command.Command.Config.Infer<typeof flags>) {
  const path = Option.getOrNull(unix)
  const config = yield* SchedulerConfig.decode({
    protocol: path === null ? "tcp" : "unix",
    host,
    port,
    path,
    token: Option.getOrNull(Option.map(tokenFile, Redacted.value))
  })
  const sockets = yield* Sockets
  const listening = yield* sockets.listen(Address.print(path === null ? Address.tcp(host, port) : Address.unix(path)))
  const tree = yield* Tree.start(config, listening.server)
  yield* Console.log(`the scheduler listens at ${listening.address}`)
  return yield* tree.ended
})

const services = Layer.mergeAll(
  Hashing.layer,
  Journal.layerNoop,
  // The process is the scheduler's own, so it may refuse new tasks when it is nearly full.
  Layer.sync(Memory, NodeMemory.make),
  Layer.provide(NodeSockets.layer, Network.layer)
)

export const scheduler = Command.make("scheduler", flags, (options) => explained(Effect.scoped(serve(options))).pipe(Effect.provide(services))).pipe(
  Command.withShortDescription("Run a scheduler"),
  Command.withDescription("Runs a scheduler until SIGINT or SIGTERM. Its address is the one line that it prints."),
  Command.withExamples([
    { command: "skein scheduler", description: "On this machine, port 8786" },
    { command: "skein scheduler --host 0.0.0.0 --token-file token", description: "For other machines; the token is what they must show" },
    { command: "skein scheduler --unix /run/user/1000/skein.sock", description: "On a unix socket" }
  ])
)
