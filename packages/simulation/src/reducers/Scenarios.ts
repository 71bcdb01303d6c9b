/**
 * What went wrong in other systems, by name, and in ours: each a kind of case
 * that leads there, for the machines alone. From reference/reliability.md §2.9.
 *
 * Not here, because there is nothing of the kind yet: #6248's active memory
 * manager, #8091 and #8094 (shuffles), #6110 (spilling), copies on request,
 * take-over by another scheduler. A nanny's two restarts at once, #5128's
 * deserialising, the loss of scattered data and a client that returns too late
 * are the full stack's to show (cases/Scenarios.ts).
 */
import type { Body, Case, CaseTask, Operation, Scenario } from "../Case.ts"
import type { Fault } from "../Fault.ts"
import { Stream } from "./Draws.ts"
import { draw } from "./Generate.ts"

/** Makes a case, from nothing but chance. */
type Script = (stream: Stream) => Partial<Case>

const tasks = (count: number, make: (at: number) => Partial<CaseTask> = () => ({})): ReadonlyArray<CaseTask> =>
  Array.from({ length: count }, (_, id) => ({
    id,
    dependencies: [],
    client: 0,
    durationMs: 5,
    bytes: 100,
    retries: 0,
    priority: 0,
    body: { _tag: "Succeeds" },
    isolation: "fiber",
    ...make(id)
  }))

const times = <A>(count: number, make: (at: number) => A): ReadonlyArray<A> => Array.from({ length: count }, (_, at) => make(at))
const succeeds: Body = { _tag: "Succeeds" }
const fails = (times: number): Body => ({ _tag: "Fails", times })
const cluster = (workers: number, slots = 1) => ({ cluster: { workers, slots } })
const crash = (stream: Stream, workers: number, until = 60): Fault => ({ _tag: "WorkerCrash", at: stream.share() * until, worker: `worker-${stream.below(workers)}` })
const lost = (stream: Stream, workers: number): Fault => ({ _tag: "Partition", at: stream.share() * 60, a: [`worker-${stream.below(workers)}`], b: ["scheduler"], oneWay: false, forMs: stream.between(5_001, 12_000) })
const paused = (stream: Stream, workers: number): Fault => ({ _tag: "Pause", at: stream.share() * 60, part: `worker-${stream.below(workers)}`, forMs: stream.between(1, 9_000) })
const about = (stream: Stream, tag: "Retry" | "Release", count: number, of: number): ReadonlyArray<Operation> =>
  times(count, () => ({ _tag: tag, at: stream.share() * 80, task: stream.below(of) }))
const cancels = (stream: Stream, count: number, of: number): ReadonlyArray<Operation> =>
  times(count, () => ({ _tag: "Cancel", at: stream.share() * 80, task: stream.below(of), force: stream.chance(0.5) }))
const again = (stream: Stream, count: number, of: number): ReadonlyArray<Operation> =>
  times(count, () => ({ _tag: "Resubmit", at: stream.share() * 80, task: stream.below(of), client: 0 }))
/** Pairs of neighbours: each needs the two before it. */
const ladder = (at: number): Partial<CaseTask> => ({ dependencies: at < 2 ? [] : [at - 1, at - 2] })

/** Long tasks first on few workers, so that short ones wait behind them and are taken back when others join or become idle. */
const lopsided = (stream: Stream, body: (at: number) => Body = () => succeeds): Partial<Case> => ({
  ...cluster(3),
  tasks: tasks(16, (at) => ({ durationMs: at % 5 === 0 ? 60 : 6, body: body(at), isolation: stream.chance(0.5) ? "fiber" : "thread" }))
})

