/** A nanny and real processes. Waiting is for their words and ends; what is timed is given its bound as a test's assertion. */
import { assert, describe, it } from "@effect/vitest"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { readdirSync, readFileSync } from "node:fs"
import { createInterface } from "node:readline"
import { Effect, Exit, Fiber, Option, Queue, Schema, Scope } from "effect"
import type { ExitReport } from "@skein/protocol/NannyRpcs"
import { ProcessSpawner } from "@skein/runtime/nanny/ChildProcess"
import * as Nanny from "@skein/runtime/nanny/Nanny"
import * as NodeProcesses from "@skein/runtime/node/NodeProcesses"
import * as Supervisor from "@skein/runtime/supervision/Supervisor"

const entry = new URL("../fixtures/child.ts", import.meta.url).href

/** A process, zombies aside. */
const isAlive = (pid: number): boolean => {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "latin1"))
  } catch {
    return false
  }
}

/** Milliseconds until the process is gone, at most `limit`. */
const goneAfter = async (pid: number, limit = 5_000): Promise<number> => {
  const start = performance.now()
  while (isAlive(pid) && performance.now() - start < limit) await new Promise((resolve) => setTimeout(resolve, 5))
  return performance.now() - start
}

const begin = (config: Schema.Json, options: Partial<Nanny.Options> = {}) =>
  Effect.gen(function*() {
    const reports = yield* Queue.unbounded<ExitReport>()
    const nanny = yield* Nanny.make({
      name: "real",
      entry,
      config,
      onExit: (report) => Queue.offer(reports, report),
      ...options
    })
    const scope = yield* Scope.make()
    yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))
    const fiber = yield* Supervisor.supervise({ name: "test", strategy: "one-for-one", children: [nanny.child] }).pipe(
      Effect.provide(NodeProcesses.layer),
      Effect.forkIn(scope)
    )
    return { nanny, reports, fiber }
  })

describe("ends", () => {
  it.live("exit code, half a line, and a start notice written in the last moment", () =>
    Effect.gen(function*() {
      const { reports, nanny } = yield* begin({ do: "exit" }, { policy: { restart: "temporary" } })
      const report = yield* Queue.take(reports)
      assert.deepStrictEqual([report.ended, report.detail, report.started], ["exit", "exit code 3", [7]])
      assert.sameMembers([...report.logTail], ["out", "half a", "err"])
      assert.sameMembers((yield* nanny.logs).map((line) => line.source), ["stdout", "stdout", "stderr"])
    }))

  it.live("a signal", () =>
    Effect.gen(function*() {
      const { reports } = yield* begin({ do: "abort" }, { policy: { restart: "temporary" } })
      const report = yield* Queue.take(reports)
      assert.deepStrictEqual([report.ended, report.detail, report.started], ["signal", "signal SIGSEGV", [8]])
    }))

  it.live("an uncaught error ends in its stack among the last lines, and in another life", () =>
    Effect.gen(function*() {
      const { reports } = yield* begin({ do: "throw" })
      const first = yield* Queue.take(reports)
      const second = yield* Queue.take(reports)
      assert.include(first.logTail.join("\n"), "thrown at top level")
      assert.notStrictEqual(first.process, second.process)
    }))

  it.live("peak memory is known while it lives, and nothing once it is gone", () =>
    Effect.gen(function*() {
      const lines = yield* Queue.unbounded<string>()
      const spawner = yield* ProcessSpawner
      const input = { process: "p", name: "n", parent: process.pid, config: { do: "eat", bytes: 200 * 2 ** 20 } }
      const child = yield* spawner.spawn(
        { entry, nodeArgs: [], image: [], env: {}, input: JSON.stringify(input) },
        (source, line) => void (source === "notices" && Queue.offerUnsafe(lines, line))
      )
      yield* Queue.take(lines)
      const { bytes, peakBytes } = Option.getOrThrow(yield* child.memory)
      assert.isAbove(bytes, 200 * 2 ** 20)
      assert.isAtLeast(peakBytes, bytes)
      yield* child.signal("SIGKILL")
      assert.deepStrictEqual(yield* child.exit, { code: null, signal: "SIGKILL" })
      assert.deepStrictEqual(yield* child.memory, Option.none())
    }).pipe(Effect.provide(NodeProcesses.layer)))

  it.live("a process that takes more memory than it may is ended, and its report says why (test_worker_memory.py::test_nanny_terminate)", () =>
    Effect.gen(function*() {
      const limit = 150 * 2 ** 20
      const { reports } = yield* begin({ do: "eat", bytes: 300 * 2 ** 20 }, { policy: { memoryLimitBytes: limit } })
      const { detail, ended, memoryLimitBytes, peakMemoryBytes } = yield* Queue.take(reports)
      assert.deepStrictEqual(
        { detail, ended, memoryLimitBytes },
        { ended: "memory-limit", detail: "exceeded 95 % of its memory limit, nanny stop", memoryLimitBytes: limit }
      )
      assert.isAbove(peakMemoryBytes ?? 0, 0.95 * limit)
    }).pipe(Effect.scoped, Effect.provide(NodeProcesses.layer)))

  it.live("a module that is not there is a crash like any other, and is given up", () =>
    Effect.gen(function*() {
      const { nanny } = yield* begin(null, { entry: "file:///nowhere.ts", policy: { intensity: 1 } })
      const error = yield* Effect.flip(nanny.ready)
      assert.include(error.message, "nowhere.ts")
    }))
})

