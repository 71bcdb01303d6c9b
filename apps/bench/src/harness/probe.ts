/**
 * Loaded into the processes that are measured (`--import`), where it answers
 * questions about them: their heap after a full collection, and how many bytes
 * have been copied from one buffer into another.
 *
 * It listens on a socket named after the process id, in the folder that the
 * environment names. It ends the process if whoever started it is gone, so that
 * a benchmark that is killed leaves nothing behind.
 */
import { createServer } from "node:net"
import { join } from "node:path"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { isMainThread } from "node:worker_threads"

/** What it answers: bytes, all of them. */
export interface Probed {
  readonly heapUsed: number
  readonly heapLimit: number
  readonly arrayBuffers: number
  /** Copied between buffers since the start, in copies of at least 512 bytes; 0 where they are not counted. */
  readonly copied: number
}

/** Names the folder; of those names that a nanny hands down to its children. */
export const FOLDER = "NODE_SKEIN_BENCH_PROBES"
/** Set where copies are to be counted: that slows down every small one. */
export const COPIES = "NODE_SKEIN_BENCH_COPIES"

let copied = 0
const LEAST = 512

/** Bytes copied in this process since `countCopies` was called in it. */
export const copiedSoFar = (): number => copied

/**
 * Counts from now on what JavaScript's ways of copying bytes copy. What the kernel copies from and to sockets is the same for
 * everybody, and not counted; neither is what goes to and from threads.
 */
export const countCopies = (): void => {
  const note = (bytes: number) => {
    if (bytes >= LEAST) copied += bytes
  }
  const typedArray = Object.getPrototypeOf(Uint8Array.prototype) as { set: Function; slice: Function }
  const { set, slice } = typedArray
  typedArray.set = function(this: Uint8Array, source: ArrayLike<number>, ...rest: ReadonlyArray<unknown>) {
    if (ArrayBuffer.isView(source)) note(source.byteLength)
    return set.call(this, source, ...rest)
  }
  typedArray.slice = function(this: Uint8Array, ...args: ReadonlyArray<unknown>) {
    const made = slice.apply(this, args) as Uint8Array
    note(made.byteLength)
    return made
  }
  const sliceBuffer = ArrayBuffer.prototype.slice
  ArrayBuffer.prototype.slice = function(this: ArrayBuffer, ...args: Parameters<typeof sliceBuffer>) {
    const made = sliceBuffer.apply(this, args)
    note(made.byteLength)
    return made
  }
  const { concat } = Buffer
  Buffer.concat = (list, total) => {
    const made = concat(list, total)
    note(made.byteLength)
    return made
  }
  // Both are called with whatever their callers give, and hand it on.
  const buffers = Buffer as unknown as { from: (...args: ReadonlyArray<unknown>) => Buffer }
  const { from } = buffers
  buffers.from = (...args) => {
    if (ArrayBuffer.isView(args[0])) note(args[0].byteLength)
    return from(...args)
  }
  globalThis.Uint8Array = new Proxy(Uint8Array, {
    construct(target, args: ReadonlyArray<unknown>, newTarget) {
      if (ArrayBuffer.isView(args[0])) note(args[0].byteLength)
      return Reflect.construct(target, args, newTarget === globalThis.Uint8Array ? target : newTarget) as object
    }
  })
  const { copy } = Buffer.prototype
  Buffer.prototype.copy = function(this: Buffer, ...args: Parameters<typeof copy>) {
    const bytes = copy.apply(this, args)
    note(bytes)
    return bytes
  }
}

const collect = (): void => {
  setFlagsFromString("--expose-gc")
  const gc = runInNewContext("gc") as () => void
  gc()
  gc()
}

const answer = (question: string): Probed => {
  if (question === "collect") collect()
  const { arrayBuffers, heapUsed } = process.memoryUsage()
  return { heapUsed, heapLimit: process.getBuiltinModule("node:v8").getHeapStatistics().heap_size_limit, arrayBuffers, copied }
}

const folder = process.env[FOLDER]
if (folder !== undefined && isMainThread) {
  if (process.env[COPIES] !== undefined) countCopies()
  createServer((socket) => {
    socket.on("error", () => {})
    socket.on("data", (question) => socket.end(JSON.stringify(answer(String(question)))))
  }).listen(join(folder, String(process.pid))).unref()
  const parent = process.ppid
  setInterval(() => {
    if (process.ppid !== parent) process.kill(process.pid, "SIGKILL")
  }, 500).unref()
}
