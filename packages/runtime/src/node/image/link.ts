/**
 * Many ES modules → one script that Node can preload (image/preload.ts).
 *
 * Loading a child's 330 modules one by one takes Node 300 ms of CPU, and nine
 * tenths of that is finding them: 2,000 imports are resolved, each file is
 * opened, read and compared with its cached code. So they are written into one
 * file, an *image*. Each module becomes a function that gives its exports and
 * is called when the first other one needs it; whoever imports the module's URL
 * gets what the image has, so that there is one instance of each module, as ever.
 *
 * It is a rewriting of a module's `import` and `export` statements and of
 * nothing else; names stay as they are, for each module keeps a scope of its own.
 * CommonJS modules stay where they are, and are required.
 * What cannot be done so without changing a meaning is refused (`CannotLink`),
 * and children load their modules one by one: cycles of imports, `await` outside
 * of functions, a binding that is exported, changes later, and goes through more
 * than one module.
 */
import { type AnyNode, type Comment, parse, type Program } from "acorn"

/** One module's text, read. */
export interface Parsed {
  /** JavaScript. */
  readonly source: string
  readonly tree: Program
  readonly comments: ReadonlyArray<Comment>
}

/** One module, as the loader would have it. */
export interface Module extends Parsed {
  readonly url: string
  /** Where each specifier leads, `specifiersOf` and `resolvedBy`: to one of the modules, to one of Node's own (`node:`), or to a CommonJS module. */
  readonly imports: ReadonlyMap<string, string>
}

/** These modules cannot become one script without changing what they mean. */
export class CannotLink extends Error {}

/** Throws a `SyntaxError` for what is no module. */
export const read = (source: string): Parsed => {
  const comments: Array<Comment> = []
  return { source, tree: parse(source, { ecmaVersion: "latest", sourceType: "module", onComment: comments }), comments }
}

/** The specifiers that a module imports, or exports from, in order of appearance. */
export const specifiersOf = ({ tree }: Parsed): ReadonlyArray<string> =>
  tree.body.flatMap((node) =>
    (node.type === "ImportDeclaration" || node.type === "ExportNamedDeclaration" || node.type === "ExportAllDeclaration") && node.source ? [String(node.source.value)] : []
  )

/** The specifiers that `import.meta.resolve` is called with. */
export const resolvedBy = ({ source, tree }: Parsed): ReadonlyArray<string> => {
  const found: Array<string> = []
  if (source.includes("import.meta.resolve")) {
    visit(tree, (node) => {
      const specifier = resolvedIn(node)
      if (specifier !== undefined) found.push(specifier)
    })
  }
  return found
}

/** The specifier, if this is a call of `import.meta.resolve` with nothing but one. */
const resolvedIn = (node: AnyNode): string | undefined => {
  if (node.type !== "CallExpression" || node.callee.type !== "MemberExpression" || node.callee.object.type !== "MetaProperty") return undefined
  const [specifier, ...more] = node.arguments
  const isResolve = !node.callee.computed && nameOf(node.callee.property) === "resolve" && more.length === 0
  return isResolve && specifier?.type === "Literal" && typeof specifier.value === "string" ? specifier.value : undefined
}

/** Where shims find what the image has. */
const REGISTRY = "Symbol.for(\"@skein/runtime/image\")"

/** The script, which gives a function that is to be called with `node:module`. Throws `CannotLink`. */
export const link = (modules: ReadonlyArray<Module>): string => {
  const linking = analyse(modules)
  refuseCycles(linking)
  const functions = linking.map((module, index) => `// ${module.url}\n${index}: ${functionOf(module, linking)}`)
  return [
    "\"use strict\";",
    "(function ({ createRequire, registerHooks }, require, module, exports, __filename, __dirname) {",
    `const urls = ${JSON.stringify(modules.map(({ url }) => url))}`,
    `const names = ${JSON.stringify(linking.map((module) => [...namesOf(module, linking)]))}`,
    `const functions = {\n${functions.join(",\n")}\n}`,
    RUNTIME,
    "})",
    ""
  ].join("\n")
}

