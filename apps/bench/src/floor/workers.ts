/**
 * The floor's workers: so many connections of one process, each of which answers
 * at once, as `skein worker --zero` does.
 *
 * Arguments: the scheduler's socket, and how many.
 */
import { connect } from "node:net"
import { connection, FromWorker, ToWorker } from "./connection.ts"

const [at, count] = process.argv.slice(2)
const value = new Uint8Array(8)
const ends = () => process.exit(0)

for (let n = 0; n < Number(count); n++) {
  const socket = connect(at!)
  const { turn } = connection(socket, ToWorker, FromWorker, () => ({ done: [] }), ({ compute }) => {
    for (const { id, run } of compute) turn().done.push({ id, run, value })
  })
  // One after the other: a thousand at once are more than a socket lets wait.
  await new Promise((resolve) => socket.once("connect", resolve))
  socket.on("error", ends).on("close", ends)
}
console.log("up")
