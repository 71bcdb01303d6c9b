/**
 * Real child processes.
 *
 * Through node:child_process itself and not `effect/process`: the exit code of
 * a process that died of a signal, descriptors in plain order and a process
 * group without a shell are wanted, and nothing of the rest.
 */
import { spawn } from "node:child_process"
import type { ChildProcess as NodeProcess } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { Readable } from "node:stream"
import { fileURLToPath } from "node:url"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Semaphore from "effect/Semaphore"
import {
  allowedEnv,
  type ChildProcess,
  type ProcessExit,
  type ProcessMemory,
  ProcessSpawner,
  type ProcessSpec,
  type Source,
  SpawnFailed
} from "../nanny/ChildProcess.ts"
import { makeSplitter } from "../nanny/Lines.ts"
import { compileCache } from "./caches.ts"
import * as Image from "./Image.ts"

/** How long the output of a dead process is read on, in case a grandchild holds its pipes. */
const drainWithin = "200 millis"

export const layer: Layer.Layer<ProcessSpawner> = Layer.sync(ProcessSpawner, () => {
  const images = makeImages()
  return ProcessSpawner.of({
    spawn: Effect.fnUntraced(function*(spec, onLine) {
      const image = yield* images.of(spec.image)
      const isUp = image === undefined ? images.missedBy(spec.image) : () => {}
      const started = start(spec, image, (source, line) => {
        if (source === "notices") isUp()
        onLine(source, line)
      })
      return yield* Effect.acquireRelease(Effect.onError(started, () => Effect.sync(isUp)), (child) => Effect.andThen(Effect.sync(isUp), killAndWait(child)))
    }),
    ownPid: Effect.sync(() => process.pid)
  })
})

/** Looks for an image once, so that all children of one cluster run the same code. */
const makeImages = () => {
  const known = new Map<string, string | undefined>()
  const alone = Semaphore.makeUnsafe(1)
  let comingUp = 0
  return {
    of: (entries: ReadonlyArray<string>): Effect.Effect<string | undefined> => {
      const key = entries.join("\n")
      if (entries.length === 0 || known.has(key)) return Effect.succeed(known.get(key))
      return alone.withPermit(Effect.suspend(() =>
        known.has(key) ? Effect.succeed(known.get(key)) : Effect.tap(Image.find(entries), (image) => Effect.sync(() => known.set(key, image)))
      ))
    },
    /** A child starts without one. To be called when it is up, or gone: with the last of them, the image for later clusters is made. */
    missedBy: (entries: ReadonlyArray<string>): () => void => {
      if (entries.length === 0) return () => {}
      let isComingUp = true
      comingUp++
      return () => {
        if (!isComingUp) return
        isComingUp = false
        if (--comingUp === 0) Image.makeBeside(entries)
      }
    }
  }
}

const start = (
  spec: ProcessSpec,
  image: string | undefined,
  onLine: (source: Source, line: string) => void
): Effect.Effect<ChildProcess, SpawnFailed> =>
  Effect.callback((resume) => {
    const failed = (error: unknown) =>
      resume(new SpawnFailed({ entry: spec.entry, detail: error instanceof Error ? error.message : String(error) }))
    try {
      const node = spawn(process.execPath, [...spec.nodeArgs, ...preload(image), fileURLToPath(spec.entry)], {
        env: { NODE_COMPILE_CACHE: compileCache(), ...hugePages, ...allowedEnv(process.env), ...spec.env },
        stdio: ["pipe", "pipe", "pipe", "pipe"],
        detached: true
      })
      node.once("error", failed)
      // The handle is complete before anything can happen, or an exit would be missed.
      const child = handleOf(node, onLine)
      node.once("spawn", () => {
        node.off("error", failed)
        // A failing `kill` is the only error left, and means that it is gone.
        node.on("error", () => {})
        resume(Effect.succeed(child(node.pid ?? 0)))
      })
      // A child that dies before it has read its input is heard of by its exit.
      node.stdin?.on("error", () => {})
      node.stdin?.end(spec.input)
    } catch (error) {
      failed(error)
    }
  })

/**
 * Memory for large values comes in pages of 2 MiB where the system has them: the first touch of a megabyte costs 0.2 ms of CPU
 * instead of 0.9, which was more than half of what moving a value takes (measured, with glibc 2.36). Others do not know the word.
 */
const hugePages = { GLIBC_TUNABLES: "glibc.malloc.hugetlb=1" }

/** Looked for at each start: whoever empties his cache must not keep a worker from coming back. */
const preload = (image: string | undefined): ReadonlyArray<string> => image !== undefined && existsSync(image) ? ["--require", image] : []

const handleOf = (node: NodeProcess, onLine: (source: Source, line: string) => void) => {
  const exited = Deferred.makeUnsafe<ProcessExit>()
  const drained = Deferred.makeUnsafe<void>()
  let gone = false
  const streams = sources.flatMap(([fd, source]) => {
    const stream = node.stdio[fd]
    if (!(stream instanceof Readable)) return []
    const splitter = makeSplitter((line) => onLine(source, line))
    stream.on("data", (chunk: Uint8Array) => splitter.push(chunk))
    stream.once("close", splitter.end)
    stream.on("error", () => {})
    return [stream]
  })
  node.once("exit", (code, signal) => {
    // What it left in its group goes too. Its id cannot have been given anew in
    // this very turn; later it may have been, so this is the last signal.
    kill(node, "SIGKILL")
    gone = true
    Deferred.doneUnsafe(exited, Effect.succeed({ code, signal }))
  })
  node.once("close", () => Deferred.doneUnsafe(drained, Effect.void))
  return (pid: number): ChildProcess => ({
    pid,
    signal: (signal) => Effect.sync(() => gone ? undefined : kill(node, signal)),
    exit: Deferred.await(exited).pipe(
      Effect.tap(() => Effect.timeoutOption(Deferred.await(drained), drainWithin)),
      Effect.tap(() => Effect.sync(() => streams.forEach((stream) => stream.destroy())))
    ),
    memory: memoryOf(pid)
  })
}

const sources: ReadonlyArray<readonly [fd: 1 | 2 | 3, source: Source]> = [[1, "stdout"], [2, "stderr"], [3, "notices"]]

const kill = (node: NodeProcess, signal: "SIGTERM" | "SIGKILL"): void => {
  if (node.pid === undefined) return
  try {
    process.kill(signal === "SIGKILL" ? -node.pid : node.pid, signal)
  } catch {
    // Gone, or no process group on this system: the plain way knows whether it has been reaped.
    node.kill(signal)
  }
}

const killAndWait = (child: ChildProcess): Effect.Effect<void> =>
  Effect.andThen(child.signal("SIGKILL"), Effect.asVoid(child.exit))

/**
 * Linux tells resident memory and its high-water mark; elsewhere there is none, and no limit of it is watched. Read synchronously:
 * the kernel writes this file as it is read, while Node's pool of threads would be woken four times for it, ten times a second for
 * each child, in the process of somebody's program.
 */
const memoryOf = (pid: number): Effect.Effect<Option.Option<ProcessMemory>> =>
  Effect.sync(() => {
    const text = statusOf(pid)
    const bytesOf = (field: string): number | undefined => {
      const kibibytes = new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(text)?.[1]
      return kibibytes === undefined ? undefined : Number(kibibytes) * 1024
    }
    const bytes = bytesOf("VmRSS")
    const peakBytes = bytesOf("VmHWM")
    return bytes === undefined || peakBytes === undefined ? Option.none() : Option.some({ bytes, peakBytes })
  })

const statusOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/status`, "latin1")
  } catch {
    return "" // gone, or not Linux
  }
}
