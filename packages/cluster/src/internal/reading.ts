/**
 * How options are read, whichever they are: one that is unknown, not there yet
 * or wrong is told by its name and what to do about it, before anything starts.
 */
import * as Duration from "effect/Duration"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { suggestion } from "@skein/protocol/Suggestion"
import type { Machine } from "../Machine.ts"

/** What is wrong: the option, and words that go on after its name. */
export interface Wrong {
  readonly option: string
  readonly why: string
}

export const wrong = (option: string, why: string): Result.Result<never, Wrong> => Result.fail({ option, why })

/** Puts the name of the option that holds these before theirs. */
export const within = (outer: string) => ({ option, why }: Wrong): Wrong => ({ option: option === ALL ? outer : `${outer}.${option}`, why })

/** The name of what holds the options, as long as no other option does. */
const ALL = "options"

/** Refuses the first option that is not among those known. `later`: what other releases will know, of which the message says so. */
export const checkNames = (options: object, known: ReadonlyArray<string>, later: ReadonlyArray<string>): Result.Result<void, Wrong> => {
  if (typeof options !== "object" || options === null) return wrong(ALL, "must be an object")
  for (const [option, value] of Object.entries(options)) {
    if (value === undefined || known.includes(option)) continue
    return wrong(option, later.includes(option) ? "is not in this release yet; leave it out" : `is unknown${suggestion(option, known)}`)
  }
  return Result.succeed(undefined)
}

/** A number of workers, threads, fibers or failures. */
export const count = (option: string, value: number, least: number): Result.Result<number, Wrong> =>
  Number.isSafeInteger(value) && value >= least && value <= 10_000
    ? Result.succeed(value)
    : wrong(option, `must be a whole number from ${least} to 10,000, got ${value}`)

/** Milliseconds; undefined if nobody said it. */
export const millis = (option: string, value: Duration.Input | undefined): Result.Result<number | undefined, Wrong> => {
  if (value === undefined) return Result.succeed(undefined)
  const duration = Duration.fromInput(value)
  const ms = Option.isSome(duration) ? Duration.toMillis(duration.value) : 0
  return ms > 0 && Number.isFinite(ms) ? Result.succeed(ms) : wrong(option, "must be a length of time above 0, such as \"30 seconds\"")
}

export const port = (option: string, value: number): Result.Result<number, Wrong> =>
  Number.isInteger(value) && value >= 0 && value <= 65_535 ? Result.succeed(value) : wrong(option, `must be a port from 0 to 65,535, got ${value}`)

/** A text that says something. */
export const text = (option: string, value: string | undefined): Result.Result<string | undefined, Wrong> =>
  value === undefined || (typeof value === "string" && value !== "" && value.length <= 4_096) ? Result.succeed(value) : wrong(option, "must be a text of 1 to 4,096 characters")

/** The address to bind, from `host` or `interface`; undefined if nobody said it. */
export const boundHost = (
  options: { readonly host?: string; readonly interface?: string },
  { interfaces }: Machine
): Result.Result<string | undefined, Wrong> => {
  const { host, interface: name } = options
  if (name === undefined) {
    return host === undefined || (typeof host === "string" && /^[\w.:%-]+$/.test(host)) ? Result.succeed(host) : wrong("host", "must name an address, such as 127.0.0.1")
  }
  if (host !== undefined) return wrong("interface", "says which address to bind, and so does `host`: leave one of them out")
  const addresses = interfaces[name] ?? []
  const address = addresses.find((address) => !address.includes(":")) ?? addresses[0]
  return address === undefined
    ? wrong("interface", `must be a network interface of this machine; there are ${Object.keys(interfaces).join(", ")}`)
    : Result.succeed(address)
}

/** Modules, imported by the worker: every exported `Task.fn` and every exported layer of contracts counts. Or such a layer, which each worker builds afresh. */
export type Tasks<E = never, R = never> = URL | string | ReadonlyArray<URL | string> | Layer.Layer<never, E, R>

/** Tasks, told apart: a layer, or URLs of modules. */
export interface ReadTasks<E, R> {
  readonly modules: ReadonlyArray<string>
  readonly layer: Layer.Layer<never, E, R> | undefined
}

/** Paths are meant from the working directory. */
export const readTasks = <E, R>(tasks: Tasks<E, R> | undefined, { folder }: Machine): Result.Result<ReadTasks<E, R>, Wrong> => {
  // What a layer provides beside its contracts is of no interest here.
  if (Layer.isLayer(tasks)) return Result.succeed({ modules: [], layer: tasks as Layer.Layer<never, E, R> })
  if (tasks === undefined) return Result.succeed({ modules: [], layer: undefined })
  const modules: Array<string> = []
  for (const task of Array.isArray(tasks) ? tasks as ReadonlyArray<URL | string> : [tasks as URL | string]) {
    const url = typeof task === "string" ? (URL.canParse(task) ? new URL(task) : new URL(task, folder)) : task
    if (!(url instanceof URL) || url.protocol !== "file:") return wrong("tasks", `must be files, got ${url instanceof URL ? url.href : typeof url}`)
    modules.push(url.href)
  }
  return Result.succeed({ modules, layer: undefined })
}