const scripts: Readonly<Record<string, Script>> = {
  "dask#5379 a steal against its confirmation": (stream) => ({ ...lopsided(stream), operations: [...cancels(stream, 2, 16), ...again(stream, 2, 16)], faults: times(2, () => crash(stream, 3)) }),
  "dask#6689 a flaky task is stolen": (stream) => ({ ...lopsided(stream, (at) => at % 2 === 0 ? fails(1) : succeeds), faults: times(1, () => crash(stream, 3)) }),
  "dask#4929 a dependency is missing here, and there elsewhere": (stream) => ({ ...cluster(3), tasks: tasks(12, (at) => ({ dependencies: at < 3 ? [] : [0, 1, 2], bytes: 2_000 })), faults: times(2, () => crash(stream, 3)) }),
  "dask#5157 an error after a fetch": (stream) => ({ ...cluster(3), tasks: tasks(12, (at) => ({ ...ladder(at), bytes: 2_000, body: at > 2 && stream.chance(0.4) ? fails(stream.between(1, 2)) : succeeds, retries: 1 })), operations: about(stream, "Retry", 3, 12) }),
  "dask#5503 executing, cancelled, failed": (stream) => ({ ...cluster(2, 2), tasks: tasks(8, () => ({ durationMs: 30, body: fails(1) })), operations: [...cancels(stream, 4, 8), ...about(stream, "Retry", 3, 8)] }),
  "dask#6673 cancelled and asked for again before it has stopped": (stream) => ({ ...cluster(2), tasks: tasks(6, (at) => ({ ...ladder(at), durationMs: 20 })), operations: [...cancels(stream, 4, 6), ...about(stream, "Retry", 4, 6)], faults: times(1, () => paused(stream, 2)) }),
  "dask#5525 and #6318 released and wanted, again and again": (stream) => ({ ...cluster(2), tasks: tasks(8, ladder), operations: [...about(stream, "Release", 6, 8), ...again(stream, 6, 8)] }),
  "dask#7348 a queued task is resubmitted fast": (stream) => ({ ...cluster(1), tasks: tasks(12, () => ({ durationMs: 15 })), operations: [...about(stream, "Release", 6, 12), ...again(stream, 6, 12)] }),
  "dask#7574 a peer departs in the middle of a fetch": (stream) => ({ ...cluster(3), tasks: tasks(12, (at) => ({ ...ladder(at), bytes: 4_000 })), faults: [...times(2, () => crash(stream, 3)), paused(stream, 3)] }),
  "dask#5436 a worker comes back with its data": (stream) => ({ ...cluster(2), tasks: tasks(10, (at) => ({ ...ladder(at), durationMs: 10 })), faults: times(2, () => lost(stream, 2)), operations: [...about(stream, "Release", 3, 10), ...again(stream, 3, 10)] }),
  "dask#6263, #6356 and #6392 a task on a worker that has closed": (stream) => ({ ...cluster(2), tasks: tasks(10, (at) => ({ ...ladder(at), durationMs: 20 })), faults: [...times(2, () => crash(stream, 2)), lost(stream, 2)], operations: cancels(stream, 2, 10) }),
  "dask#5497 nothing moves after an error": (stream) => ({ ...cluster(2), tasks: tasks(14, (at) => ({ dependencies: at === 0 ? [] : [Math.floor((at - 1) / 2)], body: stream.chance(0.3) ? fails(3) : succeeds, retries: stream.below(3) })), operations: about(stream, "Retry", 4, 14), faults: times(1, () => crash(stream, 2)) }),
  "ours: a worker comes back when the ids of its results are others' by now": (stream) => ({
    ...cluster(2),
    tasks: tasks(8, () => ({ durationMs: 2 })),
    operations: [
      ...times(8, (task): Operation => ({ _tag: "Release", at: 70, task })),
      ...times(8, (task): Operation => ({ _tag: "Resubmit", at: 90 + stream.share() * 20, task, client: 0 }))
    ],
    faults: [{ _tag: "Partition", at: 20 + stream.share() * 45, a: ["worker-0"], b: ["scheduler"], oneWay: false, forMs: stream.between(5_001, 12_000) }]
  }),
  "a stale message reaches a worker that has started again under its old name": (stream) => ({ ...cluster(2), tasks: tasks(10, (at) => ({ ...ladder(at), durationMs: 10 })), faults: [...times(3, () => crash(stream, 2)), { _tag: "Latency", at: 0, addMs: 60, forMs: 100 }] }),
  "cancelled as it completes": (stream) => ({ ...cluster(2), tasks: tasks(8, () => ({ durationMs: 1 })), operations: times(8, (task): Operation => ({ _tag: "Cancel", at: stream.share() * 30, task, force: true })) }),
  "released as it is submitted again": (stream) => ({ ...cluster(2), clients: 2, tasks: tasks(8, (at) => ({ ...ladder(at), durationMs: 2 })), operations: [...about(stream, "Release", 8, 8), ...times(8, (): Operation => ({ _tag: "Resubmit", at: stream.share() * 80, task: stream.below(8), client: stream.below(2) }))] }),
  "ours: a task is given back when whom it was asked back for has left": (stream) => ({ ...lopsided(stream), faults: times(3, () => crash(stream, 3, 100)) }),
  "ours: a peer answers what an earlier incarnation asked": (stream) => ({ ...cluster(3), tasks: tasks(12, (at) => ({ ...ladder(at), bytes: 4_000 })), network: { latency: [0.1, 100], fragment: 0 }, faults: times(3, () => lost(stream, 3)) }),
  "a task that always ends its worker, among others that do not": (stream) => ({ ...cluster(2, 2), tasks: tasks(8, (at) => ({ body: at === 3 ? { _tag: "Exits" } : succeeds, durationMs: 10, isolation: stream.chance(0.7) ? "fiber" : "thread" })) }),
  "ours: a body that has given up its slot ends its worker, beside bodies that take longer": (stream) => ({
    ...cluster(stream.between(1, 2), 2),
    tasks: tasks(6, (at) => at === 0 ? { body: { _tag: "Exits" }, durationMs: 20, secedes: "forGood" } : { durationMs: stream.between(30, 60) })
  })
}

/** By name. */
export const scenarios: ReadonlyArray<Scenario> = Object.entries(scripts).map(([name, script]) => ({
  name,
  of: (seed) => ({ ...draw(seed), clients: 1, operations: [], faults: [], healAt: 120, ...script(new Stream(seed, 0x5ce0)) })
}))
