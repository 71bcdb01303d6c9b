/**
 * What can go wrong before a task exists: in a submission, in a connection, in
 * the setting up of a cluster. What becomes of a task is in Failure.ts.
 *
 * Every message says what, why, and what to do about it.
 */
import * as Schema from "effect/Schema"
import { awaitedInBatchCode, clusterCodes, connectCodes, submitCodes } from "./ErrorCodes.ts"
import { notShippable } from "./internal/notShippable.ts"
import { KeyConflict, Overloaded, SchedulerLost, showPath } from "./Failure.ts"

// Reasons of both kinds of error.
export { KeyConflict, Overloaded, SchedulerLost }

/**
 * A worker could not make the function anew: it uses names that it does not carry, or is such that its text does not tell what it does.
 * Why, and where, is for its text to say.
 */
export class NotShippable extends Schema.TaggedError<NotShippable>()("NotShippable", {
  /** What it takes from outside itself; none if its text says nothing of it. */
  names: Schema.Array(Schema.String),
  /** Another reason than names. */
  why: Schema.optionalKey(Schema.Literals([
    "same text", "built in", "bound", "class", "generator", "accessor", "unreadable", "needs a module", "one of several"
  ])),
  /** More of the reason, in words. */
  detail: Schema.optionalKey(Schema.String),
  /** Its name, or its task's. */
  task: Schema.optionalKey(Schema.String),
  /** Where the names are, and the lines that they are in. */
  frame: Schema.optionalKey(Schema.Array(Schema.String))
}) {
  override get message() {
    return notShippable(this)
  }
}

/** A payload or argument is not what the task takes, or cannot travel. */
export class PayloadInvalid extends Schema.TaggedError<PayloadInvalid>()("PayloadInvalid", {
  path: Schema.Array(Schema.String),
  expected: Schema.String,
  /** The task's name. */
  task: Schema.optionalKey(Schema.String),
  /** It is a contract's payload. Where that was made: a URL, line and column; "" if that is not known. */
  contract: Schema.optionalKey(Schema.String)
}) {
  override get message() {
    const what = this.task === undefined ? "the arguments are not valid" : this.contract === undefined ? `the arguments of ${this.task} are not valid` : `the payload of ${this.task} is not valid`
    const where = this.contract === undefined || this.contract === "" ? "" : `\n  contract: ${this.contract}`
    const head = `${what}\n  at ${showPath(this.path)}: expected ${this.expected}${where}\n`
    if (!/^data, found /.test(this.expected)) return `${head}  fix  give it what ${this.contract === undefined ? "is expected" : "its contract takes"}`
    return `${head}  Arguments are copied to another process, so they must be data: values, not things with behaviour.\n` +
      (/not registered\)$/.test(this.expected)
        ? "  fix 1  send the data it is made of\n  fix 2  say how instances travel, in a module that workers import too: `Portable.register(TheClass, schema)`"
        : "  fix  send the data it is made of")
  }
}

/** The future belongs to another client. */
export class ForeignFuture extends Schema.TaggedError<ForeignFuture>()("ForeignFuture", {
  key: Schema.String,
  cluster: Schema.String
}) {
  override get message() {
    return `the future "${this.key}" belongs to a client of ${this.cluster}, and was passed to another\n` +
      "  fix  gather it there first, and scatter its value here"
  }
}

/** The future has been released, so its value may be gone. */
export class FutureReleased extends Schema.TaggedError<FutureReleased>()("FutureReleased", { key: Schema.String }) {
  override get message() {
    return `the future "${this.key}" has been released\n  fix  submit the task again, or release its future later`
  }
}

