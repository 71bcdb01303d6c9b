/**
 * What a worker is told when it starts.
 *
 * Read once, at the edge: as JSON on the standard input of the worker's
 * process, which is where a token belongs (a command line is visible to
 * every user of the machine), or as an object where workers are fibers. After
 * that nothing asks the environment.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { ProcessId } from "@skein/protocol/Ids"
import { Resources } from "@skein/protocol/Resources"

const Count = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10_000 }))
const Millis = Schema.Finite.check(Schema.isGreaterThan(0))
const orElse = <A>(value: A) => Effect.succeed(value)

export const WorkerConfig = Schema.Struct({
  /** For people; the same for every incarnation and every life of the process. */
  name: Schema.String,
  /** This life of the process; its nanny draws it, and names it in the exit report. */
  process: ProcessId,
  /** The nanny's name; null: nobody watches the process. */
  nanny: Schema.NullOr(Schema.String),
  /** Where the scheduler listens. */
  scheduler: Schema.String,
  /** The cluster's token; null: none. */
  token: Schema.NullOr(Schema.String),
  /** Where to listen for peers and clients that fetch results; a TCP port of 0 is any free one. */
  listen: Schema.String,
  /** What peers and clients are told to dial, where they reach the worker by another way; null: where it listens. @default none */
  contact: Schema.NullOr(Schema.String).pipe(Schema.withDecodingDefault(orElse(null))),
  /** The machine's name, or what others call it. */
  host: Schema.String,
  /** Plain functions in progress at once. */
  nthreads: Count,
  /** Effects and async functions in progress at once, counted apart from threads. */
  nfibers: Count,
  /** What it offers to tasks that ask for it, e.g. `{ GPU: 2 }`. @default none */
  resources: Resources.pipe(Schema.withDecodingDefault(orElse({}))),
  /** How much memory its process may take, in bytes; null: no limit. Its nanny sees to that; the worker only says it. @default none */
  memoryLimitBytes: Schema.NullOr(Schema.Finite.check(Schema.isGreaterThan(0))).pipe(Schema.withDecodingDefault(orElse(null))),
  /** Below which level it logs nothing. @default "Info" */
  logLevel: Schema.Literals(["Debug", "Info"]).pipe(Schema.withDecodingDefault(orElse("Info" as const))),
  /** For the worker's own files. */
  localDirectory: Schema.String,
  /** URLs of modules to import before the first task: every exported task, and every exported layer of contracts, counts. @default none */
  tasks: Schema.Array(Schema.String).pipe(Schema.withDecodingDefault(orElse([]))),
  /** Whether functions may also come as source text from an authenticated client. @default "any" */
  code: Schema.Literals(["any", "modules-only"]).pipe(Schema.withDecodingDefault(orElse("any" as const))),
  /** How long a session whose connection broke may be resumed, in milliseconds; no longer than the scheduler allows. @default 5000 */
  resumeMs: Millis.pipe(Schema.withDecodingDefault(orElse(5_000))),
  /** How long to look for a scheduler, at first and after a session ended, before the worker gives up, in milliseconds. @default 30000 */
  connectMs: Millis.pipe(Schema.withDecodingDefault(orElse(30_000))),
  /** The same for the first time alone, in milliseconds; null: no less than later. @default none */
  firstConnectMs: Schema.NullOr(Millis).pipe(Schema.withDecodingDefault(orElse(null))),
  /** How often its session says that it is alive, in milliseconds; in a large cluster the scheduler asks for less. @default 1000 */
  beatMs: Millis.pipe(Schema.withDecodingDefault(orElse(1_000))),
  /** Connections to other workers that are open at once. @default 512 */
  connectionLimit: Count.pipe(Schema.withDecodingDefault(orElse(512))),
  /** How often the process's load is looked at, and reported if it has changed notably, in milliseconds; in a large cluster as seldom as its sessions beat. @default 1000 */
  loadEveryMs: Millis.pipe(Schema.withDecodingDefault(orElse(1_000))),
  /** Requests for results that are served at once; further ones are told that this worker is busy. @default 32 */
  servedAtOnce: Count.pipe(Schema.withDecodingDefault(orElse(32)))
})
/** As the worker reads it. */
export type WorkerConfig = typeof WorkerConfig.Type
/** As it is written: what has a default may be left out. */
export type WorkerConfigEncoded = typeof WorkerConfig.Encoded

/** Reads what a nanny wrote for its child: the configuration, less what the nanny knows better. */
export const decode = (input: { readonly process: ProcessId; readonly name: string; readonly config: unknown }): Effect.Effect<WorkerConfig, Schema.SchemaError> =>
  Schema.decodeUnknownEffect(WorkerConfig)({
    ...(typeof input.config === "object" ? input.config : {}),
    process: input.process,
    name: input.name
  })

/** Fills in the defaults. Throws if the configuration is wrong. */
export const make = (config: WorkerConfigEncoded): WorkerConfig => Schema.decodeSync(WorkerConfig)(config)
