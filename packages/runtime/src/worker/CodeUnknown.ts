/**
 * Why a worker cannot run a task, as its user reads it.
 *
 * The worker that looked for the code knows what was tried, and the text is put
 * together there: what travels is the text. It does not know what other workers
 * know.
 */
import * as Schema from "effect/Schema"
import { codeUnknownCodes } from "@skein/protocol/ErrorCodes"
import { describeThrown } from "@skein/protocol/Failure"
import type { Place } from "@skein/protocol/TaskImport"
import type { ModuleFailed } from "./Modules.ts"

/** The worker did not find the code of a task, or could not build what it needs. */
export class CodeUnknown extends Schema.TaggedError<CodeUnknown>()("CodeUnknown", {
  /** The documented SKEINnnnn. */
  code: Schema.Literals(Object.values(codeUnknownCodes)),
  task: Schema.String,
  worker: Schema.String,
  /** What, why and what to do, in lines. */
  detail: Schema.String
}) {
  override get message() {
    return `${this.code} ${this.detail}`
  }
}

/** What was tried in vain. Modules are URLs. */
export type Why =
  /** The import of its module is over, and has not made it; `start`: where a cluster was started in it. */
  | { readonly _tag: "NotMade"; readonly module: string; readonly start: Place | null }
  /** The import of its module goes on. */
  | { readonly _tag: "NotYet"; readonly module: string }
  | { readonly _tag: "ModuleFailed"; readonly module: string; readonly failed: ModuleFailed }
  /** `id`: the module's name on every machine. */
  | { readonly _tag: "NoSuchModule"; readonly id: string }
  /** Its text does not say everything, and nobody knows where it was made. */
  | { readonly _tag: "NoModule" }
  | { readonly _tag: "ModulesOnly" }
  /** The text that came with it is no function, or not what its digest says; in words. */
  | { readonly _tag: "BadText"; readonly problem: string }
  /** `known`: the versions that there are layers of; `failed`: a module that may have had it. */
  | { readonly _tag: "NoLayer"; readonly version: number; readonly known: ReadonlyArray<number>; readonly started: Place | null; readonly failed: ModuleFailed | undefined }
  /** It asks for a thread; `what` of it is had in the worker's process only. */
  | { readonly _tag: "NoThread"; readonly what: string }
  /** `cause`: what their layer failed with. */
  | { readonly _tag: "Services"; readonly cause: unknown }

export const because = (why: Why, of: { readonly task: string; readonly worker: string }): CodeUnknown => {
  const [code, detail] = inWords(why, of.task, of.worker)
  return new CodeUnknown({ ...of, code, detail })
}

type Words = readonly [code: CodeUnknown["code"], detail: string]

const inWords = (why: Why, task: string, worker: string): Words => {
  const unknown = (...lines: ReadonlyArray<string>): Words => [codeUnknownCodes.Unknown, [`${worker} does not know task "${task}"`, ...lines].join("\n  ")]
  switch (why._tag) {
    case "NotMade":
      return why.start === null
        ? unknown(
          `It imported ${fileOf(why.module)}, which does not make the task while it is imported.`,
          `fix 1  define "${task}" at the top level of ${fileOf(why.module)}, not in a function that is called later`,
          `fix 2  the same version of ${fileOf(why.module)} for the client and its workers`
        )
        : afterStart(why.module, why.start, task, worker)
    case "NotYet":
      return unknown(
        `It is still importing ${fileOf(why.module)}, which has not made the task so far.`,
        `fix    define "${task}" before whatever takes so long there`
      )
    case "ModuleFailed":
      return why.failed.unsupported === undefined
        ? unknown(`It could not import ${fileOf(why.module)}: ${firstLine(why.failed.cause)}`, `fix    see that \`node ${fileOf(why.module)}\` runs where the worker does`)
        : syntax(why.failed.unsupported, why.module, task, worker)
    case "NoSuchModule":
      return unknown(
        `It comes from ${why.id}, and this worker has no such file.`,
        `fix 1  start the worker in a checkout of the package:  cd PACKAGE && skein worker ADDRESS`,
        `fix 2  name the file:  skein worker ADDRESS --tasks PATH/${fileOf(why.id)}`
      )
    case "NoModule":
      return unknown(
        "Its text does not say everything, and nobody knows the module in which it was made.",
        `fix    name it:  Task.fn("${task}", …, { module: import.meta.url })`
      )
    case "ModulesOnly":
      return unknown(
        "It takes tasks from its own modules only (`--code modules-only`), and none of them makes this one.",
        `fix    start the worker with the module that does:  skein worker ADDRESS --code modules-only --tasks FILE`
      )
    case "BadText":
      return unknown(`The text that came with it is of no use: ${why.problem}`, "fix    submit it with the same version of skein as the cluster's")
    case "NoLayer":
      return noLayer(why, task, worker)
    case "NoThread":
      return unknown(`${why.what} built in the worker's process, where no thread finds what it gives.`, "fix    leave `isolation: \"thread\"` out")
    case "Services":
      return [codeUnknownCodes.Services, [
        `the services of task "${task}" could not be built on ${worker}`,
        firstLine(why.cause),
        "They are the layer in `services` of its definition, which each worker builds for itself.",
        "fix    see what the layer needs where the worker runs; the next attempt builds it anew"
      ].join("\n  ")]
  }
}

