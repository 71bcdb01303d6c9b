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
  ["class A extends B { constructor() { super() } }", ["B"]],
  ["(xs) => xs.map(({ id, ...rest }) => ({ id, n: Object.keys(rest).length, t: new Date(), u: process.pid, Buffer }))", []],
  ["m(x) { return x + this.k }", []],
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

describe("free variables", () => {
  for (const [text, names] of cases) {
    it(`of ${text}`, () => {
      assert.deepStrictEqual(freeVariables(text), { _tag: "Names", names: [...names] })
    })
  }

  it("of a text that is no function are not guessed", () => {
    assert.strictEqual(freeVariables("function (")._tag, "Unreadable")
  })
})