/**
 * The image's own code. A URL with a query is an instance of its own, as it is for Node. A shim evaluates its module when it is
 * evaluated itself and not when it is loaded, so that modules run in the order in which they are imported.
 */
const RUNTIME = `const { fileURLToPath } = process.getBuiltinModule("node:url")
const other = (url) => url.startsWith("node:") ? process.getBuiltinModule(url) : createRequire(url)(fileURLToPath(url))
const indices = new Map(urls.map((url, index) => [url, index]))
const made = []
const need = (index) => made[index] ??= (0, functions[index])(need, other, { url: urls[index] })
const instances = new Map()
const instance = (index, url) => {
  if (url === urls[index]) return need(index)
  let own = instances.get(url)
  if (own === undefined) instances.set(url, own = (0, functions[index])(need, other, { url }))
  return own
}
globalThis[${REGISTRY}] = instance
registerHooks({
  load: (url, context, nextLoad) => {
    const index = indices.get(url.replace(/[?#].*$/, ""))
    if (index === undefined) return nextLoad(url, context)
    const all = names[index].map((name, at) => [JSON.stringify(name), "e" + at])
    const source = "const {" + all.map(([name, local]) => name + ":" + local) + "} = globalThis[${REGISTRY.replaceAll("\"", "'")}](" + index + ", import.meta.url)\\n" +
      "export {" + all.map(([name, local]) => local + " as " + name) + "}"
    return { format: "module", source, shortCircuit: true }
  }
})`

/** A module that has been read. */
interface Linking extends Module {
  readonly index: number
  /** Exported name → name in the module. */
  readonly locals: ReadonlyMap<string, string>
  /** Exported name → where it comes from; `name` undefined for all of that module as one. */
  readonly passedOn: ReadonlyMap<string, { readonly from: string; readonly name: string | undefined }>
  /** URLs of which everything is exported. */
  readonly stars: ReadonlyArray<string>
  /** Names in the module whose exports change after they were made. */
  readonly changing: ReadonlySet<string>
  /** What is to be written otherwise within its statements. */
  readonly edits: ReadonlyArray<Edit>
}

type Edit = readonly [start: number, end: number, text: string]

const analyse = (modules: ReadonlyArray<Module>): ReadonlyArray<Linking> =>
  modules.map((module, index) => {
    const { tree } = module
    if (module.source.includes("await") && waits(tree)) throw new CannotLink(`${module.url} waits while it is evaluated`)
    const locals = new Map<string, string>()
    const passedOn = new Map<string, { from: string; name: string | undefined }>()
    const stars: Array<string> = []
    for (const node of tree.body) {
      if (node.type === "ExportAllDeclaration") {
        const from = urlOf(module, node.source.value)
        if (node.exported === null || node.exported === undefined) stars.push(from)
        else passedOn.set(nameOf(node.exported), { from, name: undefined })
      } else if (node.type === "ExportNamedDeclaration") {
        for (const { exported, local } of node.specifiers) {
          if (node.source) passedOn.set(nameOf(exported), { from: urlOf(module, node.source.value), name: nameOf(local) })
          else locals.set(nameOf(exported), nameOf(local))
        }
        if (node.declaration) for (const name of declaredBy(node.declaration)) locals.set(name, name)
      } else if (node.type === "ExportDefaultDeclaration") {
        locals.set("default", ("id" in node.declaration && node.declaration.id?.name) || DEFAULT)
      }
    }
    const exported = new Set(locals.values())
    const constants = new Set(tree.body.flatMap((node) => {
      const declaration = node.type === "ExportNamedDeclaration" ? node.declaration : node
      return declaration?.type === "VariableDeclaration" && declaration.kind === "const" ? declaredBy(declaration) : []
    }))
    const edits = blanks(module)
    // In whichever scope something is assigned to a name: one too many costs a getter.
    const assigned = new Set<string>()
    visit(tree, (node, parent) => {
      rewrite(module, node, parent, edits)
      for (const name of assignedBy(node)) assigned.add(name)
    })
    const changing = new Set([...assigned].filter((name) => exported.has(name) && !constants.has(name)))
    return { ...module, index, locals, passedOn, stars, changing, edits }
  })

