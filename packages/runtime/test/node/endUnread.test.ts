import { assert, describe, it } from "@effect/vitest"
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"

/** A program that writes for ever, and ends in its own way. */
const program = `
  import { endUnread } from ${JSON.stringify(fileURLToPath(new URL("../../src/node/endUnread.ts", import.meta.url)))}
  endUnread(() => process.exit(7))
  setInterval(() => process.stdout.write("a line\\n"), 1)
`

describe("a command that nobody reads any more", () => {
  it.effect("ends quietly, as one does that SIGPIPE has ended", () =>
    Effect.gen(function*() {
      const ended = yield* Effect.callback<{ readonly code: number | null; readonly said: string }>((resume) => {
        const child = spawn(process.execPath, ["--input-type=module", "-e", program], { stdio: ["ignore", "pipe", "pipe"] })
        let said = ""
        child.stderr.on("data", (chunk) => said += chunk)
        child.stdout.once("data", () => child.stdout.destroy())
        child.on("close", (code) => resume(Effect.succeed({ code, said })))
        return Effect.sync(() => void child.kill("SIGKILL"))
      })
      assert.deepStrictEqual(ended, { code: 141, said: "" })
    }))
})
