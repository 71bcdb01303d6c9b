/**
 * What has gone wrong elsewhere, as cases: each with its name, its times drawn
 * from a seed, so that thousands of orders of the same events are tried.
 *
 * Source: the list of reference/reliability.md §2.9, most of it from the issues of
 * dask/distributed. Left out is what needs features that are not there: spilling
 * (#6110), active memory management (#6248), shuffles (#8091, #8094), and a
 * second scheduler.
 */
import type { CaseTask, Operation, Scenario } from "../Case.ts"
import type { Fault } from "../Fault.ts"
import { drawSchedule, settled } from "./Draw.ts"
import { type Draws, draws as drawsOf } from "./Draws.ts"

/** What a scenario says; the rest is drawn. */
interface Script {
  readonly workers: number
  readonly slots?: number
  readonly clients?: number
  readonly tasks: ReadonlyArray<CaseTask>
  readonly operations?: ReadonlyArray<Operation>
  readonly faults?: ReadonlyArray<Fault>
}

const scenario = (name: string, script: (draws: Draws) => Script): Scenario => ({
  name,
  of: (seed) => {
    const draws = drawsOf(seed)
    const { clients = 1, faults = [], operations = [], slots = 1, tasks, workers } = script(draws)
    return settled({
      version: 1,
      seed,
      cluster: { workers, slots },
      clients,
      schedule: drawSchedule(draws, [0, 0.01, 0.05, 0.2]),
      network: { latency: [0.1, draws.logUniform(0.2, 20, "latency")], fragment: draws.pick([0, 0.1], "fragment") },
      tasks,
      operations: [...operations].sort((a, b) => a.at - b.at),
      faults: [...faults].sort((a, b) => a.at - b.at),
      healAt: 0,
      endBy: 0
    })
  }
})

const task = (id: number, more: Partial<CaseTask> = {}): CaseTask => ({
  id, dependencies: [], client: 0, durationMs: 1, bytes: 0, retries: 0, priority: 0, body: { _tag: "Succeeds" }, isolation: "fiber", ...more
})

const range = (from: number, to: number): ReadonlyArray<number> => Array.from({ length: to - from }, (_, i) => from + i)

/** A wide row of tasks, each as long as is drawn. */
const row = (draws: Draws, from: number, to: number, more: (id: number) => Partial<CaseTask> = () => ({})): ReadonlyArray<CaseTask> =>
  range(from, to).map((id) => task(id, { durationMs: draws.logUniform(1, 100, "duration", id), ...more(id) }))

/** Some time within the first so many milliseconds. */
const within = (draws: Draws, ms: number, what: string, n = 0): number => draws.unit(`at.${what}`, n) * ms

const large = 100_000

