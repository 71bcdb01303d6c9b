/**
 * `skein scheduler`: a scheduler in the foreground.
 */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { duration, host, json, networkInterface, port, protocol, tokenFile, within, writeTo } from "../flags.ts"
import { lazily } from "../lazily.ts"

const flags = {
  host: host.pipe(Flag.withDescription("Address to bind; one beyond this machine needs a token [default: 127.0.0.1]"), Flag.optional),
  port: port.pipe(Flag.withDescription("Port; 0: any free one [default: 8786]"), Flag.optional),
  interface: networkInterface,
  protocol: protocol.pipe(
    Flag.withDescription("What to listen on: tcp, or unix for a socket in a directory that nobody else can enter [default: tcp, or unix with --unix]"),
    Flag.optional
  ),
  unix: Flag.String("unix").pipe(
    Flag.withMetavar("PATH"),
    Flag.withDescription("Listen on this unix socket, in a directory that nobody else can enter [default: none]"),
    Flag.optional
  ),
  tokenFile,
  schedulerFile: writeTo,
  validate: Flag.Boolean("validate").pipe(
    Flag.withDescription("Check all invariants after every batch, which is slow; a broken one ends the scheduler [default: no]"),
    Flag.withDefault(false)
  ),
  allowedFailures: Flag.Int("allowed-failures").pipe(
    within(0, 10_000),
    Flag.withMetavar("N"),
    Flag.withDescription("How many workers a task may end; with one more it fails with KilledWorker [default: 3]"),
    Flag.optional
  ),
  workerTtl: duration("worker-ttl").pipe(Flag.withDescription("A worker that is silent for so long is lost [default: 5 minutes]"), Flag.optional),
  idleTimeout: duration("idle-timeout").pipe(Flag.withDescription("End after so long without work [default: never]"), Flag.optional),
  noWorkersTimeout: duration("no-workers-timeout").pipe(
    Flag.withDescription("Tasks that no worker can run for so long fail with NoEligibleWorker [default: they wait]"),
    Flag.optional
  ),
  json: json.pipe(Flag.withDescription("Say in one line of JSON where it listens [default: in words]"))
}

export type SchedulerFlags = Command.Command.Config.Infer<typeof flags>

export const scheduler = Command.make("scheduler", flags, (options) => lazily(() => import("../programs/scheduler.ts"), ({ serve }) => serve(options))).pipe(
  Command.withShortDescription("Run a scheduler"),
  Command.withDescription("Runs a scheduler until Ctrl-C or SIGTERM. Where it listens is the one line that it prints; what it logs goes to standard error."),
  Command.withExamples([
    { command: "skein scheduler", description: "On this machine, port 8786" },
    { command: "skein scheduler --host 0.0.0.0 --token-file token", description: "For other machines; the token is what they must show" },
    { command: "skein scheduler --port 0 --scheduler-file /shared/scheduler.json --json", description: "On any free port, which workers and clients read from the file" },
    { command: "skein scheduler --unix /run/user/1000/skein.sock", description: "On a unix socket" }
  ])
)