const afterStart = (module: string, start: Place, task: string, worker: string): Words => {
  const above = fileOf(start.url) === fileOf(module) ? `above line ${start.line}` : `before ${fileOf(start.url)}:${start.line} is reached`
  return [codeUnknownCodes.AfterStart, [
    `${worker} imported ${fileOf(module)} for task "${task}" and did not find it`,
    `${placeOf(start)} starts a cluster; what comes after it is not reached on workers.`,
    `fix 1  define "${task}" ${above}`,
    "fix 2  move tasks to tasks.ts and import them"
  ].join("\n  ")]
}

const syntax = ({ place, syntax: found }: { readonly place: string; readonly syntax: string }, module: string, task: string, worker: string): Words => {
  const known = instead.find(([word]) => found.includes(word))
  return [codeUnknownCodes.Syntax, [
    `${worker} cannot import ${fileOf(module)} for task "${task}"`,
    `${fileOf(place)} uses ${known?.[1] ?? found}; Node strips types, and cannot run what is more than a type.`,
    `fix 1  ${known?.[2] ?? "write it in JavaScript's syntax"}; \`erasableSyntaxOnly\` in tsconfig.json shows all such places`,
    "fix 2  build it first, and name the .js file"
  ].join("\n  ")]
}

/** Part of what Node says, what that is, and what to write instead. */
const instead: ReadonlyArray<readonly [said: string, what: string, instead: string]> = [
  ["enum", "`enum`", "an object: `const Color = { Red: \"red\" } as const`"],
  ["parameter property", "a parameter property", "declare the field, and assign it in the constructor"],
  ["namespace", "`namespace`", "a module of its own"],
  ["import equals", "`import … = require(…)`", "`import … from …`"]
]

const noLayer = ({ failed, known, started, version }: Extract<Why, { readonly _tag: "NoLayer" }>, task: string, worker: string): Words => {
  const versions = known.length === 0 ? "no layer of it" : `${task} ${known.map((v) => `version ${v}`).join(" and ")}`
  const more = failed !== undefined
    ? [`It could not import ${fileOf(failed.url)}: ${firstLine(failed.cause)}`]
    : started !== null
    ? [`${placeOf(started)} starts a cluster; a layer is found once its module has been imported to the end, so it belongs into another.`]
    : []
  return [codeUnknownCodes.Unknown, [
    `${worker} does not know task "${task}" (version ${version})`,
    `It knows ${versions}.`,
    ...more,
    "fix    start workers with the module that exports its layer: `tasks` of the cluster, or  skein worker ADDRESS --tasks FILE"
  ].join("\n  ")]
}

const placeOf = ({ line, url }: Place): string => `${fileOf(url)}:${line}`

/** The last part of a URL, path or name. */
const fileOf = (url: string): string => {
  const name = url.replace(/[?#].*$/, "").split("/").at(-1) ?? url
  try {
    return decodeURI(name)
  } catch {
    return name
  }
}

const firstLine = (thrown: unknown): string => describeThrown(thrown).split("\n")[0]!
