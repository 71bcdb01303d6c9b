/**
 * `skein run`: a program that is an Effect, on a cluster.
 */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { address, fibers, findBy, json, memoryLimit, resources, rest, tasks, threads, tokenFile, workers } from "../flags.ts"
import { lazily } from "../lazily.ts"

const flags = {
  file: Argument.String("FILE").pipe(Argument.withDescription("Module whose default export is the program: an Effect that needs Client, Cluster or Scope, or a function that gives one")),
  args: rest.pipe(Argument.withDescription("The program's own arguments, as process.argv has them; those that begin with a dash after --")),
  address,
  schedulerFile: findBy,
  tokenFile,
  workers: workers("Workers of a cluster of its own [default: one for each of up to four cores, then fewer with more threads]"),
  threads,
  fibers,
  memoryLimit,
  resources,
  tasks,
  json: json.pipe(Flag.withDescription("Print the program's value in one line of JSON [default: print nothing but what the program does]"))
}

export type RunFlags = Command.Command.Config.Infer<typeof flags>

export const run = Command.make("run", flags, (options) => lazily(() => import("../programs/run.ts"), ({ runFile }) => runFile(options))).pipe(
  Command.withShortDescription("Run a program on a cluster"),
  Command.withDescription(
    "Runs a program on a cluster of its own, or with --address or --scheduler-file on one that is there. " +
      "Exits with 0 when the program succeeds, and with 1 and its failure on standard error when it fails."
  ),
  Command.withExamples([
    { command: "skein run sums.ts", description: "On a cluster of this machine that ends with the program" },
    { command: "skein run sums.ts --workers 4 --tasks tasks.ts -- --depth 3", description: "With four workers; the program sees --depth 3" },
    { command: "skein run sums.ts --scheduler-file .skein/scheduler.json --json", description: "On the cluster of skein local; prints the program's value" }
  ])
)
