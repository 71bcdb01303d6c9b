/**
 * Which names a function takes from outside itself.
 *
 * A worker makes a function from its text alone, so every name that the text
 * neither declares nor finds among the globals would be undefined there. Better
 * found before anything is sent than on a worker, in a call.
 *
 * The analysis follows the language's scopes: parameters and `var` belong to the
 * function, `let`, `const`, classes and functions to their block, a function
 * expression's own name to itself.
 */
import { type AnyNode, type Pattern, parse } from "acorn"

/** A name that a text takes from outside, and where it first does: at which character, from 0. */
export interface Free {
  readonly name: string
  readonly at: number
}

/** What kind of thing a text is of. Only functions and arrows can be called by somebody else. */
export type Kind = "arrow" | "function" | "generator" | "class" | "accessor"

/**
 * Names that a function's text uses and does not declare, in order of appearance; or why the text cannot be read.
 *
 * Among the names are such as no variable has: `this`, `super` and `arguments`, where they are those of something around the text or,
 * with `this`, of whoever calls it; `import.meta`, and files beside a module that it imports, such as `"./x.ts"`.
 */
export type FreeVariables =
  | { readonly _tag: "Names"; readonly names: ReadonlyArray<Free>; readonly kind: Kind }
  | { readonly _tag: "Unreadable"; readonly detail: string }

/** Of the text of a function as `Function.prototype.toString` gives it: an arrow, a function, a method, an accessor or a class. */
export const freeVariables = (text: string): FreeVariables => {
  const read = parseFunction(text)
  if (typeof read === "string") return { _tag: "Unreadable", detail: read }
  const free: FreeNames = new Map()
  const outside = new Scope(undefined)
  if (read.key !== undefined) visit(read.key, outside, free)
  if (read.kind === "class") visit(read.node, outside, free)
  else visitFunction(read.node as FunctionNode, outside, free, true)
  const names = [...free].map(([name, at]) => ({ name, at: at - read.before })).filter(({ name }) => !globals.has(name))
  return { _tag: "Names", names: names.sort((a, b) => a.at - b.at), kind: read.kind }
}

/** Each with the place where it is used first. */
type FreeNames = Map<string, number>

const note = (free: FreeNames, name: string, { start }: AnyNode): void => {
  if (!free.has(name)) free.set(name, start)
}

/** What every worker has too: the runtime's own globals, without what this program added to them. */
const globals: ReadonlySet<string> = new Set([...Object.getOwnPropertyNames(globalThis), "undefined"])

interface Parsed {
  readonly node: AnyNode
  readonly kind: Kind
  /** A name of a method that is computed. */
  readonly key: AnyNode | undefined
  /** Characters before the text. */
  readonly before: number
}

/** The tree of the text, or why there is none. A method's text is an expression only with `function` before it, or inside an object. */
const parseFunction = (text: string): Parsed | string => {
  let problem = ""
  for (const [before, after] of [["(", "\n)"], ["(function ", "\n)"], ["({", "\n})"]] as const) {
    try {
      const program = parse(before + text + after, { ecmaVersion: "latest", sourceType: "module", allowReturnOutsideFunction: false })
      const found = functionIn(program.body[0])
      if (found !== undefined) return { ...found, before: before.length }
      problem ||= "it is no function"
    } catch (thrown) {
      problem ||= thrown instanceof Error ? thrown.message : String(thrown)
    }
  }
  return problem
}

const functionIn = (statement: AnyNode | undefined): Omit<Parsed, "before"> | undefined => {
  const node: AnyNode | undefined = statement?.type === "ExpressionStatement" ? statement.expression : undefined
  switch (node?.type) {
    case "ArrowFunctionExpression":
      return { node, kind: "arrow", key: undefined }
    case "FunctionExpression":
      return { node, kind: node.generator ? "generator" : "function", key: undefined }
    case "ClassExpression":
      return { node, kind: "class", key: undefined }
    case "ObjectExpression": {
      const [method] = node.properties
      if (method?.type !== "Property" || !isFunction(method.value)) return undefined
      const kind = method.kind !== "init" ? "accessor" : method.value.type === "FunctionExpression" && method.value.generator ? "generator" : "function"
      return { node: method.value, kind, key: method.computed ? method.key : undefined }
    }
    default:
      return undefined
  }
}

class Scope {
  private readonly names = new Set<string>()
  private readonly outer: Scope | undefined
  constructor(outer: Scope | undefined) {
    this.outer = outer
  }
  declare(name: string): void {
    this.names.add(name)
  }
  has(name: string): boolean {
    return this.names.has(name) || this.outer?.has(name) === true
  }
}

