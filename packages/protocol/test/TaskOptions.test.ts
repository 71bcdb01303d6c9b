import { assert, describe, it } from "@effect/vitest"
import { Graph } from "@skein/protocol/Graph"
import { Resources } from "@skein/protocol/Resources"
import { checkDefaults, checkSubmit } from "@skein/protocol/TaskOptions"
import { ANNOTATIONS_LIMIT, Terms } from "@skein/protocol/Terms"
import * as Value from "@skein/protocol/Value"
import { Exit, Result, Schema } from "effect"
import { SchemaBinary } from "effect/encoding"

/** What is said of an option that is not valid. */
const refusal = (options: object): string | undefined => {
  const checked = checkSubmit(options)
  return Result.isFailure(checked) ? checked.failure.message : undefined
}
const notValid = (option: string, expected: string) => `the option \`${option}\` is not valid: expected ${expected}\n  fix  change or remove it`

describe("options on where a task runs", () => {
  it("are taken as they are, and copied, for the user's own may change", () => {
    const options = { resources: { GPU: 0.5 }, workers: ["alice", "tcp://10.0.0.7:1"], allowOtherWorkers: true, span: "nightly", annotations: { ticket: 7 } }
    const checked = Result.getOrThrow(checkSubmit(options))
    options.resources.GPU = 9
    options.workers.push("bob")
    assert.deepStrictEqual(checked, {
      resources: { GPU: 0.5 },
      workers: ["alice", "tcp://10.0.0.7:1"],
      allowOtherWorkers: true,
      span: "nightly",
      annotations: Result.getOrThrow(Value.encode({ ticket: 7 }))
    })
  })

  it("say what they should have been", () => {
    const amounts = "amounts by name, such as { GPU: 1 }"
    assert.strictEqual(refusal({ resources: 1 }), notValid("resources", amounts))
    assert.strictEqual(refusal({ resources: [1] }), notValid("resources", amounts))
    for (const GPU of [-1, NaN, Infinity, 1e-4, 2e12, "1"]) {
      assert.strictEqual(refusal({ resources: { GPU } }), notValid("resources", "0, or an amount from 0.001 to 1000000000000, for \"GPU\""))
    }
    assert.strictEqual(refusal({ resources: { "": 1 } }), notValid("resources", "names of 1 to 128 characters"))
    assert.strictEqual(refusal({ resources: Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`r${n}`, 1])) }), notValid("resources", "at most 64 resources"))
    for (const workers of ["alice", [], [""], [1], Array.from({ length: 1_025 }, () => "w")]) {
      assert.strictEqual(refusal({ workers }), notValid("workers", "a list of 1 to 1024 names, addresses or hosts of workers"))
    }
    assert.strictEqual(refusal({ allowOtherWorkers: "yes" }), notValid("allowOtherWorkers", "true or false"))
    assert.strictEqual(refusal({ span: "x".repeat(257) }), notValid("span", "a text of 1 to 256 characters"))
    assert.strictEqual(refusal({ annotations: [1] }), notValid("annotations", "data by name, such as { ticket: 7 }"))
    assert.strictEqual(refusal({ annotations: { f: () => 1 } }), notValid("annotations", "data, found a function (f) at [\"f\"]"))
    assert.match(refusal({ annotations: { text: "x".repeat(ANNOTATIONS_LIMIT) } }) ?? "", /^the option `annotations` is not valid: expected at most 16384 bytes when it is encoded, found 16\d\d\d\n/)
  })

  it("of a definition are those that all its tasks may share", () => {
    assert.isTrue(Result.isSuccess(checkDefaults({ resources: { GPU: 1 }, span: "nightly" })))
    for (const option of ["workers", "allowOtherWorkers", "annotations"]) assert.isTrue(Result.isFailure(checkDefaults({ [option]: true })), option)
  })
})

describe("terms that come from outside", () => {
  const terms: Terms = { resources: { GPU: 1 }, workers: ["a"], allowOtherWorkers: false, span: "", annotations: new Uint8Array() }
  const wire = (graph: unknown) => {
    const bytes = SchemaBinary.encoder(Schema.Struct({ ...Graph.fields, terms: Schema.optionalKey(Schema.Array(Schema.Struct({ ...Terms.fields, resources: Schema.Record(Schema.String, Schema.Number), workers: Schema.Array(Schema.String), span: Schema.String, annotations: Schema.Uint8Array }))) })).encode(graph as Graph)
    return Schema.decodeUnknownExit(SchemaBinary.toCodec(Graph))(bytes)
  }
  const graph = { codes: [], tasks: [], last: true }

  it("arrive as they were sent, and cost nothing where there are none", () => {
    const decoded = wire({ ...graph, terms: [terms, { ...terms, span: "s", annotations: new Uint8Array([1]) }] })
    assert.deepStrictEqual(Exit.isSuccess(decoded) && decoded.value.terms, [terms, { ...terms, span: "s", annotations: new Uint8Array([1]) }])
    assert.deepStrictEqual(wire(graph), Exit.succeed(graph))
  })

  it("are refused beyond their bounds", () => {
    for (
      const wrong of [
        { resources: { GPU: -1 } },
        { resources: { GPU: NaN } },
        { workers: Array.from({ length: 1_025 }, () => "w") },
        { workers: ["x".repeat(257)] },
        { span: "x".repeat(257) },
        { annotations: new Uint8Array(ANNOTATIONS_LIMIT + 1) }
      ]
    ) assert.isTrue(Exit.isFailure(wire({ ...graph, terms: [{ ...terms, ...wrong }] })), JSON.stringify(wrong).slice(0, 60))
    assert.isTrue(Exit.isFailure(Schema.decodeUnknownExit(Resources)({ GPU: "1" })))
  })
})
