/** A whole cluster in a run: what faults do to it, that they are seen, and that nothing is left. */
import { assert, describe, it } from "@effect/vitest"
import { Client } from "@skein/client/Client"
import { TaskError } from "@skein/protocol/Failure"
import { type FnTask, Task } from "@skein/protocol/Task"
import { exitProcess, spend, stuck } from "@skein/simulation/Body"
import type { Fault } from "@skein/simulation/Fault"
import { faultKinds } from "@skein/simulation/Fault"
import * as SimCluster from "@skein/simulation/SimCluster"
import * as World from "@skein/simulation/World"
import { Cause, Effect, Exit, Option } from "effect"
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"

const increment = Task.fn("increment", (n: number) => n + 1)
const twice = Task.fn("twice", Effect.fnUntraced(function*(n: number) {
  yield* Effect.sleep(60)
  return 2 * n
}))

/** Thirty tasks: plain ones in threads, and Effects upon them. */
const work = Effect.gen(function*() {
  const client = yield* Client
  const increments = yield* client.map(increment, Array.from({ length: 15 }, (_, n) => n))
  return yield* client.gather(yield* client.map(twice, increments))
})
const results = Array.from({ length: 15 }, (_, n) => 2 * (n + 1))

interface Seen {
  readonly cluster: SimCluster.SimCluster
  /** Virtual milliseconds at which the cluster was up. */
  readonly upAt: number
}

/** Does the work on a cluster to which these faults happen, looks at what `look` is for, and sees that nothing is left. */
const disturbed = <A>(
  seed: number,
  faults: ReadonlyArray<Fault>,
  look: (seen: Seen) => Effect.Effect<A> = () => Effect.never,
  options: Partial<SimCluster.SimClusterOptions> = {}
) => {
  const outcome = World.run(
    { seed, maxMs: 600_000, trace: true, schedule: { strategy: "uniform", preemption: 0.02, opsBeforeYield: 2048 } },
    Effect.gen(function*() {
      const cluster = yield* SimCluster.make({ workers: 3, slots: 2, clients: 2, ...options })
      const upAt = cluster.world.now
      for (const fault of faults) cluster.world.at(upAt + fault.at, () => cluster.inject(fault))
      const running = cluster.clients[0]!.run(work)
      const [looked] = yield* Effect.all([Effect.timeoutOption(look({ cluster, upAt }), 15_000), Effect.sleep(15_000)], { concurrency: 2 })
      cluster.heal()
      const exit = yield* running.exit
      yield* cluster.shutdown
      return { exit, looked: Option.getOrUndefined(looked), injected: cluster.injected, leftovers: cluster.leftovers() }
    })
  )
  if (Exit.isFailure(outcome.exit)) throw new Error(`seed ${seed}: ${Cause.pretty(outcome.exit.cause)}`)
  return { ...outcome, ...outcome.exit.value }
}

/** Of the `TaskError` with which it failed. */
const reasonOf = (exit: Exit.Exit<unknown, unknown>): string | undefined => {
  const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  return error instanceof TaskError ? error.reason._tag : undefined
}

/** Ends well: with all results, and nothing left. */
const endsWell = (outcome: ReturnType<typeof disturbed>) => {
  assert.deepStrictEqual(outcome.exit, Exit.succeed(results))
  assert.deepStrictEqual(outcome.leftovers, [])
}