describe("stopping", () => {
  it.live("SIGTERM lets the child end in order", () =>
    Effect.gen(function*() {
      const { nanny, reports } = yield* begin({ do: "idle" })
      yield* nanny.ready
      yield* nanny.stop
      const report = yield* Queue.take(reports)
      assert.deepStrictEqual([report.ended, report.detail], ["closed", "it was stopped (exit code 0)"])
      assert.include(report.logTail, "stopping in order")
    }))

  it.live("a child deaf to SIGTERM is killed after the bound", () =>
    Effect.gen(function*() {
      const { nanny, reports } = yield* begin({ do: "deaf" }, { policy: { stopWithinMs: 100 } })
      yield* nanny.ready
      yield* nanny.stop
      assert.include((yield* Queue.take(reports)).detail, "signal SIGKILL")
    }))

  it.live("when the nanny's fiber ends, the child has ended", () =>
    Effect.gen(function*() {
      const { nanny, fiber } = yield* begin({ do: "spin" }, { policy: { stopWithinMs: 100 } })
      yield* nanny.ready
      const pid = Option.getOrThrow(yield* nanny.pid)
      assert.isTrue(isAlive(pid))
      yield* Fiber.interrupt(fiber)
      assert.isFalse(isAlive(pid))
    }))

  it.live("what a child has started goes with it", () =>
    Effect.gen(function*() {
      const { nanny } = yield* begin({ do: "grandchild" })
      const pid = Schema.decodeUnknownSync(Schema.Int)(yield* nanny.ready)
      assert.isTrue(isAlive(pid))
      yield* nanny.stop
      assert.isBelow(yield* Effect.promise(() => goneAfter(pid)), 1_000)
    }))
})

describe("no orphans: kill -9 of the owner ends a child that", () => {
  for (const what of ["idle", "spin", "blocked", "deaf", "coming up", "without a shell"]) {
    it.live(`is ${what}, within a second`, () =>
      Effect.promise(async () => {
        const owner = spawn(process.execPath, [new URL("../fixtures/owner.ts", import.meta.url).pathname, what], {
          stdio: ["ignore", "pipe", "inherit"]
        })
        const [line] = await once(createInterface(owner.stdout), "line")
        const { pid } = JSON.parse(line)
        assert.isTrue(isAlive(pid))
        owner.kill("SIGKILL")
        assert.isBelow(await goneAfter(pid), 1_000)
        assert.deepStrictEqual(groupOf(pid), [])
      }))
  }
})

/** Processes that are left of a group. */
const groupOf = (pgid: number): ReadonlyArray<number> =>
  readdirSync("/proc").map(Number).filter((pid) => pid > 0 && isAlive(pid) && groupIdOf(pid) === pgid)

const groupIdOf = (pid: number): number => {
  try {
    // The name in brackets may hold anything; the group is the third field after it.
    return Number(readFileSync(`/proc/${pid}/stat`, "latin1").split(") ").at(-1)?.split(" ")[2])
  } catch {
    return 0
  }
}

it.live("the environment is an allow-list, and the arguments are empty", () =>
  Effect.gen(function*() {
    process.env["SKEIN_TEST_SECRET"] = "x"
    const { nanny } = yield* begin({ do: "environment" }, { env: { EXTRA: "1" } })
    const { env, argv } = Schema.decodeUnknownSync(
      Schema.Struct({ env: Schema.Array(Schema.String), argv: Schema.Array(Schema.String) })
    )(yield* nanny.ready)
    assert.deepStrictEqual(argv, [])
    assert.include(env, "EXTRA")
    assert.include(env, "PATH")
    assert.deepStrictEqual(
      env.filter((name) => !/^(PATH|HOME|TMPDIR|LANG|EXTRA|GLIBC_TUNABLES|NODE_.*)$/.test(name)),
      []
    )
  }))
