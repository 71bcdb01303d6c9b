/**
 * What a task costs the scheduler and its sessions: workers that answer at once,
 * so that nothing else is counted. Not a test: run it with
 *
 *     node packages/runtime/test/scheduler/bench.ts
 *
 * All of it is in one process, so that a task's time is the sum of what client,
 * scheduler and worker spend on it. Beside the wall's time stands the
 * processor's, which says the same on a busy machine as on an idle one.
 */
import { Effect, Queue } from "effect"
import { Ref } from "@skein/protocol/Ids"
import type { SubmittedTask } from "@skein/protocol/Graph"
import { code, declared, task } from "./utils/make.ts"
import * as Rig from "./utils/Rig.ts"

const tasksPerMessage = 5_000

/** A worker that has computed everything as soon as it is asked to. */
const instant = Effect.fnUntraced(function*(rig: Rig.Rig, name: string) {
  const worker = yield* Rig.registered(rig, name, { nfibers: 16 })
  const value = new Uint8Array(16)
  yield* Effect.forkScoped(Effect.forever(Effect.gen(function*() {
    const rows = (yield* worker.next("Compute")).rows.map(({ id, run }) => ({ id, run, nbytes: 16, ms: 0.01, value }))
    yield* worker.rpc.Report({ segments: [{ _tag: "Finished", rows }] })
  })))
})

interface Times {
  readonly ms: number
  readonly cpuMs: number
}
const cpuMs = () => {
  const { system, user } = process.cpuUsage()
  return (system + user) / 1000
}

/** Submits the tasks, waits for the last result, releases them; how long it took until the last result. */
const round = Effect.fnUntraced(function*(client: Rig.FakeClient, codes: boolean, tasks: ReadonlyArray<SubmittedTask>) {
  const begun: Times = { ms: performance.now(), cpuMs: cpuMs() }
  for (let at = 0; at < tasks.length; at += tasksPerMessage) {
    const part = tasks.slice(at, at + tasksPerMessage)
    const last = at + tasksPerMessage >= tasks.length
    yield* client.rpc.Submit({ graph: { codes: codes && at === 0 ? [declared(code("inc"))] : [], tasks: part, last } })
  }
  for (let done = 0; done < tasks.length;) {
    const report = yield* Queue.take(client.reports)
    if (report._tag === "InMemory") done += report.rows.length
  }
  const took: Times = { ms: performance.now() - begun.ms, cpuMs: cpuMs() - begun.cpuMs }
  yield* client.rpc.Release({ refs: tasks.map(({ ref }) => ref) })
  yield* client.rpc.Counts()
  return took
})

const map = (count: number, round: number) => Array.from({ length: count }, (_, n) => task(n, `map-${round}-${n}`))

const tree = (leaves: number, round: number) => {
  const tasks = map(leaves, round)
  let level = tasks.map((_, n) => n)
  while (level.length > 1) {
    const next: Array<number> = []
    for (let n = 0; n < level.length; n += 2) {
      next.push(tasks.length)
      tasks.push(task(tasks.length, `tree-${round}-${tasks.length}`, [level[n]!, ...(n + 1 < level.length ? [level[n + 1]!] : [])]))
    }
    level = next
  }
  return tasks
}

const bench = Effect.gen(function*() {
  const rig = yield* Rig.start()
  for (let n = 0; n < 4; n++) yield* instant(rig, `worker-${n}`)
  const client = yield* Rig.client(rig)
  const say = (what: string, count: number, { cpuMs, ms }: Times) => {
    const each = (total: number) => (total * 1000 / count).toFixed(2).padStart(8)
    console.log(`${what.padEnd(20)} ${String(count).padStart(7)} tasks ${ms.toFixed(0).padStart(6)} ms ${each(ms)} µs a task, ${each(cpuMs)} µs of processor`)
  }
  for (let n = 0; n < 6; n++) say("map", 10_000, yield* round(client, n === 0, map(10_000, n)))
  for (let n = 6; n < 9; n++) {
    const tasks = tree(5_000, n)
    say("tree", tasks.length, yield* round(client, false, tasks))
  }
  say("map", 100_000, yield* round(client, false, map(100_000, 9)))
  const trips = 2_000
  const begun: Times = { ms: performance.now(), cpuMs: cpuMs() }
  for (let n = 0; n < trips; n++) yield* round(client, false, [{ ...task(0, `single-${n}`), ref: Ref.make(n) }])
  say("one, release, count", trips, { ms: performance.now() - begun.ms, cpuMs: cpuMs() - begun.cpuMs })
  console.log("left over:", rig.tree.state().tasks.size, "tasks,", rig.tree.desk.tables.keys.size(), "keys")
})

await Effect.runPromise(Effect.scoped(bench).pipe(Effect.provide(Rig.layerNoJournal)))