const one: { readonly [Kind in Fault["_tag"]]: Extract<Fault, { readonly _tag: Kind }> } = {
  WorkerCrash: { _tag: "WorkerCrash", at: 20, worker: "worker-1" },
  NannyCrash: { _tag: "NannyCrash", at: 30, worker: "worker-0" },
  ClientCrash: { _tag: "ClientCrash", at: 10, client: "client-1" },
  SchedulerCrash: { _tag: "SchedulerCrash", at: 40 },
  Pause: { _tag: "Pause", at: 30, part: "worker-2", forMs: 9000 },
  Partition: { _tag: "Partition", at: 25, a: ["worker-0"], b: ["scheduler", "worker-1"], oneWay: false, forMs: 3000 },
  Latency: { _tag: "Latency", at: 5, addMs: 30, forMs: 500 },
  ConnectionLoss: { _tag: "ConnectionLoss", at: 2, a: "worker-2", b: "scheduler", afterBytes: 60 },
  Duplicate: { _tag: "Duplicate", at: 2, a: "worker-1", b: "scheduler", afterBytes: 40 },
  SlowReader: { _tag: "SlowReader", at: 5, part: "client-0", rate: 500, forMs: 4000 },
  ClockJump: { _tag: "ClockJump", at: 20, part: "scheduler", byMs: -60_000 },
  ClockSkew: { _tag: "ClockSkew", at: 20, part: "worker-0", rate: 1.1 },
  SpawnFailure: { _tag: "SpawnFailure", at: 1, worker: "worker-1", times: 2 },
  MemoryPressure: { _tag: "MemoryPressure", at: 45, worker: "worker-2" },
  Disk: { _tag: "Disk", at: 10, part: "scheduler", how: "slow", forMs: 3000 }
}

/** Nothing here waits: only a machine with much else to do takes longer than seconds. */
const SLOW = { timeout: 300_000 }

describe("thirty tasks end with their results, and nothing is left, whatever happens meanwhile:", SLOW, () => {
  it("nothing", () => endsWell(disturbed(1, [])))

  for (const kind of faultKinds) {
    if (kind === "SchedulerCrash") continue
    it(kind, () => {
      for (const seed of [1, 2, 3, 4]) {
        const outcome = disturbed(seed, [one[kind]], () => Effect.never, { journal: kind === "Disk" })
        endsWell(outcome)
        assert.deepStrictEqual([...outcome.injected], [[kind, 1]])
      }
    })
  }

  it("all of it at once", () => {
    for (const seed of [1, 2, 3, 4]) {
      const faults = faultKinds.filter((kind) => kind !== "SchedulerCrash").map((kind) => one[kind])
      const outcome = disturbed(seed, faults, () => Effect.never, { journal: true })
      endsWell(outcome)
      assert.strictEqual(outcome.injected.size, faults.length)
    }
  })
})

describe("a scheduler that is gone", SLOW, () => {
  it("takes every future with it, by name", () => {
    for (const seed of [1, 2, 3]) {
      const { exit, leftovers } = disturbed(seed, [one.SchedulerCrash])
      assert.strictEqual(reasonOf(exit), "SchedulerLost")
      assert.deepStrictEqual(leftovers, [])
    }
  })

  it("does not come back from a disk that is full", () => {
    const full: Fault = { _tag: "Disk", at: 10, part: "scheduler", how: "full", forMs: 60_000 }
    const { exit, lines } = disturbed(1, [full], () => Effect.never, { journal: true })
    assert.strictEqual(reasonOf(exit), "SchedulerLost")
    assert.isTrue(lines.some((line) => /scheduler +writes .*ENOSPC/.test(line)))
    assert.isTrue(lines.some((line) => /scheduler +ends: exit code 1/.test(line)))
  })
})