const visit = (node: AnyNode, scope: Scope, free: FreeNames): void => {
  switch (node.type) {
    case "Identifier":
      if (!scope.has(node.name)) note(free, node.name, node)
      return
    case "ThisExpression":
    case "Super": {
      const name = node.type === "Super" ? "super" : "this"
      if (!scope.has(name)) note(free, name, node)
      return
    }
    case "MetaProperty":
      // `new.target` belongs to the function; `import.meta` to its module.
      if (node.meta.name === "import") note(free, "import.meta", node)
      return
    case "ImportExpression": {
      const { source } = node
      if (source.type === "Literal" && typeof source.value === "string" && /^\.{1,2}\//.test(source.value)) note(free, JSON.stringify(source.value), source)
      return children(node).forEach((child) => visit(child, scope, free))
    }
    case "FunctionExpression":
    case "FunctionDeclaration":
    case "ArrowFunctionExpression":
      return visitFunction(node, scope, free)
    case "ClassExpression":
    case "ClassDeclaration": {
      const inside = new Scope(scope)
      if (node.id !== null && node.id !== undefined) inside.declare(node.id.name)
      if (node.superClass !== null && node.superClass !== undefined) visit(node.superClass, inside, free)
      // Those of its fields; its methods have their own.
      inside.declare("this")
      inside.declare("super")
      return visit(node.body, inside, free)
    }
    case "BlockStatement":
    case "StaticBlock":
    case "Program": {
      const inside = new Scope(scope)
      if (node.type !== "BlockStatement") hoistVars(node, inside)
      for (const statement of node.body) declareLexical(statement, inside)
      for (const statement of node.body) visit(statement, inside, free)
      return
    }
    case "ForStatement":
    case "ForInStatement":
    case "ForOfStatement": {
      const inside = new Scope(scope)
      const head = node.type === "ForStatement" ? node.init : node.left
      if (head?.type === "VariableDeclaration") declareLexical(head, inside)
      return children(node).forEach((child) => visit(child, inside, free))
    }
    case "SwitchStatement": {
      const inside = new Scope(scope)
      for (const { consequent } of node.cases) for (const statement of consequent) declareLexical(statement, inside)
      return children(node).forEach((child) => visit(child, inside, free))
    }
    case "CatchClause": {
      const inside = new Scope(scope)
      if (node.param !== null && node.param !== undefined) declarePattern(node.param, inside)
      return children(node).forEach((child) => visit(child, inside, free))
    }
    default:
      return children(node).forEach((child) => visit(child, scope, free))
  }
}

type FunctionNode = Extract<AnyNode, { readonly type: "FunctionExpression" | "FunctionDeclaration" | "ArrowFunctionExpression" }>

/** `alone`: it is the text itself, and whoever calls it has no `this` for it. */
const visitFunction = (node: FunctionNode, scope: Scope, free: FreeNames, alone = false): void => {
  const outside = new Scope(scope)
  if (node.type !== "ArrowFunctionExpression") {
    outside.declare("arguments")
    if (!alone) {
      outside.declare("this")
      outside.declare("super")
    }
  }
  if (node.type === "FunctionExpression" && node.id !== null && node.id !== undefined) outside.declare(node.id.name)
  for (const parameter of node.params) declarePattern(parameter, outside)
  // Defaults of parameters do not see what the body declares.
  for (const parameter of node.params) visit(parameter, outside, free)
  const inside = new Scope(outside)
  hoistVars(node.body, inside)
  visit(node.body, inside, free)
}

/** `var` anywhere in the function, but not in functions within it. */
const hoistVars = (node: AnyNode, scope: Scope): void => {
  if (isFunction(node)) return
  if (node.type === "VariableDeclaration" && node.kind === "var") for (const { id } of node.declarations) declarePattern(id, scope)
  for (const child of children(node)) hoistVars(child, scope)
}

/** What a statement declares in its own block. */
const declareLexical = (statement: AnyNode, scope: Scope): void => {
  if (statement.type === "VariableDeclaration" && statement.kind !== "var") for (const { id } of statement.declarations) declarePattern(id, scope)
  if ((statement.type === "FunctionDeclaration" || statement.type === "ClassDeclaration") && statement.id !== null) scope.declare(statement.id.name)
}

const declarePattern = (pattern: Pattern, scope: Scope): void => {
  switch (pattern.type) {
    case "Identifier":
      return scope.declare(pattern.name)
    case "ObjectPattern":
      return pattern.properties.forEach((property) => declarePattern(property.type === "RestElement" ? property.argument : property.value, scope))
    case "ArrayPattern":
      return pattern.elements.forEach((element) => {
        if (element !== null) declarePattern(element, scope)
      })
    case "AssignmentPattern":
      return declarePattern(pattern.left, scope)
    case "RestElement":
      return declarePattern(pattern.argument, scope)
    case "MemberExpression": // assigned to, not declared
  }
}

const isFunction = (node: AnyNode): node is FunctionNode =>
  node.type === "FunctionExpression" || node.type === "FunctionDeclaration" || node.type === "ArrowFunctionExpression"

/** The nodes directly inside, without the names that are no variables: of fields, methods and labels. */
const children = (node: AnyNode): ReadonlyArray<AnyNode> => {
  const out: Array<AnyNode> = []
  for (const [name, part] of Object.entries(node)) {
    if (isMereName(node, name)) continue
    for (const child of Array.isArray(part) ? part as ReadonlyArray<unknown> : [part]) {
      if (typeof child === "object" && child !== null && "type" in child && typeof child.type === "string") out.push(child as AnyNode)
    }
  }
  return out
}

const isMereName = (node: AnyNode, field: string): boolean => {
  switch (node.type) {
    case "MemberExpression":
      return field === "property" && !node.computed
    case "Property":
      return field === "key" && !node.computed
    case "MethodDefinition":
    case "PropertyDefinition":
      return field === "key" && !node.computed
    case "LabeledStatement":
    case "BreakStatement":
    case "ContinueStatement":
      return field === "label"
    default:
      return false
  }
}
