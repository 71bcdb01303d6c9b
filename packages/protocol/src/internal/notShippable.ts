/**
 * Why a function cannot be sent to a worker, and what to do about it, in words.
 */

/** What is known of the refusal; see `NotShippable`. */
export interface Refusal {
  readonly names: ReadonlyArray<string>
  readonly why?: "same text" | "built in" | "bound" | "class" | "generator" | "accessor" | "unreadable" | "needs a module" | "one of several"
  readonly detail?: string
  readonly task?: string
  readonly frame?: ReadonlyArray<string>
}

export const notShippable = (refusal: Refusal): string => {
  const { what, why } = refusal.why === undefined ? ofNames(refusal) : ofKind(refusal, refusal.why)
  const fixes = fixesOf(refusal)
  const numbered = fixes.map(([does, how], i) => `fix ${fixes.length > 1 ? i + 1 : " "}  ${does.padEnd(FIX_WIDTH)}${how}`)
  const frame = refusal.frame === undefined ? [] : ["", ...refusal.frame.map(indented)]
  return [`cannot send this function to a worker: ${what}`, ...frame, indented(why), "", ...numbered.map(indented)].join("\n")
}

const indented = (line: string): string => line === "" ? "" : `  ${line}`
const FIX_WIDTH = 16

interface Words {
  readonly what: string
  readonly why: string
}

const ofNames = ({ frame, names }: Refusal): Words => {
  const uses = `it uses ${names.length === 1 ? "a name" : `${names.length} names`} it does not carry`
  const [name] = names
  const why = names.map(toolOf).find((words) => words !== undefined) ??
    (names.length === 1 && name === "this"
      ? "Workers call it alone, so there `this` would be undefined."
      : `Workers run a copy of the function's text, so ${listed(names.map((one) => `\`${one}\``))} would ${names.every(isFile) ? "not be found" : "be undefined"} there.`)
  return { what: frame === undefined ? `${uses}: ${names.join(", ")}` : uses, why }
}

const ofKind = ({ detail, task }: Refusal, why: NonNullable<Refusal["why"]>): Words => {
  switch (why) {
    case "same text":
      return { what: "its text is not its own", why: "Bodies made by Effect.fn all have the same text, so it cannot travel." }
    case "built in":
      return { what: "it is built in", why: "It has no text that could travel." }
    case "bound":
      return { what: "it is bound", why: "What it is bound to stays here, and it has no text of its own." }
    case "class":
      return { what: "it is a class", why: "Workers call functions, and a class wants `new`." }
    case "generator":
      return { what: "it is a generator function", why: "What it gives is an iterator, which stays where it was made." }
    case "accessor":
      return { what: "it is a getter or a setter", why: "Its text is no function by itself." }
    case "unreadable":
      return { what: "its text cannot be read", why: `${detail ?? "It is no function's"}.` }
    case "needs a module":
      return { what: `nobody knows the module of task "${task ?? ""}"`, why: "What belongs to it beside its text, a codec or services, workers find in its module only." }
    case "one of several":
      return {
        what: `another task has the name "${task ?? ""}", the same text, and another body`,
        why: "Both were made by one function and differ in what that closed over; a worker could take one for the other."
      }
  }
}

type Fix = readonly [does: string, how: string]

const fixesOf = ({ names, task, why }: Refusal): ReadonlyArray<Fix> => {
  const called = task !== undefined && isIdentifier(task) && task !== "anonymous" ? task : "name"
  const module: Fix = ["use a module:", `export const ${called} = Task.fn("${called}", …)   at the top level of a module, which workers import`]
  const variables = names.filter((name) => isIdentifier(name) && toolOf(name) === undefined && !keywords.has(name))
  const carry: Fix = ["carry a value:", `Task.fn("${called}", …, { captures: { ${variables.join(", ")} } })`]
  switch (why ?? "names") {
    case "names": {
      if (names.includes("this") || names.includes("super")) return [["pass the data:", "a function of what it takes from its object, as an argument"]]
      if (variables.length === 0) return [module]
      return [["pass them:", `client.submit((…, ${variables.join(", ")}) => …, …, ${variables.join(", ")})`], carry, module]
    }
    case "one of several":
      return [...(variables.length === 0 ? [] : [carry]), ["other names:", "one of its own for each"]]
    case "same text":
      return [module]
    case "built in":
      return [["wrap it:", "a function that calls it, such as (...args) => Math.max(...args)"]]
    case "bound":
      return [["pass them:", "what it is bound to, as arguments"], module]
    case "class":
      return [["wrap it:", "a function that makes an instance, and gives what is needed of it"]]
    case "generator":
      return [["as an Effect:", `Task.fn("${called}", Effect.fn(function*(…) { … }))`], ["as a list:", "(…) => Array.from(…)"]]
    case "accessor":
    case "unreadable":
      return [["wrap it:", "(…) => …, which calls it"], module]
    case "needs a module":
      return [["name it:", `Task.fn("${called}", …, { module: import.meta.url })`]]
  }
}

/** Names that a tool put into a function's text, and what to do about it. */
const toolOf = (name: string): string | undefined =>
  /^__vite_ssr_/.test(name)
    ? "vitest rewrote an import; put the task in a module, or use Sim, which runs in-process."
    : /^cov_/.test(name)
    ? "Istanbul's coverage instrumented it; use V8 coverage."
    : /^__(awaiter|name|spread|rest|assign|generator|publicField)/.test(name)
    ? "It was compiled with a helper; target ES2022 or later."
    : undefined

/** What a function imports from beside its module, in quotes. */
const isFile = (name: string): boolean => name.startsWith("\"")

const listed = (names: ReadonlyArray<string>): string => names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)!}`

const isIdentifier = (name: string): boolean => /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name)
const keywords: ReadonlySet<string> = new Set(["this", "super", "arguments"])