describe("a fault is seen where it happens:", SLOW, () => {
  const matching = (lines: ReadonlyArray<string>, pattern: RegExp) => lines.filter((line) => pattern.test(line)).length

  it("a crashed worker is another process afterwards", () => {
    const { lines } = disturbed(1, [one.WorkerCrash])
    assert.strictEqual(matching(lines, /worker-1 +ends: SIGKILL/), 1)
    assert.strictEqual(matching(lines, /worker-1 +begins as process/), 2)
  })

  it("so is that of a nanny which broke: it is not orphaned", () => {
    const { lines } = disturbed(1, [one.NannyCrash])
    assert.strictEqual(matching(lines, /worker-0 +ends: SIGKILL/), 1)
    assert.strictEqual(matching(lines, /worker-0 +begins as process/), 2)
  })

  it("one that the machine ended for want of memory says how much it had", () => {
    const { looked } = disturbed(1, [one.MemoryPressure], ({ cluster }) =>
      Effect.andThen(Effect.sleep(5000), Effect.map(cluster.logs, (logs) => logs.get("cluster")?.join("\n"))))
    assert.match(looked ?? "", /worker-2 ended: signal/)
  })

  it("a worker whose process would not start comes later", () => {
    const { looked } = disturbed(1, [one.SpawnFailure, one.WorkerCrash], ({ cluster, upAt }) =>
      Effect.gen(function*() {
        yield* Effect.sleep(200)
        while (cluster.workers().size < 3) yield* Effect.sleep(10)
        return cluster.world.now - upAt
      }))
    assert.isAbove(looked ?? 0, 300)
  })

  it("a worker that stands still says nothing meanwhile, and is given up", () => {
    const { lines, looked } = disturbed(1, [one.Pause], ({ cluster, upAt }) =>
      Effect.gen(function*() {
        while (cluster.scheduler()!.state().workers.size === 3) yield* Effect.sleep(50)
        return cluster.world.now - upAt
      }))
    assert.isTrue(looked !== undefined && looked > 4000 && looked < 9500, String(looked))
    const said = lines.filter((line) => line.includes(" worker-2->")).map((line) => Number(line.slice(0, 12)))
    const begun = lines.find((line) => line.includes("\"Pause\""))!
    const from = Number(begun.slice(0, 12))
    assert.deepStrictEqual(said.filter((at) => at > from && at < from + 9000), [])
  })

  it("a broken connection is made anew, and a duplicate is noticed as such", () => {
    for (const kind of ["ConnectionLoss", "Duplicate"] as const) {
      const { lines } = disturbed(1, [one[kind]])
      const fault = one[kind]
      assert.isAtLeast(matching(lines, new RegExp(`${fault.a} +connects to scheduler`)), 2, kind)
    }
  })

  it("a partition lets no byte through that was sent during it", () => {
    const { looked } = disturbed(1, [one.Partition], ({ cluster }) =>
      Effect.gen(function*() {
        yield* Effect.sleep(200)
        const during = [...cluster.net.blocked].sort()
        yield* Effect.sleep(3500)
        return { during, after: [...cluster.net.blocked] }
      }))
    assert.deepStrictEqual(looked, {
      during: ["scheduler->worker-0", "worker-0->scheduler", "worker-0->worker-1", "worker-1->worker-0"],
      after: []
    })
  })

  it("a target that is gone makes it a fault in vain", () => {
    const { injected, lines } = disturbed(1, [one.ClientCrash, { ...one.ClientCrash, at: 50 }, { _tag: "WorkerCrash", at: 60, worker: "worker-9" }])
    assert.deepStrictEqual([...injected], [["ClientCrash", 1]])
    assert.strictEqual(matching(lines, /in vain/), 2)
  })
})