/** The name of a default export that has none. */
const DEFAULT = "skein$default"

const urlOf = (module: Module, specifier: unknown): string => {
  const url = module.imports.get(String(specifier))
  if (url === undefined) throw new CannotLink(`${module.url} imports ${String(specifier)}, which was not found`)
  return url
}

/** Of an identifier, or of a name in quotes. */
const nameOf = (node: AnyNode): string => node.type === "Identifier" ? node.name : node.type === "Literal" ? String(node.value) : ""

/** The names that a declaration brings into its scope. */
const declaredBy = (node: AnyNode): ReadonlyArray<string> => {
  if (node.type === "VariableDeclaration") return node.declarations.flatMap(({ id }) => boundBy(id))
  return "id" in node && node.id?.type === "Identifier" ? [node.id.name] : []
}

/** The names in a pattern. */
const boundBy = (node: AnyNode | null): ReadonlyArray<string> => {
  switch (node?.type) {
    case "Identifier":
      return [node.name]
    case "ObjectPattern":
      return node.properties.flatMap((property) => boundBy(property.type === "Property" ? property.value : property))
    case "ArrayPattern":
      return node.elements.flatMap(boundBy)
    case "AssignmentPattern":
      return boundBy(node.left)
    case "RestElement":
      return boundBy(node.argument)
    default:
      return []
  }
}

/** The names that this node gives another value. */
const assignedBy = (node: AnyNode): ReadonlyArray<string> => {
  switch (node.type) {
    case "AssignmentExpression":
    case "ForInStatement":
    case "ForOfStatement":
      return boundBy(node.left)
    case "UpdateExpression":
      return boundBy(node.argument)
    default:
      return []
  }
}

/** Calls `see` for a node and all below it. */
const visit = (node: AnyNode, see: (node: AnyNode, parent: AnyNode | undefined) => void, parent?: AnyNode): void => {
  see(node, parent)
  for (const child of childrenOf(node)) visit(child, see, node)
}

/** Whether there is an `await` that is in no function. */
const waits = (node: AnyNode): boolean =>
  node.type === "AwaitExpression" || (node.type === "ForOfStatement" && node.await) ||
  (!/Function/.test(node.type) && childrenOf(node).some(waits))

const childrenOf = (node: AnyNode): ReadonlyArray<AnyNode> => {
  const children: Array<AnyNode> = []
  for (const key in node) {
    const value: unknown = node[key as keyof AnyNode]
    if (Array.isArray(value)) { for (const one of value) if (isNode(one)) children.push(one) }
    else if (isNode(value)) children.push(value)
  }
  return children
}

const isNode = (value: unknown): value is AnyNode => typeof value === "object" && value !== null && "type" in value && "start" in value

/** With a cycle a module could be asked for its exports before it has them. */
const refuseCycles = (linking: ReadonlyArray<Linking>): void => {
  const byUrl = new Map(linking.map((module) => [module.url, module]))
  const done = new Set<string>()
  const open = new Set<string>()
  const enter = (module: Linking): void => {
    if (done.has(module.url)) return
    if (open.has(module.url)) throw new CannotLink(`${module.url} imports itself by way of others`)
    open.add(module.url)
    for (const specifier of specifiersOf(module)) {
      const next = byUrl.get(urlOf(module, specifier))
      if (next !== undefined) enter(next)
    }
    open.delete(module.url)
    done.add(module.url)
  }
  for (const module of linking) enter(module)
}

const moduleAt = (linking: ReadonlyArray<Linking>, url: string): Linking | undefined => linking.find((module) => module.url === url)

/** What others can import from outside of the image by name: not what changes, which a shim would hand out once and for all. */
const namesOf = (module: Linking, linking: ReadonlyArray<Linking>): ReadonlySet<string> => {
  const names = new Set([...module.locals].filter(([, local]) => !module.changing.has(local)).map(([name]) => name))
  for (const name of module.passedOn.keys()) names.add(name)
  for (const url of module.stars) {
    const from = moduleAt(linking, url)
    if (from === undefined) throw new CannotLink(`${module.url} exports everything of ${url}`)
    if (from.changing.size > 0) throw new CannotLink(`${module.url} passes on what changes in ${url}`)
    for (const name of namesOf(from, linking)) if (name !== "default") names.add(name)
  }
  return names
}

