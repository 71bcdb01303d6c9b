import { assert, describe, it } from "@effect/vitest"
import { closest, suggestion } from "@skein/protocol/Suggestion"
import { checkDefaults, checkSubmit } from "@skein/protocol/TaskOptions"
import { Result } from "effect"

describe("a misspelt name", () => {
  const known = ["workers", "threads", "token"]

  it("is taken for the known one that takes the fewest letters to correct", () => {
    assert.deepStrictEqual(["worker", "THREADS", "thread", "tokn", "tread"].map((name) => closest(name, known)), ["workers", "threads", "threads", "token", "threads"])
  })

  it("is taken for none that would take more than three, nor one that is nobody's slip", () => {
    assert.deepStrictEqual(["colour", "", "x".repeat(100_000)].map((name) => closest(name, known)), [undefined, undefined, undefined])
    assert.strictEqual(suggestion("colour", known), "; known are workers, threads, token")
    assert.strictEqual(suggestion("worker", known), "; did you mean `workers`?")
  })
})

describe("a misspelt option of a task", () => {
  const message = (checked: Result.Result<unknown, Error>) => Result.isFailure(checked) ? checked.failure.message : "accepted"

  it("says which was meant, and which there are", () => {
    assert.match(
      message(checkDefaults({ piority: 1 } as object)),
      /^the option `piority` is not valid: expected one of pure, priority, .*; did you mean `priority`\?\n {2}fix {2}change or remove it$/
    )
    assert.match(message(checkSubmit({ colour: "red" } as object)), /^the option `colour` is not valid: expected one of pure, [^;]*\n/)
  })
})