describe("bodies", SLOW, () => {
  const quits = Task.fn("quits", (code: number): number => exitProcess(code))
  const long = Task.fn("long", (ms: number): number => {
    spend(ms)
    return ms
  })
  const deaf = Task.fn("deaf", (ms: number): number => {
    stuck(ms)
    return ms
  })
  const ask = <A, E>(seed: number, program: Effect.Effect<A, E, Client>) => {
    const outcome = World.run({ seed, maxMs: 7_200_000 }, Effect.gen(function*() {
      const cluster = yield* SimCluster.make({ workers: 1, slots: 1 })
      const before = cluster.world.now
      const exit = yield* cluster.clients[0]!.run(program).exit
      const tookMs = cluster.world.now - before
      yield* cluster.shutdown
      return { exit, tookMs, leftovers: cluster.leftovers() }
    }))
    if (Exit.isFailure(outcome.exit)) throw new Error(Cause.pretty(outcome.exit.cause))
    assert.deepStrictEqual(outcome.exit.value.leftovers, [])
    return outcome.exit.value
  }
  const submitted = <A>(task: FnTask<[number], A>, n: number) => Effect.flatMap(Client, (client) => Effect.flatMap(client.submit(task, n), (future) => future.result))

  it("take the virtual time that they say", () => {
    const { exit, tookMs } = ask(1, submitted(long, 600_000))
    assert.deepStrictEqual(exit, Exit.succeed(600_000))
    assert.isTrue(tookMs > 600_000 && tookMs < 610_000, String(tookMs))
  })

  it("that end their thread fail alone, after their attempts", () => {
    const { exit } = ask(1, submitted(quits, 3))
    assert.strictEqual(reasonOf(exit), "KilledWorker")
  })

  it("that never end are cancelled with their thread, those in a system call with their process", () => {
    const cancelled = (task: typeof long) =>
      Effect.gen(function*() {
        const client = yield* Client
        const future = yield* client.submit(task, Infinity)
        yield* Effect.sleep(500)
        yield* client.cancel([future])
        return yield* submitted(long, 1)
      })
    assert.deepStrictEqual(ask(1, cancelled(long)).exit, Exit.succeed(1))
    assert.deepStrictEqual(ask(1, cancelled(deaf)).exit, Exit.succeed(1))
  })
})

describe("a client's garbage collector", SLOW, () => {
  const endless = Task.fn("endless", (_n: number) => Effect.never)

  /** Tasks of the scheduler, before and after a client with three futures, two of them on one key, is told what its collector finds. */
  const tasksAround = (found: (futures: ReadonlyArray<object>) => ReadonlyArray<object>) => {
    const { exit } = World.run({ seed: 4, maxMs: 60_000 }, Effect.gen(function*() {
      const cluster = yield* SimCluster.make({ workers: 1, slots: 3 })
      const tasks = () => cluster.scheduler()?.state().tasks.size
      const client = cluster.clients[0]!
      const futures = yield* Effect.flatten(client.run(Effect.flatMap(Client, (client) => client.map(endless, [1, 2, 2]))).exit)
      yield* Effect.sleep(100)
      const before = tasks()
      for (const target of found(futures)) client.collect(target)
      yield* Effect.sleep(1_000)
      return [before, tasks()]
    }))
    return exit
  }

  it("finds a future that is lost, and the scheduler forgets its key", () => {
    assert.deepStrictEqual(tasksAround(([first]) => [first!]), Exit.succeed([2, 1]))
  })

  it("finds the last future on a key before that is forgotten, and none twice", () => {
    assert.deepStrictEqual(tasksAround(([, second]) => [{}, second!, second!]), Exit.succeed([2, 2]))
    assert.deepStrictEqual(tasksAround((futures) => futures), Exit.succeed([2, 0]))
  })
})

describe("equal seeds give equal runs", SLOW, () => {
  it("in this process, one after another, and in no two of different seeds", () => {
    const faults = [one.WorkerCrash, one.Partition, one.Duplicate]
    const hashes = [1, 2, 3].flatMap((seed) => [disturbed(seed, faults).hash, disturbed(seed, faults).hash])
    assert.strictEqual(new Set(hashes).size, 3)
    assert.strictEqual(hashes[0], hashes[1])
  })

  it("in other processes, and under Node 22 and 24", () => {
    const entry = fileURLToPath(new URL("utils/hashes.ts", import.meta.url))
    const node22 = fileURLToPath(new URL("../../../node_modules/node22/bin/node", import.meta.url))
    const said = [process.execPath, process.execPath, node22].map((node) => {
      const { status, stderr, stdout } = spawnSync(node, [entry], { encoding: "utf8" })
      assert.strictEqual(status, 0, stderr)
      return stdout
    })
    assert.match(said[0]!, /^(\d+ [0-9a-f]{16}\n){3}$/)
    assert.deepStrictEqual(said, [said[0]!, said[0]!, said[0]!])
  })
})
