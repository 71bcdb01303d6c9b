/**
 * Flags that several commands have.
 *
 * Here and in commands/ stands only what `--help` and the reading of a command
 * line need; what commands do is in programs/, and is loaded when it is done.
 * So help comes at once, and a mistake is told at once.
 */
import * as Argument from "effect/cli/Argument"
import * as Flag from "effect/cli/Flag"
import * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"

/** The cluster's token. From a file or the environment, because a command line is visible to every user of the machine. */
export const tokenFile = Flag.FileText("token-file").pipe(
  Flag.filterMap(
    (text) => text.trim() === "" ? Option.none() : Option.some(Redacted.make(text.trim())),
    () => "the file is empty; it must hold the cluster's token"
  ),
  Flag.withMetavar("FILE"),
  Flag.withDescription("File that holds the cluster's token, and nobody else may read [default: none; env SKEIN_TOKEN holds the token itself]"),
  Flag.withFallbackConfig(Config.Redacted("SKEIN_TOKEN")),
  Flag.optional
)

/** Where a scheduler listens. */
export const address = Flag.String("address").pipe(
  Flag.withMetavar("ADDRESS"),
  Flag.withDescription("Where the scheduler listens: host:port, tcp://host:port or unix:/path [env SKEIN_SCHEDULER_ADDRESS]"),
  Flag.optional
)

/** The same, and its token, from the file that it wrote. */
export const findBy = Flag.String("scheduler-file").pipe(
  Flag.withMetavar("FILE"),
  Flag.withDescription("The file that the scheduler wrote, with its address and token; waited for if it is not there yet [env SKEIN_SCHEDULER_FILE]"),
  Flag.optional
)

/** Where a scheduler is to write such a file. */
export const writeTo = Flag.String("scheduler-file").pipe(
  Flag.withMetavar("FILE"),
  Flag.withDescription("Write the address, and the token if there is one, to this file, which nobody else can read; removed at the end [default: none]"),
  Flag.optional
)

export const json = Flag.Boolean("json").pipe(Flag.withDefault(false))

/** A length of time, in words or as Dask's users write it. */
export const duration = (name: string): Flag.Flag<Duration.Duration> =>
  Flag.String(name).pipe(
    Flag.withMetavar("TIME"),
    Flag.filterMap(readDuration, (text) => `a length of time above 0, such as "30 seconds" or 30s, and not ${JSON.stringify(text)}`)
  )

const readDuration = (text: string): Option.Option<Duration.Duration> => {
  const [, amount, unit] = /^\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)\s*$/.exec(text) ?? []
  const units: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
  // Whatever the text is, it is one that `fromInput` can refuse.
  const read = unit === undefined ? Duration.fromInput(text as Duration.Input) : Option.some(Duration.millis(Number(amount) * units[unit]!))
  return Option.filter(read, (duration) => Duration.toMillis(duration) > 0 && Duration.isFinite(duration))
}

/** Refuses a number outside of the range, ends included. */
export const within = (least: number, most: number): (flag: Flag.Flag<number>) => Flag.Flag<number> =>
  Flag.filter((n) => n >= least && n <= most, () => `a number from ${least} to ${most}`)

export const port = Flag.Int("port").pipe(within(0, 65_535))

export const host = Flag.String("host").pipe(Flag.withMetavar("HOST"))

/** By name, as the system names it. */
export const networkInterface = Flag.String("interface").pipe(
  Flag.withMetavar("NAME"),
  Flag.withDescription("Bind the address of this network interface, such as eth0, instead of --host [default: none]"),
  Flag.optional
)

export const protocol = Flag.Literals("protocol", ["tcp", "unix"])

/** What a worker offers: `GPU=1,disk=0.5`, and as often as one likes. */
export const resources = Flag.String("resources").pipe(
  Flag.withMetavar("NAME=NUMBER,…"),
  Flag.filterMap((text) => {
    const pairs = text.split(",").map((pair) => /^\s*([^=\s][^=]*?)\s*=\s*(\d+(?:\.\d+)?(?:e\d+)?)\s*$/.exec(pair))
    return pairs.every((pair) => pair !== null)
      ? Option.some(Object.fromEntries(pairs.map(([, name, number]) => [name!, Number(number)])))
      : Option.none()
  }, (text) => `names and numbers, such as GPU=1,memory=4e9, and not ${text}`),
  Flag.withDescription("What each worker offers to tasks that ask for it [default: nothing]"),
  Flag.optional
)

export const workers = (description: string) => Flag.Int("workers").pipe(within(0, 10_000), Flag.withMetavar("N"), Flag.withDescription(description), Flag.optional)

export const threads = Flag.Int("threads").pipe(
  within(1, 10_000),
  Flag.withMetavar("N"),
  Flag.withDescription("Plain functions that each worker runs at once [default: the cores, shared among the workers]"),
  Flag.optional
)

export const fibers = Flag.Int("fibers").pipe(
  within(1, 10_000),
  Flag.withMetavar("N"),
  Flag.withDescription("Effects and async functions that each worker runs at once, counted apart [default: 16 for each thread]"),
  Flag.optional
)

export const memoryLimit = Flag.String("memory-limit").pipe(
  Flag.withMetavar("BYTES"),
  Flag.withDescription("Memory of each worker, which is ended at 95 % of it: bytes, 2GiB, a fraction of the machine's up to 1, auto (an even share), or 0 for no limit [default: auto]"),
  Flag.optional
)

export const tasks = Flag.String("tasks").pipe(
  Flag.withMetavar("FILE"),
  Flag.withDescription("A module that workers import for its tasks; as often as there are modules [default: none]"),
  Flag.atLeast(0)
)

/** The program's own arguments, after `--`. */
export const rest = Argument.String("ARGS").pipe(Argument.variadic())

/** Only what was said: options that are left out have their own defaults. */
export const given = <const A extends Readonly<Record<string, unknown>>>(flags: A): { [K in keyof A]?: A[K] extends Option.Option<infer B> ? B : A[K] } => {
  const said: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(flags)) {
    if (!Option.isOption(value)) said[name] = value
    else if (Option.isSome(value)) said[name] = value.value
  }
  // Each value is that of its flag, or missing.
  return said as { [K in keyof A]?: A[K] extends Option.Option<infer B> ? B : A[K] }
}
