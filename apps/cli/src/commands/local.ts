/**
 * `skein local`: a cluster on this machine, in the foreground.
 */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { fibers, json, memoryLimit, resources, tasks, threads, tokenFile, workers, host, networkInterface, port, protocol } from "../flags.ts"
import { lazily } from "../lazily.ts"

const flags = {
  workers: workers("Worker processes [default: one for each of up to four cores, then fewer with more threads]"),
  threads,
  fibers,
  memoryLimit,
  resources,
  tasks,
  protocol: protocol.pipe(
    Flag.withDescription("What to listen on: tcp, or unix for a socket in a directory that nobody else can enter [default: tcp]"),
    Flag.withDefault("tcp" as const)
  ),
  host: host.pipe(Flag.withDescription("Address to bind [default: 127.0.0.1]"), Flag.optional),
  port: port.pipe(Flag.withDescription("Port of the scheduler; 0: any free one [default: 8786]"), Flag.optional),
  interface: networkInterface,
  tokenFile,
  schedulerFile: Flag.String("scheduler-file").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription("Write the address and the token to this file, which nobody else can read; removed at the end [default: .skein/scheduler.json]"),
    Flag.withDefault(".skein/scheduler.json")
  ),
  json: json.pipe(Flag.withDescription("Say in one line of JSON that the cluster is up [default: in words]"))
}

export type LocalFlags = Command.Command.Config.Infer<typeof flags>

export const local = Command.make("local", flags, (options) => lazily(() => import("../programs/local.ts"), ({ serve }) => serve(options))).pipe(
  Command.withShortDescription("Run a cluster on this machine"),
  Command.withDescription("Runs a scheduler and workers until Ctrl-C. Who may read the scheduler file, may use the cluster: skein run FILE --scheduler-file .skein/scheduler.json"),
  Command.withExamples([
    { command: "skein local --tasks tasks.ts", description: "A worker for each core, with the tasks of tasks.ts" },
    { command: "skein local --workers 2 --threads 4 --port 0 --json", description: "On any free port, told to a script" }
  ])
)
