import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Logger, type LogLevel } from "effect"
import * as OwnLog from "../../src/internal/ownLog.ts"
import { makeFilter, unfolded } from "../../src/internal/printing.ts"
import type { LogsFrom } from "../../src/Options.ts"

const stderr = (text: string) => ({ source: "stderr" as const, text })
const stdout = (text: string) => ({ source: "stdout" as const, text })

describe("what is printed of a process's lines", () => {
  const lines = [
    stderr("timestamp=2026 level=DEBUG fiber=#1 message=looked"),
    stderr("timestamp=2026 level=INFO fiber=#1 message=came"),
    stdout("said by a body"),
    stderr("timestamp=2026 level=WARN fiber=#1 message=\"is full\""),
    stderr("timestamp=2026 level=ERROR fiber=#1 message=\"broke\""),
    stderr("    at its stack"),
    stderr("timestamp=2026 level=INFO fiber=#1 message=again")
  ]
  const printed = (from: LogsFrom) => lines.map(makeFilter(from)).map((isPrinted) => isPrinted ? 1 : 0).join("")

  it("is what is of the level or above it; a line without one goes with the line before it", () => {
    assert.deepStrictEqual((["Debug", "Info", "Warn", "Error", "None"] as const).map(printed), ["1111111", "0111111", "0001110", "0000110", "0000000"])
  })

  it("is what a process writes before its log has begun", () => {
    const isPrinted = makeFilter("Error")
    assert.deepStrictEqual([stderr("SyntaxError: no"), stderr("    at its stack"), stdout("said by a body")].map(isPrinted), [true, true, false])
  })
})

describe("a line that is printed", () => {
  it("has the lines that logfmt has folded into it", () => {
    assert.strictEqual(
      unfolded(String.raw`timestamp=2026 level=WARN message="SKEIN3001 f has waited 10 s\n  fix    client.explain(\"f\")" path="C:\\x"`),
      "timestamp=2026 level=WARN message=SKEIN3001 f has waited 10 s\n  fix    client.explain(\"f\") path=\"C:\\\\x\""
    )
    for (const same of [String.raw`a body printed "\n"`, "level=INFO message=\"one line\""]) assert.strictEqual(unfolded(same), same)
  })
})

describe("what fibers of this process log", () => {
  const logged = (from: LogsFrom) =>
    Effect.gen(function*() {
      const printed: Array<LogLevel.LogLevel> = []
      const own = OwnLog.make(from)
      yield* own.keep(Effect.andThen(Effect.logDebug("a"), Effect.andThen(Effect.logInfo("b"), Effect.logError("c", Cause.fail("why"))))).pipe(
        Effect.provide(Logger.layer([Logger.make(({ logLevel }) => void printed.push(logLevel))]))
      )
      return { printed, kept: own.lines().map((line) => /level=(\w+)/.exec(line)?.[1]) }
    })

  it.effect("is kept whole, and printed from the level on by the program's own loggers", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* logged("Warn"), { printed: ["Error"], kept: ["INFO", "ERROR"] })
      assert.deepStrictEqual(yield* logged("None"), { printed: [], kept: ["INFO", "ERROR"] })
      assert.deepStrictEqual(yield* logged("Debug"), { printed: ["Debug", "Info", "Error"], kept: ["DEBUG", "INFO", "ERROR"] })
    }))
})
