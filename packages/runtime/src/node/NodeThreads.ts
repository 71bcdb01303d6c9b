/**
 * Real threads, of node:worker_threads.
 *
 * Their heaps get no limit of their own: a thread that runs quickly into one
 * aborts the whole process instead of ending alone (measured, with
 * `resourceLimits` of 32 MiB), and then the nanny's report is what tells.
 */
import { Worker } from "node:worker_threads"
import * as Layer from "effect/Layer"
import * as OutcomeRing from "../worker/OutcomeRing.ts"
import { isWorthHandingOver, pack, type PackedReply, type ThreadData, unpackReply } from "../worker/ThreadMessages.ts"
import { ThreadSpawner } from "../worker/Threads.ts"
import { siblingOf } from "./sibling.ts"

export interface Options {
  /** URL of a module whose exports are a `ThreadCode`; loaded in each thread. */
  readonly codeModule: string
  /** The worker's name, for its jobs to know. */
  readonly worker: string
}

export const layer = (options: Options): Layer.Layer<ThreadSpawner> =>
  Layer.succeed(ThreadSpawner, {
    start: (claims, on) => {
      const outcomes = OutcomeRing.makeBuffer()
      const ring = OutcomeRing.make(outcomes)
      const workerData: ThreadData = { codeModule: options.codeModule, worker: options.worker, claims, outcomes }
      const worker = new Worker(entry, { workerData, name: options.worker })
      let detail: string | undefined
      // Only threadEntry.ts writes here: a body has no hold of the port.
      const tell = (reply: PackedReply) => on.message(unpackReply(reply))
      worker.on("message", (reply: PackedReply | null) => {
        if (reply !== null) tell(reply)
        ring.drain(tell)
      })
      worker.on("error", (error) => void (detail ??= inWords(error)))
      worker.on("exit", (code) => {
        ring.drain(tell)
        on.exit(code, detail ?? `the thread ended with code ${code}`)
      })
      return {
        post: (message) =>
          worker.postMessage(pack(message), isWorthHandingOver(message.bytes) ? [message.bytes.buffer] : []),
        terminate: () => void worker.terminate()
      }
    }
  })

const entry = siblingOf(import.meta.url, "../worker/node/threadEntry.ts")

const inWords = (error: unknown): string => {
  if (!(error instanceof Error)) return `the thread ended with an uncaught ${String(error)}`
  return "code" in error && error.code === "ERR_WORKER_OUT_OF_MEMORY"
    ? "the thread ran out of memory"
    : `the thread ended with an uncaught ${error.name}: ${error.message}`
}
