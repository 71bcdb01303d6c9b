import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { makeSplitter, Ring } from "@skein/runtime/nanny/Lines"

const split = (chunks: ReadonlyArray<Uint8Array>, maxLength?: number) => {
  const lines: Array<string> = []
  const splitter = makeSplitter((line) => lines.push(line), maxLength)
  for (const chunk of chunks) splitter.push(chunk)
  splitter.end()
  return lines
}

const bytes = (text: string) => new TextEncoder().encode(text)

describe("a splitter", () => {
  it("hands on lines of both kinds of ends, empty ones, and the rest at the end", () => {
    assert.deepStrictEqual(split([bytes("a\r\n\nb\nc")]), ["a", "", "b", "c"])
  })

  it.prop(
    "gives the same lines wherever the pieces end, also within a letter",
    [Schema.Array(Schema.String), Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 7 })))],
    ([texts, cuts]) => {
      const whole = bytes(texts.join("\n") + "ü€𝄞\n")
      const pieces: Array<Uint8Array> = []
      let at = 0
      for (const cut of cuts) pieces.push(whole.subarray(at, at += cut))
      pieces.push(whole.subarray(at))
      assert.deepStrictEqual(split(pieces), split([whole]))
    },
    { arbitrary: { seed: 1 } }
  )

  it("cuts a line that is too long and says how much is missing, without holding it", () => {
    const lines = split([...Array.from({ length: 1_000 }, () => bytes("x".repeat(100))), bytes("\nnext\n")], 10)
    assert.deepStrictEqual(lines, ["xxxxxxxxxx … (99990 more characters)", "next"])
  })
})

describe("a ring", () => {
  it("keeps the latest, the earliest of them first", () => {
    const ring = new Ring<number>(3)
    assert.deepStrictEqual(ring.all(), [])
    ring.push(1)
    ring.push(2)
    assert.deepStrictEqual(ring.all(), [1, 2])
    for (const n of [3, 4, 5]) ring.push(n)
    assert.deepStrictEqual(ring.all(), [3, 4, 5])
    ring.clear()
    ring.push(6)
    assert.deepStrictEqual(ring.all(), [6])
  })
})
