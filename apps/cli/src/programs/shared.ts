/**
 * What programs of several commands do alike.
 */
import { existsSync, readdirSync, statSync } from "node:fs"
import { basename, dirname, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import type * as Result from "effect/Result"
import { closest } from "@skein/protocol/Suggestion"
import { Refused } from "../exits.ts"

/** An option that is wrong, by the name of its flag. */
export const wellSaid = <A>(read: Result.Result<A, { readonly option: string; readonly why: string }>): Effect.Effect<A, Refused> =>
  Effect.mapError(Effect.fromResult(read), ({ option, why }) => new Refused({ message: `--${kebab(option)} ${why}` }))

const kebab = (option: string): string => option === "token" ? "token-file" : option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)

/** The URL of a module that is there, or else the one that may have been meant. */
export const moduleUrl = (path: string): Effect.Effect<string, Refused> =>
  Effect.suspend(() => {
    const full = resolve(path)
    if (existsSync(full) && statSync(full).isFile()) return Effect.succeed(pathToFileURL(full).href)
    const others = existsSync(dirname(full)) ? readdirSync(dirname(full)).filter((name) => /\.[cm]?[jt]s$/.test(name)) : []
    const meant = closest(basename(full), others)
    return Effect.fail(new Refused({ message: `there is no file ${path}${meant === undefined ? ` in ${process.cwd()}` : `\n  Did you mean ${meant}?`}` }))
  })

export const moduleUrls = (paths: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<string>, Refused> => Effect.forEach(paths, moduleUrl)

export interface WhereFlags {
  /** As an argument. */
  readonly scheduler?: Option.Option<string>
  readonly address: Option.Option<string>
  readonly schedulerFile: Option.Option<string>
  readonly tokenFile: Option.Option<Redacted.Redacted<string>>
}

export interface Where {
  readonly address?: string
  readonly schedulerFile?: string
  readonly token?: Redacted.Redacted<string>
}

/** Where the scheduler is: as the command line says it or, if that says nothing, the environment. None if neither does. */
export const saidWhere = (flags: WhereFlags): Effect.Effect<Option.Option<Where>, Refused> =>
  Effect.suspend(() => {
    const said = ([["address", flags.scheduler ?? Option.none()], ["address", flags.address], ["schedulerFile", flags.schedulerFile]] as const)
      .flatMap(([name, value]) => Option.isSome(value) ? [{ [name]: value.value }] : [])
    if (said.length > 1) return Effect.fail(new Refused({ message: "where the scheduler is was said twice: give one of ADDRESS, --address and --scheduler-file" }))
    const around = [["address", process.env["SKEIN_SCHEDULER_ADDRESS"]], ["schedulerFile", process.env["SKEIN_SCHEDULER_FILE"]]] as const
    const found = said[0] ?? around.flatMap(([name, value]) => value === undefined || value === "" ? [] : [{ [name]: value }])[0]
    return Effect.succeed(Option.map(Option.fromUndefinedOr(found), (where) => ({ ...where, ...(Option.isSome(flags.tokenFile) ? { token: flags.tokenFile.value } : {}) })))
  })

/** The same for those who need a scheduler. `how`: the ways to say it. */
export const whereOf = (flags: WhereFlags, how: string): Effect.Effect<Where, Refused> =>
  Effect.flatMap(saidWhere(flags), Option.match({ onNone: () => Effect.fail(new Refused({ message: `where is the scheduler?\n  fix  ${how}` })), onSome: Effect.succeed }))

/** What flags call threads and fibers belongs to each worker of a cluster. */
export const localOptions = <A extends { readonly threads?: number; readonly fibers?: number }>({ fibers, threads, ...others }: A) => ({
  ...others,
  ...(threads === undefined ? {} : { threadsPerWorker: threads }),
  ...(fibers === undefined ? {} : { fibersPerWorker: fibers })
})
