/** The five ways to say how much memory a worker may have. */
import { assert, describe, it } from "@effect/vitest"
import { defaultHeapMiB, parse } from "@skein/runtime/MemoryLimit"
import * as Result from "effect/Result"

const GiB = 2 ** 30
const machine = { machineBytes: 8 * GiB, workers: 4 }
const forms = "must be a number of bytes, a text such as \"2GiB\", a fraction of the machine's memory up to 1, \"auto\", or null or 0 for none"

describe("a memory limit", () => {
  it("is a number of bytes, as a number or a text (test_worker_memory.py::test_parse_memory_limit_worker)", () => {
    for (const limit of [2 * GiB, "2147483648", "2147483648 B", "2GiB", "2 gib", "2Gi", "2048MiB", "2097152KiB", ".001953125TiB"]) {
      assert.deepStrictEqual(parse(limit, machine), Result.succeed(2 * GiB), String(limit))
    }
    for (const limit of ["2GB", "2 gb", "2G", "2000MB", "2000000 kB", "0.002TB"]) assert.deepStrictEqual(parse(limit, machine), Result.succeed(2e9), limit)
  })

  it("up to 1 is a part of the machine's memory", () => {
    assert.deepStrictEqual(parse(0.25, machine), Result.succeed(2 * GiB))
    assert.deepStrictEqual(parse("0.25", machine), Result.succeed(2 * GiB))
    assert.deepStrictEqual(parse(1, machine), Result.succeed(8 * GiB))
  })

  it("\"auto\" is an even share, and never too little for a worker", () => {
    assert.deepStrictEqual(parse("auto", machine), Result.succeed(2 * GiB))
    assert.deepStrictEqual(parse("auto", { machineBytes: GiB, workers: 0 }), Result.succeed(GiB))
    assert.deepStrictEqual(parse("auto", { machineBytes: GiB, workers: 100 }), Result.succeed(128 * 2 ** 20))
  })

  it("of a scheduler's heap is half of the machine's memory, within bounds", () => {
    assert.deepStrictEqual([0.5, 2, 8, 24, 512, Infinity].map((gibibytes) => defaultHeapMiB(gibibytes * GiB)), [512, 1_024, 4_096, 12_288, 16_384, 16_384])
  })

  it("null and 0 are none", () => {
    for (const limit of [null, 0, "0", "0 GiB"]) assert.deepStrictEqual(parse(limit, machine), Result.succeed(null), String(limit))
  })

  it("beyond the machine's memory is all of it", () => {
    assert.deepStrictEqual(parse("100GiB", machine), Result.succeed(8 * GiB))
  })

  it("that is none is refused with what it may be", () => {
    for (const limit of ["much", "", "-1", "2 GiBs", "1e9", "12 34", "iB", -1, NaN, Infinity]) {
      assert.deepStrictEqual(parse(limit, machine), Result.fail(`${forms}, got ${JSON.stringify(limit)}`), String(limit))
    }
  })

  it("with which no worker could live is refused", () => {
    assert.deepStrictEqual(parse("64MiB", machine), Result.fail("is too low: a worker needs 128 MiB at least, and \"64MiB\" is 64 MiB here"))
    assert.deepStrictEqual(parse(4, machine), Result.fail("is too low: a worker needs 128 MiB at least, and 4 is 4 bytes here"))
    assert.deepStrictEqual(parse(0.01, machine), Result.fail("is too low: a worker needs 128 MiB at least, and 0.01 is 81 MiB here"))
  })
})