/** The function that evaluates the module and gives its exports. */
const functionOf = (module: Linking, linking: ReadonlyArray<Linking>): string => {
  const edits = [...module.edits]
  for (const { end, start, value } of module.comments) edits.push([start, end, /[\n\r\u2028\u2029]/.test(value) ? "\n" : " "])
  const head: Array<string> = []
  for (const node of module.tree.body) {
    switch (node.type) {
      case "ImportDeclaration": {
        if (node.attributes.length > 0) throw new CannotLink(`${module.url} imports with attributes`)
        const from = moduleAt(linking, urlOf(module, node.source.value))
        head.push(...importing(module, node.specifiers, sourceOf(module, linking, node.source.value), from, edits))
        edits.push([node.start, node.end, ""])
        break
      }
      case "ExportAllDeclaration":
        head.push(sourceOf(module, linking, node.source.value))
        edits.push([node.start, node.end, ""])
        break
      case "ExportNamedDeclaration":
        if (node.source) head.push(sourceOf(module, linking, node.source.value))
        edits.push(node.declaration ? [node.start, node.declaration.start, ""] : [node.start, node.end, ""])
        break
      case "ExportDefaultDeclaration":
        edits.push([node.start, node.declaration.start, "id" in node.declaration && node.declaration.id ? "" : `const ${DEFAULT} = `])
    }
  }
  const body = edited(module.source, edits)
  return `(function (skein$need, skein$other, skein$meta) {\n"use strict"\n${head.join("\n")}\n${body}\nreturn { ${exportsOf(module, linking).join(", ")} }\n})`
}

/** The expression that gives a module. */
const sourceOf = (module: Module, linking: ReadonlyArray<Linking>, specifier: unknown): string => {
  const url = urlOf(module, specifier)
  const from = moduleAt(linking, url)
  return from === undefined ? `skein$other(${JSON.stringify(url)})` : `skein$need(${from.index})`
}

type Specifiers = Extract<Program["body"][number], { readonly type: "ImportDeclaration" }>["specifiers"]

/** The declarations that stand for an import. */
const importing = (module: Linking, specifiers: Specifiers, source: string, from: Linking | undefined, edits: Array<Edit>): ReadonlyArray<string> => {
  if (specifiers.length === 0) return [source]
  const declarations: Array<string> = []
  const named: Array<string> = []
  for (const specifier of specifiers) {
    const local = specifier.local.name
    if (specifier.type === "ImportNamespaceSpecifier") declarations.push(`const ${local} = ${source}`)
    // What Node's own modules and CommonJS modules export by default is themselves.
    else if (specifier.type === "ImportDefaultSpecifier") declarations.push(from === undefined ? `const ${local} = ${source}` : `const ${local} = ${source}.default`)
    else {
      const name = nameOf(specifier.imported)
      if (from?.changing.has(from.locals.get(name) ?? "") === true) replaceReads(module, local, `${source}[${JSON.stringify(name)}]`, edits)
      else named.push(`${JSON.stringify(name)}: ${local}`)
    }
  }
  if (named.length > 0) declarations.push(`const { ${named.join(", ")} } = ${source}`)
  return declarations
}

/** Reads the other module's binding wherever this name stands. The name must mean nothing else in the whole module. */
const replaceReads = (module: Linking, name: string, expression: string, edits: Array<Edit>): void =>
  visit(module.tree, (node, parent) => {
    if (node.type !== "Identifier" || node.name !== name || parent === undefined || parent.type === "ImportSpecifier") return
    if (parent.type === "MemberExpression" && parent.property === node && !parent.computed) return
    const plain = ["BinaryExpression", "MemberExpression", "CallExpression", "VariableDeclarator", "LogicalExpression", "ConditionalExpression", "IfStatement", "ReturnStatement"]
    if (!plain.includes(parent.type) || (parent.type === "VariableDeclarator" && parent.id === node)) {
      throw new CannotLink(`${module.url} uses ${name}, which changes, in a ${parent.type}`)
    }
    edits.push([node.start, node.end, expression])
  })

