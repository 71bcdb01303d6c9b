/**
 * What a command does when nobody reads its output any more, as in `… | head`.
 *
 * Node ignores SIGPIPE, so the next write fails, and says so with a stack. The
 * command is to end quietly instead, with the exit code that a shell gives to one
 * which SIGPIPE has ended. How it ends is its own: it may have children.
 */
import process from "node:process"

/** 128 and the number of SIGPIPE. */
const UNREAD = 141

/** Has `end` called once, when the reader of standard output has gone; the exit code is ours, whatever `end` makes of it. */
export const endUnread = (end: () => void): void => {
  let isEnding = false
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error
    if (isEnding) return
    isEnding = true
    process.once("exit", () => void (process.exitCode = UNREAD))
    end()
  })
}