/** One task's arguments are too large to stand in a graph, or what is said in `where`. `bytes`: what they take; at least `limitBytes`. */
export class TooLarge extends Schema.TaggedError<TooLarge>()("TooLarge", {
  bytes: Schema.Number,
  limitBytes: Schema.Number,
  /** The argument that takes the most: its path, and what it takes by itself. */
  largest: Schema.optionalKey(Schema.Struct({ path: Schema.Array(Schema.String), bytes: Schema.Number })),
  /** What is too large. @default the arguments of one task */
  where: Schema.optionalKey(Schema.Literals(["scattered"]))
}) {
  override get message() {
    if (this.where === "scattered") {
      return `a scattered value takes more than ${mebibytes(this.limitBytes)}, which is the limit\n  fix  scatter it in pieces: \`client.scatterAll(pieces)\``
    }
    const largest = this.largest === undefined ? "" : `\n  at ${showPath(this.largest.path)}: ${mebibytes(this.largest.bytes)}`
    return `the arguments take ${mebibytes(this.bytes)}, ${mebibytes(this.limitBytes)} is the limit${largest}\n` +
      "  Everything in a graph is kept by the scheduler and sent with every attempt.\n" +
      "  fix 1  send it once, to a worker, and pass the future: `client.submit(task, yield* client.scatter(data))`\n" +
      "  fix 2  have a task make or load the data, and pass its future"
  }
}

/** Values that were scattered have reached no worker. */
export class Unreachable extends Schema.TaggedError<Unreachable>()("Unreachable", {
  /** How many. */
  values: Schema.Number,
  /** What was met last, in words. */
  detail: Schema.String
}) {
  override get message() {
    return `${this.values === 1 ? "a scattered value has" : `${this.values} scattered values have`} reached no worker\n  ${this.detail}\n` +
      "  Scattered values go to workers directly, not through the scheduler.\n" +
      "  fix 1  let this machine connect to the addresses that `client.inspect.workers` shows\n" +
      "  fix 2  have a task make or load the data, and pass its future"
  }
}

/** This client may not do this. */
export class Unauthorized extends Schema.TaggedError<Unauthorized>()("Unauthorized", { what: Schema.String }) {
  override get message() {
    return `this client may not ${this.what}\n  fix  connect with a token that may`
  }
}

/** No dataset, actor or other named thing is called so. */
export class NameUnknown extends Schema.TaggedError<NameUnknown>()("NameUnknown", { name: Schema.String }) {
  override get message() {
    return `nothing is called "${this.name}"\n  fix  create it first, or look at the name again`
  }
}

/** The client's scope has ended. */
export class ClientClosed extends Schema.TaggedError<ClientClosed>()("ClientClosed", {}) {
  override get message() {
    return "this client is closed: the layer that made it has ended\n  fix  submit within `Effect.provide(Client.layer(…))`"
  }
}

/** An option has a value it cannot have, or is not supported by this version. Thrown by definitions, a reason of submissions. */
export class BadOption extends Schema.TaggedError<BadOption>()("BadOption", {
  option: Schema.String,
  expected: Schema.String
}) {
  override get message() {
    return `the option \`${this.option}\` is not valid: expected ${this.expected}\n  fix  change or remove it`
  }
}

/** A defect: what a batch submits was awaited inside the batch. */
export class AwaitedInBatch extends Schema.TaggedError<AwaitedInBatch>()("AwaitedInBatch", {
  /** The documented SKEINnnnn. */
  code: Schema.String,
  key: Schema.String
}) {
  override get message() {
    return `${this.code} "${this.key}" was awaited inside the batch that submits it\n` +
      "  A batch is sent when its effect is over, so this would have waited for ever.\n" +
      "  fix 1  return the future from the batch, and await it after that\n" +
      "  fix 2  submit what has to be known first before the batch"
  }

  /** With the code that belongs to it. */
  static of(key: string): AwaitedInBatch {
    return new AwaitedInBatch({ code: awaitedInBatchCode, key })
  }
}

const SubmitReason = Schema.Union([
  PayloadInvalid, NotShippable, KeyConflict, ForeignFuture, FutureReleased, TooLarge, Overloaded, Unauthorized, NameUnknown, ClientClosed,
  SchedulerLost, BadOption, Unreachable
])
export type SubmitReason = typeof SubmitReason.Type

/** Raised before anything is sent, except for the reasons Overloaded, Unauthorized, NameUnknown, ClientClosed, SchedulerLost and Unreachable. */
export class SubmitError extends Schema.TaggedError<SubmitError>()("SubmitError", {
  /** The documented SKEINnnnn. */
  code: Schema.String,
  reason: SubmitReason
}) {
  override get message() {
    return `${this.code} ${this.reason.message}`
  }

  /** With the code that belongs to the reason. */
  static because(reason: SubmitReason): SubmitError {
    return new SubmitError({ code: submitCodes[reason._tag], reason })
  }
}

