import { assert, describe, it } from "@effect/vitest"
import { median, percentile, show } from "../../src/harness/figures.ts"

describe("figures", () => {
  it("the median is the middle one, or the mean of the middle two", () => {
    assert.strictEqual(median([3, 1, 2]), 2)
    assert.strictEqual(median([4, 1, 2, 3]), 2.5)
    assert.isNaN(median([]))
  })

  it("a percentile is a value that was there", () => {
    const values = Array.from({ length: 100 }, (_, n) => 100 - n)
    assert.deepStrictEqual([percentile(values, 0.5), percentile(values, 0.99), percentile(values, 1), percentile([7], 0.01)], [50, 99, 100, 7])
    assert.isNaN(percentile([], 0.5))
  })

  it("are shown with three digits at most behind what matters", () => {
    assert.deepStrictEqual([1234.5, 12.345, 1.2345, 0.12345, 3, NaN].map(show), ["1,235", "12.3", "1.23", "0.123", "3", "–"])
  })
})
