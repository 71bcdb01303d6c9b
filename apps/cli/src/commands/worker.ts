/**
 * `skein worker`: workers for a scheduler that runs already.
 */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { address, duration, fibers, findBy, host, json, memoryLimit, networkInterface, port, resources, tasks, threads, tokenFile, within, workers } from "../flags.ts"
import { lazily } from "../lazily.ts"

const flags = {
  scheduler: Argument.String("ADDRESS").pipe(
    Argument.withDescription("Where the scheduler listens: host:port, tcp://host:port or unix:/path; or else --address or --scheduler-file says it"),
    Argument.optional
  ),
  address,
  schedulerFile: findBy,
  tokenFile,
  workers: workers("Worker processes, which this one watches over [default: 1]"),
  threads,
  fibers,
  memoryLimit,
  resources,
  name: Flag.String("name").pipe(
    Flag.withMetavar("NAME"),
    Flag.withDescription("What the worker is called; of several, NAME-0, NAME-1 and so on [default: drawn, beginning with the machine's name]"),
    Flag.optional
  ),
  tasks,
  code: Flag.Literals("code", ["any", "modules-only"]).pipe(
    Flag.withDefault("any" as const),
    Flag.withDescription("With modules-only: run the tasks of --tasks, and refuse functions that clients send as text [default: any]")
  ),
  host: host.pipe(Flag.withDescription("Address at which the workers serve results [default: the one from which they reach the scheduler]"), Flag.optional),
  port: port.pipe(Flag.withDescription("Port at which the worker serves results; 0: any free one, as several need it [default: 0]"), Flag.optional),
  interface: networkInterface,
  contactAddress: Flag.String("contact-address").pipe(
    Flag.withMetavar("ADDRESS"),
    Flag.withDescription("What others are told to dial for results, behind a proxy or in a container [default: the address listened at]"),
    Flag.optional
  ),
  localDirectory: Flag.String("local-directory").pipe(
    Flag.withMetavar("FOLDER"),
    Flag.withDescription("Folder for the workers' files, made if it is not there [default: a temporary one that goes with them]"),
    Flag.optional
  ),
  deathTimeout: duration("death-timeout").pipe(
    Flag.withDescription("End with exit code 3 when there has been no scheduler for so long, such as \"30 seconds\" [default: wait for ever]"),
    Flag.optional
  ),
  resumeTimeout: duration("resume-timeout").pipe(
    Flag.withDescription("How long a broken connection may take to come back before the workers' tasks are placed elsewhere [default: 5 seconds]"),
    Flag.optional
  ),
  json: json.pipe(Flag.withDescription("Say in one line of JSON that the workers are registered [default: in words]")),
  zero: Flag.Int("zero").pipe(
    within(1, 4_000),
    Flag.withMetavar("N"),
    Flag.withDescription("Instead of workers, N in this process that run no task and answer each at once, for measuring the scheduler [default: none]"),
    Flag.optional
  )
}

export type WorkerFlags = Command.Command.Config.Infer<typeof flags>

export const worker = Command.make("worker", flags, (options) => lazily(() => import("../programs/worker.ts"), ({ work }) => work(options))).pipe(
  Command.withShortDescription("Run workers for a scheduler that runs elsewhere"),
  Command.withDescription(
    "Runs worker processes and watches over them: one that dies is started again, and the scheduler is told what it died of. " +
      "Ends when the scheduler sends the workers away, with --death-timeout when it is gone, and with Ctrl-C."
  ),
  Command.withExamples([
    { command: "skein worker tcp://10.0.0.4:8786 --tasks tasks.ts", description: "One worker with as many threads as there are cores, and the tasks of tasks.ts" },
    { command: "skein worker --scheduler-file /shared/scheduler.json --workers 4 --threads 2 --memory-limit 2GiB", description: "Four processes, for the scheduler that wrote the file" },
    { command: "skein worker 10.0.0.4:8786 --token-file token --resources GPU=1 --tasks tasks.ts --code modules-only", description: "One that offers a GPU, and takes no code from clients" },
    { command: "skein worker --zero 24 tcp://127.0.0.1:8786", description: "24 workers that answer at once" }
  ])
)
