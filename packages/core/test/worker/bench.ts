/**
 * How long a task's whole life takes in the worker machine: asked for, executed,
 * finished, freed. Run it by hand: `node packages/core/test/worker/bench.ts`.
 */
import type { Command } from "@skein/core/worker/Command"
import type { Event } from "@skein/core/worker/Event"
import { reduce } from "@skein/core/worker/Reducer"
import { empty, type State } from "@skein/core/worker/State"
import type { Assignment, Run } from "@skein/protocol/WorkerRpcs"
import { CodeId, Key, RunId, TaskId, WorkerId } from "@skein/protocol/Ids"

const at = 1_700_000_000_000
const args = new Uint8Array(16)
const code = CodeId.make(1)
const nothing: Assignment["dependencies"] = []
const holders = [WorkerId.make(2), WorkerId.make(3)]
let nextRun = 0

const started = (): State =>
  reduce(empty(), [{ _tag: "Started", at, worker: WorkerId.make(1), nthreads: 2, nfibers: 64, holds: [] }]).state

const assignment = (id: number, dependencies: Assignment["dependencies"]): Assignment => ({
  id: id as TaskId,
  run: ++nextRun as RunId,
  key: `k-${id}` as Key,
  code,
  args,
  isolation: "fiber",
  priority: 0,
  rank: nextRun,
  attempt: 1,
  alone: false,
  dependencies
})

const finished = (commands: ReadonlyArray<Command>): Array<Event> =>
  commands.flatMap((command): ReadonlyArray<Event> =>
    command._tag === "Execute"
      ? [{ _tag: "ExecuteSucceeded", at, id: command.id, run: command.run, nbytes: 28, ms: 0.1, inline: true }]
      : command._tag === "Gather"
      ? [{ _tag: "GatherSucceeded", at, peer: command.peer, got: command.rows, missing: [] }]
      : []
  )

/** `lives` lives in rounds of `batch`, beside `held` results that stay; µs a life. */
const measure = (lives: number, batch: number, held: number, shape: "alone" | "inputs"): number => {
  let state = started()
  let spent = 0
  const step = (events: ReadonlyArray<Event>): ReadonlyArray<Command> => {
    const before = performance.now()
    const next = reduce(state, events)
    spent += performance.now() - before
    state = next.state
    return next.commands
  }
  for (let id = 0; id < held; id += 100) {
    const rows = Array.from({ length: 100 }, (_, n) => assignment(id + n, nothing))
    for (let events = finished(step([{ _tag: "ComputeAsked", at, rows }])); events.length > 0;) events = finished(step(events))
  }
  spent = 0
  for (let done = 0; done < lives; done += batch) {
    const inputs: ReadonlyArray<Assignment["dependencies"]> = Array.from({ length: batch }, (_, n) =>
      shape === "alone" ? nothing : [{ id: (held + batch + n) as TaskId, run: ++nextRun as RunId, nbytes: 28, whoHas: holders }])
    const rows = inputs.map((dependencies, n) => assignment(held + n, dependencies))
    for (let events = finished(step([{ _tag: "ComputeAsked", at, rows }])); events.length > 0;) events = finished(step(events))
    const free: Array<Run> = [...rows, ...inputs.flat()].map(({ id, run }) => ({ id, run }))
    step([{ _tag: "FreeAsked", at, rows: free }])
  }
  if (state.tasks.size !== held) throw new Error(`${state.tasks.size} records are left, not ${held}`)
  return spent * 1_000 / lives
}

const lives = Number(process.argv[2] ?? 20_000)
for (const shape of ["alone", "inputs"] as const) {
  for (const held of [0, 10_000]) {
    for (const batch of [1, 10, 100, 500]) {
      // The best of several: whatever else the machine does can only make it slower.
      const best = Math.min(...Array.from({ length: 7 }, () => measure(lives, batch, held, shape)))
      console.log(`${shape === "alone" ? "no input " : "one fetched"}, ${held} held, batches of ${batch}: ${best.toFixed(2)} µs a life`)
    }
  }
}
