/**
 * The process of `skein`: its signals and exit codes (exits.ts).
 *
 * Ctrl-C once ends what runs in good order; twice ends this process at once, and
 * its children notice within a fifth of a second.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import { endUnread } from "@skein/runtime/node/endUnread"
import { failing } from "./exits.ts"
import { run } from "./skein.ts"

const program = run(process.argv.slice(2)).pipe(
  Effect.provide(NodeServices.layer),
  // Standard output is for what a command answers.
  Effect.provide(Logger.layer([Logger.withConsoleError(Logger.formatLogFmt)]))
)

const signals = { SIGINT: 130, SIGTERM: 143 } as const

const fiber = Effect.runFork(program)
// A command that waits for what holds no handle of its own is not done yet.
const waiting = setInterval(() => {}, 2 ** 30)
let ending: number | undefined

fiber.addObserver((exit) => {
  clearInterval(waiting)
  const { code, text } = Exit.isSuccess(exit) ? { code: Number(process.exitCode ?? 0), text: undefined } : failing(exit.cause)
  if (text !== undefined) process.stderr.write(`${text}\n`)
  process.exit(ending ?? code)
})

endUnread(() => fiber.interruptUnsafe())

for (const signal of Object.keys(signals) as Array<keyof typeof signals>) {
  process.on(signal, () => {
    if (ending !== undefined) process.exit(signals[signal])
    ending = signals[signal]
    if (process.stderr.isTTY) process.stderr.write("\nending in good order; once more to end at once\n")
    fiber.interruptUnsafe()
  })
}
