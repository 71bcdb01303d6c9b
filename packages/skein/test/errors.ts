/**
 * One error of every kind, as its user reads it: the examples of docs/errors.md.
 */
import { Duration, Option } from "effect"
import * as Errors from "@skein/protocol/Errors"
import * as Failure from "@skein/protocol/Failure"
import * as BlockedLoop from "@skein/runtime/worker/BlockedLoop"
import * as CodeUnknown from "@skein/runtime/worker/CodeUnknown"
import { ModuleFailed } from "@skein/runtime/worker/Modules"
import * as Simulation from "@skein/simulation/Errors"

const attempt = {
  worker: "worker-1",
  startedAtMs: 1_000,
  endedAtMs: 9_200,
  ended: "signal",
  detail: "SIGKILL",
  peakMemoryBytes: Option.some(4_000 * 2 ** 20),
  logTail: []
} as const satisfies Failure.Attempt
const ofTask = { key: "load-55aa", task: "load" }
const submit = (reason: Errors.SubmitReason) => Errors.SubmitError.because(reason).message
const task = (reason: Failure.TaskReason) => Failure.TaskError.because(reason, ofTask).message
const connect = (reason: Errors.ConnectReason, address: string, detail?: string) => Errors.ConnectError.because(reason, address, detail).message
const unknown = (task: string, why: CodeUnknown.Why) => CodeUnknown.because(why, { task, worker: "worker-0" }).message
const scheduler = "tcp://10.0.0.4:8786"

/** By code, the whole text of one error of that kind. */
export const texts: Readonly<Record<string, string>> = {
  SKEIN1001: submit(new Errors.NotShippable({ names: ["encode", "quality"], task: "encodeAll" })),
  SKEIN1002: unknown("resize", { _tag: "NoModule" }),
  SKEIN1003: submit(new Errors.PayloadInvalid({
    path: ["width"],
    expected: "an integer, got 12.5",
    task: "Resize",
    contract: "file:///home/ann/tasks.ts:24:23"
  })),
  SKEIN1004: task(new Failure.ResultInvalid({ path: ["connection", "socket"], found: "an instance of Socket (a class that is not registered)", worker: "worker-1" })),
  SKEIN1005: submit(new Errors.ForeignFuture({ key: "load-55aa", cluster: "tcp://a:8786" })),
  SKEIN1006: submit(new Errors.TooLarge({ bytes: 222_298_112, limitBytes: 8 * 2 ** 20, largest: { path: ["0"], bytes: 222_298_000 } })),
  SKEIN1007: submit(new Errors.KeyConflict({ key: "train", heldBy: "etl-nightly" })),
  SKEIN1008: submit(new Errors.FutureReleased({ key: "load-55aa" })),
  SKEIN1009: submit(new Errors.Overloaded({ retryAfter: Duration.seconds(2) })),
  SKEIN1010: submit(new Errors.Unauthorized({ what: "submit tasks" })),
  SKEIN1011: submit(new Errors.NameUnknown({ name: "prices" })),
  SKEIN1012: submit(new Errors.ClientClosed()),
  SKEIN1013: submit(new Errors.BadOption({ option: "priority", expected: "a number" })),
  SKEIN1014: Errors.AwaitedInBatch.of("load-55aa").message,
  SKEIN1015: unknown("save", { _tag: "Services", cause: new TypeError("the database has no name") }),
  SKEIN1016: submit(new Errors.Unreachable({ values: 3, detail: "Could not exchange values with tcp://10.0.0.7:40211 (Connect): connect EHOSTUNREACH 10.0.0.7:40211" })),
  SKEIN2001: connect("Refused", "tcp://127.0.0.1:8786", "nothing listens there, 8 tries in 30 s"),
  SKEIN2002: connect("Tls", scheduler),
  SKEIN2004: connect("Version", scheduler, "          session protocol\n  here    3\n  there   4"),
  SKEIN2005: connect("Unauthorized", scheduler, "The token is not the cluster's, or this role may not connect here. Pass the token that the cluster was started with."),
  SKEIN2006: connect("Timeout", scheduler, "no answer, 1 try in 30 s"),
  SKEIN2007: connect("Dns", "tcp://shceduler:8786"),
  SKEIN2008: connect("BadAddress", "8786", "a host and a port are wanted"),
  SKEIN2009: connect("BadOption", scheduler, "`timeout` is a length of time, such as \"30 seconds\""),
  SKEIN2010: Failure.SchedulerLost.at(scheduler).message,
  SKEIN3000: task(new Failure.TaskDefect({
    cause: new TypeError("x is not iterable"),
    remoteStack: "TypeError: x is not iterable\n    at load (file:///home/ann/tasks.ts:12:9)",
    worker: "worker-1",
    attempts: []
  })),
  SKEIN3001: task(new Failure.NoEligibleWorker({ wanted: "{ GPU: 2 }", offers: ["worker-0 { }", "worker-1 { GPU: 1 }"] })),
  SKEIN3002: task(new Failure.KilledWorker({ attempts: [attempt, { ...attempt, worker: "worker-0", ended: "memory-limit", detail: "95 % of its memory limit" }] })),
  SKEIN3003: task(new Failure.TaskCancelled({ by: "etl-nightly", note: Option.some("superseded"), atMs: Date.UTC(2026, 10, 21, 14, 3, 7) })),
  SKEIN3004: BlockedLoop.warning("worker-1", ["hashAll"], 12_400),
  SKEIN3005: task(new Failure.TaskTimeout({ limit: Duration.seconds(30), attempts: [{ ...attempt, ended: "timeout", detail: "30 s" }] })),
  SKEIN3006: task(new Failure.DataLost()),
  SKEIN4001: unknown("late", { _tag: "NotMade", module: "file:///home/ann/main.ts", start: { url: "file:///home/ann/main.ts", line: 19, column: 3 } }),
  SKEIN4002: unknown("resize", {
    _tag: "ModuleFailed",
    module: "file:///home/ann/tasks.ts",
    failed: new ModuleFailed({ url: "file:///home/ann/tasks.ts", cause: undefined, unsupported: { place: "file:///home/ann/tasks.ts:3", syntax: "TypeScript enum" } })
  }),
  SKEIN4003: Errors.ClusterError.because("BadOption", { option: "worker", detail: "`worker` is unknown; did you mean `workers`?" }).message,
  SKEIN4004: Errors.ClusterError.because("PortTaken", { detail: "127.0.0.1:8786 is in use\n  fix  another port (`schedulerPort`, `--port`), or 0 for any that is free" }).message,
  SKEIN4005: Errors.ClusterError.because("WorkersFailed", { detail: "the scheduler has ended" }).message,
  SKEIN4006: Errors.ClusterError.because("Unsupported", { option: "adapt" }).message,
  SKEIN4007: Errors.ClusterError.because("Timeout", { detail: "fewer than 4 workers came within 30s; see whether they start, or wait longer" }).message,
  SKEIN5001: new Simulation.Deadlock({ seed: 7, atMs: 3_600_000, waiting: ["worker-0: a fiber waits at tasks.ts:12"] }).message,
  SKEIN5002: new Simulation.EscapedSimulation({ what: "Date.now", where: "load (tasks.ts:12:9) in the process worker-0", instead: "use Clock.currentTimeMillis" }).message
}
