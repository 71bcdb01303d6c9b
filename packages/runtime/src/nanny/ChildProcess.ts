/**
 * Child processes, as a service: what a nanny needs of the operating system.
 *
 * A child gets one line of JSON on its standard input and then its end, so
 * that no secret stands in its arguments or environment, where every user of
 * the machine can read it. It is the leader of a process group of its own:
 * what it starts is killed with it, and a Ctrl-C in the owner's terminal ends
 * it through its nanny, in order, and not on its own.
 *
 * A simulation gives another layer; the real one is node/NodeProcesses.ts.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"

export interface ProcessSpec {
  /** The module that the child runs: a file URL. */
  readonly entry: string
  /** Flags of Node itself, such as `--max-old-space-size=512`. */
  readonly nodeArgs: ReadonlyArray<string>
  /** The entries whose modules are kept together, so that each of them loads faster (node/Image.ts). None: modules are loaded one by one. */
  readonly image: ReadonlyArray<string>
  /** Added to what `allowedEnv` lets through. No secrets. */
  readonly env: Readonly<Record<string, string>>
  /** Written to its standard input, which then ends. */
  readonly input: string
}

/** Where a line of a child came from; `notices` is the extra descriptor 3, see Notices.ts. */
export type Source = "stdout" | "stderr" | "notices"

/** Exactly one of the two is there. */
export interface ProcessExit {
  readonly code: number | null
  readonly signal: string | null
}

export interface ChildProcess {
  readonly pid: number
  /** SIGKILL reaches the whole group, SIGTERM the child alone. One that is gone is no error. */
  readonly signal: (signal: "SIGTERM" | "SIGKILL") => Effect.Effect<void>
  /**
   * Completes when the process is gone and all lines of it have been handed
   * on; those of a grandchild that still holds a pipe are not waited for.
   */
  readonly exit: Effect.Effect<ProcessExit>
  /** Its memory; none where the system does not tell, and once it is gone. */
  readonly memory: Effect.Effect<Option.Option<ProcessMemory>>
}

/** Memory of a process that is the machine's own and not on disk, in bytes. */
export interface ProcessMemory {
  readonly bytes: number
  /** The most it has had so far. */
  readonly peakBytes: number
}

/** The operating system would not start the process. */
export class SpawnFailed extends Schema.TaggedError<SpawnFailed>()("SpawnFailed", {
  entry: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `could not start a process for ${this.entry}: ${this.detail}`
  }
}

/** Starts processes. */
export class ProcessSpawner extends Context.Service<ProcessSpawner, {
  /**
   * Starts one, and kills it with its group when the scope closes. `onLine` is
   * called for each line as it comes and must not throw.
   */
  readonly spawn: (
    spec: ProcessSpec,
    onLine: (source: Source, line: string) => void
  ) => Effect.Effect<ChildProcess, SpawnFailed, Scope.Scope>
  /** The process that the children's watchdogs are to watch. */
  readonly ownPid: Effect.Effect<number>
}>()("@skein/runtime/nanny/ProcessSpawner") {}

/**
 * What a child may see of its owner's environment: PATH, HOME, TMPDIR, LANG,
 * and Node's own NODE_… except for those that tie a process to its parent.
 */
export const allowedEnv = (env: Readonly<Record<string, string | undefined>>): Record<string, string> => {
  const allowed: Record<string, string> = {}
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && isAllowed(name)) allowed[name] = value
  }
  return allowed
}

const isAllowed = (name: string): boolean =>
  ["PATH", "HOME", "TMPDIR", "LANG"].includes(name) ||
  (name.startsWith("NODE_") && !["NODE_UNIQUE_ID", "NODE_CHANNEL_FD", "NODE_CHANNEL_SERIALIZATION_MODE"].includes(name))
