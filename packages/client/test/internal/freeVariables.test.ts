import { assert, describe, it } from "@effect/vitest"
import { freeVariables } from "../../src/internal/freeVariables.ts"

/** Each text beside the names that it takes from outside. */
const cases: ReadonlyArray<readonly [text: string, names: ReadonlyArray<string>]> = [
  ["(x) => x + 1", []],
  ["(x) => x * rate", ["rate"]],
  ["async function f({ a, b: [c] = [] }) { for (const i of [1]) { var z = i } return helper(a) + c + z + f.length }", ["helper"]],
  ["(x) => { try { return JSON.parse(x) } catch (e) { return e.message } }", []],
  ["(x) => { try { return x } catch { return e } }", ["e"]],
  ["class A { static m() { return A.name } #p = 1; get q() { return this.#p + outer } }", ["outer"]],
  ["(b = a, a) => { { const a = 1 } return c + a + c }", ["c"]],
  ["class A extends B { constructor() { super() } }", ["B"]],
  ["(xs) => xs.map(({ id, ...rest }) => ({ id, n: Object.keys(rest).length, t: new Date(), u: process.pid, Buffer }))", []],
  ["m(x) { return x + this.k }", ["this"]],
  ["function (x) { return [x].map(() => this) }", ["this"]],
  ["(x) => this.k + x", ["this"]],
  ["(x) => function () { return this.k + arguments.length + x }", []],
  ["(x) => ({ m() { return super.toString() + this.k }, get g() { return this }, x })", []],
  ["m(x) { return super.m(x) }", ["super"]],
  ["(x) => arguments.length + x", ["arguments"]],
  ["(x) => class { k = this; static s = super.toString() }", []],
  ["async (x) => (await import('./beside.ts')).f(x) + (await import('node:os')).EOL", ["\"./beside.ts\""]],
  ["async *gen(x) { yield* other(x) }", ["other"]],
  ["get value() { return hidden }", ["hidden"]],
  ["[computed](x) { return x }", ["computed"]],
  ["(n) => __vite_ssr_import_0__.run(n)", ["__vite_ssr_import_0__"]],
  ["(o) => o.a.b[c]", ["c"]],
  ["(a) => ({ a, b, c: d, [e]: 1 })", ["b", "d", "e"]],
  ["(a, b = a, { c = b, ...d } = {}, [e, , f] = [], ...g) => [a, b, c, d, e, f, g]", []],
  ["(a = later) => { const later = 1; return a + later }", ["later"]],
  ["(a = hoisted) => { var hoisted = a; return hoisted }", ["hoisted"]],
  ["function () { return arguments.length }", []],
  ["() => { outer: for (;;) { break outer } }", []],
  ["(x) => { if (x) { let inner = 1 } return inner }", ["inner"]],
  ["(x) => { if (x) { var inner = 1 } return inner }", []],
  ["(x) => { return hoisted(x); function hoisted(y) { return y } }", []],
  ["(x) => { switch (x) { case 1: let y = 2; return y; default: return y } }", []],
  ["(n) => { for (let i = 0; i < n; i++) {} return i }", ["i"]],
  ["(o) => { for (const k in o) { k } for (k of o) { } }", ["k"]],
  ["() => { assigned = 1 }", ["assigned"]],
  ["(x) => typeof maybe === 'undefined' ? x : maybe", ["maybe"]],
  ["() => import.meta.url", ["import.meta"]],
  ["function F() { return new.target }", []],
  ["(s) => `a${s}b${t}`", ["t"]],
  ["(s) => tag`a${s}`", ["tag"]],
  ["function fact(n) { return n < 2 ? 1 : n * fact(n - 1) }", []],
  ["(n) => n < 2 ? 1 : n * fact(n - 1)", ["fact"]],
  ["(x) => { const f = function g() { return g }; return g }", ["g"]],
  ["(x) => { class C { static { this.y = z } } return new C(x) }", ["z"]],
  ["async (x) => { const { default: d } = await import('node:fs'); return d.readFileSync(x) }", []]
]

const namesOf = (text: string) => {
  const found = freeVariables(text)
  return found._tag === "Names" ? found.names.map(({ name }) => name) : found.detail
}
const kindOf = (text: string) => {
  const found = freeVariables(text)
  return found._tag === "Names" ? found.kind : found.detail
}

describe("free variables", () => {
  for (const [text, names] of cases) {
    it(`of ${text}`, () => {
      assert.deepStrictEqual(namesOf(text), [...names])
    })
  }

  it("say where they are used first, in whatever form the text is one", () => {
    for (const text of ["(x) => x + rate * rate", "m(x) { return x + rate }", "[k](x) { return x + rate }"]) {
      const found = freeVariables(text)
      assert.deepStrictEqual(found._tag === "Names" ? found.names.at(-1) : found, { name: "rate", at: text.indexOf("rate") }, text)
    }
  })

  it("belong to an arrow, a function, or something that nobody can call for another", () => {
    assert.deepStrictEqual(["(x) => x", "async m(x) { return x }", "function* g() {}", "async *g() {}", "class A {}", "get v() { return 1 }", "set v(x) {}"].map(kindOf),
      ["arrow", "function", "generator", "generator", "class", "accessor", "accessor"])
  })

  it("of a text that is no function are not guessed", () => {
    for (const text of ["function (", "#p(x) { return x }", "1", "{ a: 1 }"]) assert.strictEqual(freeVariables(text)._tag, "Unreadable", text)
  })
})