export const scenarios: ReadonlyArray<Scenario> = [
  scenario("#5379: tasks are moved to new workers while those they are moved from die", (draws) => ({
    workers: 2,
    tasks: row(draws, 0, 24),
    operations: [{ _tag: "Scale", at: within(draws, 150, "scale"), workers: 4 }],
    faults: [
      { _tag: "WorkerCrash", at: within(draws, 400, "crash"), worker: "worker-0" },
      { _tag: "WorkerCrash", at: within(draws, 400, "crash", 1), worker: "worker-2" }
    ]
  })),
  scenario("#5128, #6689: tasks that fail at first are moved, and tried again where they come to", (draws) => ({
    workers: 1,
    tasks: row(draws, 0, 20, (id) => id % 3 === 0 ? { body: { _tag: "Fails", times: 2 }, retries: 2 } : {}),
    operations: [{ _tag: "Scale", at: within(draws, 100, "scale"), workers: 3 }]
  })),
  scenario("#4929: a holder of an input dies while it is fetched, and others have it", (draws) => ({
    workers: 3,
    tasks: [
      task(0, { bytes: large }),
      ...range(1, 8).map((id) => task(id, { dependencies: [0], durationMs: draws.logUniform(1, 30, "duration", id), bytes: large })),
      ...range(8, 16).map((id) => task(id, { dependencies: [0, 1 + (id % 7)] }))
    ],
    faults: [{ _tag: "WorkerCrash", at: within(draws, 80, "crash"), worker: `worker-${draws.int(0, 2, "victim")}` }]
  })),
  scenario("#5157, #5497: a task fails after its inputs were fetched, and the others go on", (draws) => ({
    workers: 2,
    tasks: [
      ...row(draws, 0, 4, () => ({ bytes: large })),
      task(4, { dependencies: [0, 1, 2, 3], body: { _tag: "Dies" } }),
      task(5, { dependencies: [0, 1, 2, 3], body: { _tag: "Fails", times: 3 }, retries: 1 }),
      task(6, { dependencies: [4] }),
      ...range(7, 14).map((id) => task(id, { dependencies: [id % 4] }))
    ],
    operations: [{ _tag: "Retry", at: within(draws, 200, "retry"), task: 5 }]
  })),
  scenario("#5503: a running task is cancelled just before it fails", (draws) => ({
    workers: 2,
    tasks: row(draws, 0, 8, (id) => id % 2 === 0 ? { body: { _tag: "Fails", times: 9 }, durationMs: 20 } : { body: { _tag: "Dies" }, durationMs: 20 }),
    operations: range(0, 8).map((id) => ({ _tag: "Cancel", at: 15 + within(draws, 30, "cancel", id), task: id, force: false }))
  })),
  scenario("#5525, #6673: a running task is released and wanted again", (draws) => ({
    workers: 2,
    tasks: [...row(draws, 0, 4), ...range(4, 10).map((id) => task(id, { dependencies: [id % 4], durationMs: 20 }))],
    operations: range(0, 10).flatMap((id): ReadonlyArray<Operation> => {
      const at = within(draws, 120, "release", id)
      return [{ _tag: "Release", at, task: id }, { _tag: "Resubmit", at: at + draws.logUniform(0.01, 20, "again", id), task: id, client: 0 }]
    })
  })),
  scenario("#6318: workers cannot reach each other, though the scheduler reaches all", (draws) => ({
    workers: 3,
    tasks: [...row(draws, 0, 6, () => ({ bytes: large })), ...range(6, 18).map((id) => task(id, { dependencies: [id % 6, (id + 1) % 6] }))],
    faults: [
      { _tag: "Partition", at: within(draws, 60, "cut"), a: ["worker-0"], b: ["worker-1", "worker-2"], oneWay: draws.chance(0.5, "oneWay"), forMs: draws.logUniform(50, 8_000, "for") },
      { _tag: "Partition", at: within(draws, 60, "cut", 1), a: ["worker-1"], b: ["worker-2"], oneWay: draws.chance(0.5, "oneWay", 1), forMs: draws.logUniform(50, 8_000, "for", 1) }
    ]
  })),
  scenario("#7348: queued tasks are released and submitted again at once", (draws) => ({
    workers: 1,
    tasks: row(draws, 0, 30),
    operations: range(10, 30).flatMap((id): ReadonlyArray<Operation> => {
      const at = within(draws, 300, "release", id)
      return [{ _tag: "Release", at, task: id }, { _tag: "Resubmit", at, task: id, client: 0 }]
    })
  })),
  scenario("#7574: a peer is gone for good while results are fetched from it", (draws) => ({
    workers: 3,
    tasks: [...row(draws, 0, 6, () => ({ bytes: large })), ...range(6, 14).map((id) => task(id, { dependencies: range(0, 6) }))],
    operations: [{ _tag: "Scale", at: within(draws, 200, "scale"), workers: 1 }]
  })),
  scenario("#5436: a worker is cut off for longer than its grace, and returns with what it has", (draws) => ({
    workers: 2,
    tasks: [...row(draws, 0, 10), ...range(10, 20).map((id) => task(id, { dependencies: [id - 10], durationMs: draws.logUniform(1, 3_000, "late", id) }))],
    faults: [{ _tag: "Partition", at: within(draws, 200, "cut"), a: ["worker-0"], b: ["scheduler"], oneWay: draws.chance(0.3, "oneWay"), forMs: draws.logUniform(4_000, 15_000, "for") }]
  })),
  scenario("#6263, #6356, #6392: tasks are sent to workers that are being closed", (draws) => ({
    workers: 4,
    tasks: row(draws, 0, 30),
    operations: [1, 4, 2].map((workers, n) => ({ _tag: "Scale", at: within(draws, 400, "scale", n), workers }))
  })),
  scenario("a restarted worker gets what was meant for the one before it", (draws) => ({
    workers: 2,
    slots: 2,
    tasks: [...row(draws, 0, 12), ...range(12, 20).map((id) => task(id, { dependencies: [id - 12] }))],
    faults: range(0, 3).map((n) => ({ _tag: "WorkerCrash", at: within(draws, 1_500, "crash", n), worker: `worker-${n % 2}` }))
  })),
  scenario("a cancellation crosses a completion", (draws) => ({
    workers: 2,
    tasks: [...range(0, 12).map((id) => task(id, { durationMs: 10 })), ...range(12, 16).map((id) => task(id, { dependencies: [id - 12] }))],
    operations: range(0, 12).map((id) => ({ _tag: "Cancel", at: 5 + within(draws, 60, "cancel", id), task: id, force: draws.chance(0.5, "force", id) }))
  })),
  scenario("a release crosses a resubmission by another client", (draws) => ({
    workers: 2,
    clients: 2,
    tasks: [...row(draws, 0, 6), ...range(6, 12).map((id) => task(id, { dependencies: [id - 6], durationMs: 10 }))],
    operations: range(0, 12).flatMap((id): ReadonlyArray<Operation> => {
      const at = within(draws, 150, "release", id)
      return [{ _tag: "Release", at, task: id }, { _tag: "Resubmit", at: Math.max(0, at + (draws.unit("cross", id) - 0.5) * 20), task: id, client: 1 }]
    })
  })),
  scenario("a nanny fails while its worker does: one worker comes back, and not two", (draws) => {
    const at = within(draws, 300, "nanny")
    return {
      workers: 2,
      tasks: row(draws, 0, 20),
      faults: [
        { _tag: "NannyCrash", at, worker: "worker-0" },
        { _tag: "WorkerCrash", at: at + draws.logUniform(0.01, 200, "after"), worker: "worker-0" },
        { _tag: "SpawnFailure", at, worker: "worker-1", times: 1 },
        { _tag: "WorkerCrash", at: within(draws, 300, "other"), worker: "worker-1" }
      ]
    }
  }),
  scenario("a client returns after its grace is over", (draws) => ({
    workers: 2,
    clients: 2,
    tasks: [...row(draws, 0, 8), ...row(draws, 8, 16, () => ({ client: 1 })), ...range(16, 20).map((id) => task(id, { client: 1, dependencies: [id - 8] }))],
    operations: [{ _tag: "Resubmit", at: within(draws, 200, "share"), task: 3, client: 1 }],
    faults: [{ _tag: "Partition", at: within(draws, 300, "cut"), a: ["client-1"], b: ["scheduler"], oneWay: false, forMs: draws.logUniform(20_000, 150_000, "for") }]
  })),
  scenario("the only holder of scattered data dies while tasks fetch it: they fail, and wait for nothing", (draws) => ({
    workers: 3,
    tasks: [
      ...range(0, 3).map((id) => task(id, { body: { _tag: "Scattered" }, bytes: large })),
      ...range(3, 12).map((id) => task(id, { dependencies: [id % 3], durationMs: draws.logUniform(1, 30, "duration", id) })),
      ...range(12, 16).map((id) => task(id, { dependencies: [id - 9, id - 6] }))
    ],
    faults: range(0, 2).map((n) => ({ _tag: "WorkerCrash", at: within(draws, 80, "crash", n), worker: `worker-${draws.int(0, 2, "victim", n)}` }))
  })),
  scenario("a task that ends its workers is found out among neighbours that are killed by chance", (draws) => ({
    workers: 2,
    slots: 2,
    tasks: row(draws, 0, 20, (id) => id === 7 ? { body: { _tag: "Exits" } } : {}),
    faults: range(0, 2).map((n) => ({ _tag: "WorkerCrash", at: within(draws, 3_000, "crash", n), worker: `worker-${n}` }))
  })),
  scenario("messages are sent again after every resumption", (draws) => ({
    workers: 2,
    tasks: [...row(draws, 0, 16), ...range(16, 24).map((id) => task(id, { dependencies: [id - 16, id - 15] }))],
    faults: range(0, 6).map((n) => ({
      _tag: draws.chance(0.5, "kind", n) ? "Duplicate" : "ConnectionLoss",
      at: within(draws, 300, "loss", n),
      a: n % 3 === 0 ? "client-0" : `worker-${n % 2}`,
      b: "scheduler",
      afterBytes: draws.logInt(1, 5_000, "bytes", n)
    }))
  })),
  scenario("the scheduler dies at any moment: every future says so", (draws) => ({
    workers: 2,
    clients: 2,
    tasks: [...row(draws, 0, 12), ...row(draws, 12, 20, () => ({ client: 1 }))],
    faults: [{ _tag: "SchedulerCrash", at: within(draws, 400, "crash") }]
  }))
]