/** What has another meaning in a script; and letters that would make the whole image take two bytes for each. */
const rewrite = (module: Module, node: AnyNode, parent: AnyNode | undefined, edits: Array<Edit>): void => {
  if (node.type === "MetaProperty" && node.meta.name === "import") edits.push([node.start, node.end, "skein$meta"])
  if (node.type === "MemberExpression" && node.object.type === "MetaProperty" && node.object.meta.name === "import") {
    const resolved = parent === undefined ? undefined : resolvedIn(parent)
    if (parent !== undefined && resolved !== undefined) edits.push([parent.start, parent.end, JSON.stringify(urlOf(module, resolved))])
    // `env` is what bundlers have there; Node has nothing, and neither has the image.
    else if (node.computed || !["url", "env"].includes(nameOf(node.property))) throw new CannotLink(`${module.url} asks for more of import.meta than its url`)
  }
  if (node.type === "ImportExpression" && node.source.type === "Literal" && !String(node.source.value).startsWith("node:")) {
    throw new CannotLink(`${module.url} imports ${String(node.source.value)} while it runs`)
  }
  if (node.type === "Literal" && typeof node.value === "string") escape(module, node, edits)
  // A tag sees how its text is written.
  if (node.type === "TemplateLiteral" && parent?.type !== "TaggedTemplateExpression") for (const text of node.quasis) escape(module, text, edits)
}

/** What stripping left of letters in types and is white, but not ASCII. In a text it may be meant so. */
const blanks = ({ source, tree }: Module): Array<Edit> => {
  const found = [...source.matchAll(/[^\0-\x7f]+/g)].filter(([white]) => white.trim() === "")
  if (found.length === 0) return []
  const texts: Array<AnyNode> = []
  visit(tree, (node) => void (node.type === "Literal" || node.type === "TemplateElement" ? texts.push(node) : undefined))
  return found.flatMap(({ 0: white, index }): ReadonlyArray<Edit> =>
    texts.some(({ end, start }) => start <= index && index < end) ? [] : [[index, index + white.length, " ".repeat(white.length)]])
}

const escape = (module: Module, node: AnyNode, edits: Array<Edit>): void => {
  const raw = module.source.slice(node.start, node.end)
  const ascii = raw.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
  if (ascii !== raw) edits.push([node.start, node.end, ascii])
}

const edited = (source: string, edits: Array<Edit>): string => {
  let text = ""
  let at = 0
  for (const [start, end, replacement] of edits.sort(([a, aEnd], [b, bEnd]) => a - b || bEnd - aEnd)) {
    // Within what has been replaced already: a comment in an import.
    if (start < at) continue
    text += source.slice(at, start) + replacement
    at = end
  }
  return text + source.slice(at)
}

const exportsOf = (module: Linking, linking: ReadonlyArray<Linking>): ReadonlyArray<string> => {
  const out = module.stars.map((url) => `...skein$need(${moduleAt(linking, url)!.index})`)
  for (const [name, { from, name: there }] of module.passedOn) {
    const origin = moduleAt(linking, from)
    if (there !== undefined && origin?.changing.has(origin.locals.get(there) ?? "") === true) throw new CannotLink(`${module.url} passes on ${there}, which changes`)
    const source = origin === undefined ? `skein$other(${JSON.stringify(from)})` : `skein$need(${origin.index})`
    const whole = there === undefined || (there === "default" && origin === undefined)
    out.push(`${JSON.stringify(name)}: ${source}${whole ? "" : `[${JSON.stringify(there)}]`}`)
  }
  for (const [name, local] of module.locals) {
    out.push(module.changing.has(local) ? `get ${JSON.stringify(name)}() { return ${local} }` : `${JSON.stringify(name)}: ${local}`)
  }
  return out
}
