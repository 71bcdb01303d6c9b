/**
 * What a scheduler is told when it starts.
 *
 * Read once, at the edge: as JSON on the standard input of the scheduler's
 * process, which is where a token belongs (a command line is visible to every
 * user of the machine), or as an object where the scheduler is a part of its
 * owner's process. After that nothing asks the environment.
 *
 * Times are milliseconds.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

const Count = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }))
const Millis = Schema.Finite.check(Schema.isGreaterThan(0))
const Port = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 65535 }))
const withDefault = <S extends Schema.Top>(schema: S, value: S["Encoded"]) =>
  schema.pipe(Schema.withDecodingDefaultKey(Effect.succeed(value)))

export const SchedulerConfig = Schema.Struct({
  /** Shown to those who connect. @default "scheduler" */
  name: withDefault(Schema.String, "scheduler"),
  /** What it listens on. @default "tcp" */
  protocol: withDefault(Schema.Literals(["tcp", "unix"]), "tcp"),
  /** With TCP: the address to bind. One beyond loopback needs a token. @default "127.0.0.1" */
  host: withDefault(Schema.String, "127.0.0.1"),
  /** With TCP; 0: any free port. @default 8786 */
  port: withDefault(Port, 8786),
  /** With a unix socket: its path, in a directory that nobody else can enter. @default none */
  path: withDefault(Schema.NullOr(Schema.String), null),
  /** What everybody who connects must show. @default none */
  token: withDefault(Schema.NullOr(Schema.RedactedFromValue(Schema.String)), null),
  /** Below which level it logs nothing. @default "Info" */
  logLevel: withDefault(Schema.Literals(["Debug", "Info"]), "Info"),
  /** Whether all invariants are checked after every batch; one that is broken ends the scheduler. Slow: each task is looked at each time. @default false */
  validate: withDefault(Schema.Boolean, false),
  /** How many workers a task may end while executing; one more, and it fails with `KilledWorker`. @default 3 */
  allowedFailures: withDefault(Count, 3),
  /** A peer that is connected but silent for so long has lost its connection, whose session it may then resume. @default 300000 */
  workerTtlMs: withDefault(Millis, 300_000),
  /** After so long without work it ends itself, also while clients are connected; half a minute at least until the first has come. null: never. @default none */
  idleTimeoutMs: withDefault(Schema.NullOr(Millis), null),
  /** Tasks that no connected worker can run for so long fail with `NoEligibleWorker`; null: they wait. @default none */
  noWorkersTimeoutMs: withDefault(Schema.NullOr(Millis), null),
  /** How long a worker's session may be without a connection before its tasks are placed elsewhere, at most: a worker may want less. @default 5000 */
  workerGraceMs: withDefault(Count, 5_000),
  /** How long a client's session may be without a connection before all it wanted is released. @default 60000 */
  clientGraceMs: withDefault(Count, 60_000),
  /** The same for nannies, whose exit reports wait meanwhile. @default 60000 */
  nannyGraceMs: withDefault(Count, 60_000),
  /** Sessions and connections at most; who comes beyond is told to come back later. @default 4096 */
  maxSessions: withDefault(Count, 4_096),
  /** Rows that may wait for one peer, beside what a single turn had to say. A peer that is further behind is cut off. @default 1000000 */
  outboxRows: withDefault(Count, 1_000_000)
})
export type SchedulerConfig = typeof SchedulerConfig.Type

/** A scheduler cannot start like this. */
export class BadSchedulerConfig extends Schema.TaggedError<BadSchedulerConfig>()("BadSchedulerConfig", {
  /** The field that is wrong. */
  option: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `The scheduler's option "${this.option}" ${this.detail}.`
  }
}

/** Reads a configuration and sees whether its parts fit together. */
export const decode = (input: unknown): Effect.Effect<SchedulerConfig, BadSchedulerConfig | Schema.SchemaError> =>
  Effect.flatMap(Schema.decodeUnknownEffect(SchedulerConfig)(input), (config) => {
    if (config.protocol === "unix" && config.path === null) {
      return Effect.fail(new BadSchedulerConfig({ option: "path", detail: "is missing: say where the unix socket shall be" }))
    }
    if (config.protocol === "tcp" && config.token === null && !isLoopback(config.host)) {
      return Effect.fail(
        new BadSchedulerConfig({
          option: "token",
          detail: `is missing: others can reach ${config.host}, and could run code on the workers. Give a token, or listen on 127.0.0.1`
        })
      )
    }
    return Effect.succeed(config)
  })

/** Whether only this machine can reach an address. A name other than "localhost" counts as not. */
export const isLoopback = (host: string): boolean => host === "localhost" || host === "::1" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host)