const ConnectReason = Schema.Literals(["Refused", "Tls", "Unauthorized", "Version", "Timeout", "Dns", "BadAddress", "BadOption"])
export type ConnectReason = typeof ConnectReason.Type

/** There is no session with the scheduler at `address`. */
export class ConnectError extends Schema.TaggedError<ConnectError>()("ConnectError", {
  /** The documented SKEINnnnn. */
  code: Schema.String,
  address: Schema.String,
  reason: ConnectReason,
  /** What was met, in words. */
  detail: Schema.optionalKey(Schema.String)
}) {
  override get message() {
    const { fix, what } = connectWords[this.reason]
    // A table stands in lines of its own.
    const detail = this.detail === undefined ? "" : this.detail.includes("\n") ? `\n${this.detail}` : ` (${this.detail})`
    return `${this.code} ${what(this.address)}${detail}\n  fix  ${fix}`
  }

  /** With the code that belongs to the reason. */
  static because(reason: ConnectReason, address: string, detail?: string): ConnectError {
    return new ConnectError({ code: connectCodes[reason], address, reason, ...(detail === undefined ? {} : { detail }) })
  }
}

const ClusterReason = Schema.Literals(["PortTaken", "WorkersFailed", "BadOption", "Unsupported", "Timeout"])
export type ClusterReason = typeof ClusterReason.Type

/** A cluster cannot be set up or changed as asked. `option`: the one that "BadOption" is about. */
export class ClusterError extends Schema.TaggedError<ClusterError>()("ClusterError", {
  /** The documented SKEINnnnn. */
  code: Schema.String,
  reason: ClusterReason,
  option: Schema.optionalKey(Schema.String),
  /** What was met, in words, and what to do about it. */
  detail: Schema.optionalKey(Schema.String)
}) {
  override get message() {
    return `${this.code} ${clusterWords[this.reason](this.option)}${this.detail === undefined ? "" : `\n  ${this.detail}`}`
  }

  /** With the code that belongs to the reason. */
  static because(reason: ClusterReason, more: { readonly option?: string; readonly detail?: string } = {}): ClusterError {
    return new ClusterError({ code: clusterCodes[reason], reason, ...more })
  }
}

const connectWords: Readonly<Record<ConnectReason, { readonly what: (address: string) => string; readonly fix: string }>> = {
  Refused: { what: (address) => `no scheduler at ${address}`, fix: "start one, `skein scheduler`, or correct the address" },
  Tls: { what: (address) => `${address} and this client do not agree on TLS`, fix: "an address that begins with tls://, and the certificates of the cluster" },
  Unauthorized: { what: (address) => `the scheduler at ${address} does not accept this client's token`, fix: "the `token` that the scheduler was started with (`--token-file`), or the file that it wrote (`schedulerFile`, `--scheduler-file`)" },
  Version: { what: (address) => `this client and the scheduler at ${address} do not speak the same protocol`, fix: "the same version of skein on both sides: upgrade the older one" },
  Timeout: { what: (address) => `the scheduler at ${address} did not answer in time`, fix: "a longer `timeout`, or see whether it is alive" },
  Dns: { what: (address) => `the host of ${address} is not known`, fix: "correct the host's name" },
  BadAddress: {
    what: (address) => address === "" ? "no address was given" : `"${address}" is no address`,
    fix: "`host:8786`, `tcp://host:8786` or `unix:/path`; for a cluster of your own, `LocalCluster.layer()` or `Client.layerAuto()`"
  },
  BadOption: { what: () => "an option of the client is not valid", fix: "change or remove it" }
}

const clusterWords: Readonly<Record<ClusterReason, (option: string | undefined) => string>> = {
  PortTaken: () => "the port is taken by another program",
  WorkersFailed: () => "the workers do not start",
  BadOption: (option) => `the option \`${option ?? "?"}\` is not valid`,
  Unsupported: (option) => option === undefined ? "this cluster cannot do that" : `this cluster has no \`${option}\``,
  Timeout: () => "it took too long"
}

const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`
