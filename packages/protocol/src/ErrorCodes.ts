/**
 * The code of every error a user can meet, in one place.
 *
 * A code names one kind of mistake for ever and is never used for another.
 * 1xxx: what was submitted; 2xxx: the connection; 3xxx: what became of a task;
 * 4xxx: how a cluster is set up; 5xxx: simulation.
 *
 * Some kinds have two names, for the client may see a mistake before it sends
 * anything (`SubmitError`) or the scheduler after (`TaskError`): same mistake, same code.
 */

/** Reasons of `SubmitError`. */
export const submitCodes = {
  NotShippable: "SKEIN1001",
  PayloadInvalid: "SKEIN1003",
  ForeignFuture: "SKEIN1005",
  TooLarge: "SKEIN1006",
  KeyConflict: "SKEIN1007",
  FutureReleased: "SKEIN1008",
  Overloaded: "SKEIN1009",
  Unauthorized: "SKEIN1010",
  NameUnknown: "SKEIN1011",
  ClientClosed: "SKEIN1012",
  BadOption: "SKEIN1013",
  Unreachable: "SKEIN1016",
  SchedulerLost: "SKEIN2010"
} as const

/** A defect: something was awaited inside the batch that submits it. */
export const awaitedInBatchCode = "SKEIN1014"

/** Reasons of `ConnectError`. 2003 is the second kind of TLS mistake, a certificate for another name. */
export const connectCodes = {
  Refused: "SKEIN2001",
  Tls: "SKEIN2002",
  Version: "SKEIN2004",
  Unauthorized: "SKEIN2005",
  Timeout: "SKEIN2006",
  Dns: "SKEIN2007",
  BadAddress: "SKEIN2008",
  BadOption: "SKEIN2009"
} as const

/** Reasons of `TaskError`. 3004 is a warning about a blocked event loop. */
export const taskCodes = {
  TaskDefect: "SKEIN3000",
  NoEligibleWorker: "SKEIN3001",
  KilledWorker: "SKEIN3002",
  TaskCancelled: "SKEIN3003",
  TaskTimeout: "SKEIN3005",
  DataLost: "SKEIN3006",
  ResultInvalid: "SKEIN1004",
  KeyConflict: "SKEIN1007",
  Overloaded: "SKEIN1009",
  SchedulerLost: "SKEIN2010"
} as const

/** What a worker says with a `TaskDefect` that could not run the task at all: `TaskError` has these codes then. */
export const codeUnknownCodes = {
  Unknown: "SKEIN1002",
  Services: "SKEIN1015",
  AfterStart: "SKEIN4001",
  Syntax: "SKEIN4002"
} as const

/** Reasons of `ClusterError`. */
export const clusterCodes = {
  BadOption: "SKEIN4003",
  PortTaken: "SKEIN4004",
  WorkersFailed: "SKEIN4005",
  Unsupported: "SKEIN4006",
  Timeout: "SKEIN4007"
} as const

/** Ends of simulated runs: of one that cannot go on or is not done in time, and of one that reached for the real world. */
export const simulationCodes = {
  Stuck: "SKEIN5001",
  Escaped: "SKEIN5002"
} as const
