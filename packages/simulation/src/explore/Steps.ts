/**
 * All that can happen in a state: each a way to another.
 *
 * Time does not pass by itself. A worker that asked to be woken may be woken at any
 * moment when nothing is under way between it and the scheduler; what is only
 * about slow bodies (`stopWithinMs`) is not explored.
 */
import * as IntSet from "@skein/core/persistent/IntSet"
import { ProcessId } from "@skein/protocol/Ids"
import * as ClientShell from "../reducers/ClientShell.ts"
import * as SchedulerShell from "../reducers/SchedulerShell.ts"
import * as WorkerShell from "../reducers/WorkerShell.ts"
import type { World } from "../reducers/World.ts"

/** What a client does; each when all before it has been done, at any moment after that. Tasks by place. */
export type Act =
  | { readonly _tag: "Submit" | "Cancel" | "Release" | "Retry"; readonly tasks: ReadonlyArray<number> }

/** One state, with what is left of the allowances. */
export interface Place {
  readonly world: World
  readonly acts: number
  readonly crashes: number
  readonly lost: number
  /** Ended lives of which no nanny has told. */
  readonly exits: ReadonlyArray<{ readonly process: number; readonly life: number; readonly started: ReadonlyArray<number> }>
  readonly number: number
}

export interface Step {
  /** Asked of those that are remembered alone. */
  readonly label: () => string
  readonly act: (place: Draft) => void
}

/** A place in the making. */
export type Draft = { -readonly [Field in keyof Omit<Place, "number">]: Place[Field] }

/** All that can happen in a state. */
export const stepsOf = (all: ReadonlyArray<Act>, { acts, crashes, exits, lost, world }: Place): ReadonlyArray<Step> => {
  const steps: Array<Step> = []
  const add = (label: () => string, act: Step["act"]): void => void steps.push({ label, act })
  const next = all[acts]
  if (next !== undefined) {
    add(() => `the client: ${next._tag} ${next.tasks.join(" ")}`, (place) => {
      place.acts++
      perform(place.world, next)
    })
  }
  world.sessions.forEach((session, at) => {
    const [up] = session.up.queue
    const [down] = session.down.queue
    if (up !== undefined && !session.overThere) {
      add(() => `${session.process} → scheduler: ${labelOf(up)}`, ({ world }) => SchedulerShell.takeFromWorker(world, world.sessions[at]!))
    }
    if (down !== undefined && !session.overHere) {
      add(() => `scheduler → ${session.process}: ${labelOf(down)}`, ({ world }) => WorkerShell.takeFromScheduler(world, world.sessions[at]!))
    }
  })
  world.processes.forEach((process, at) => {
    if (!process.alive) return
    for (const { attempt, run, task } of process.bodies.values()) {
      const { body } = world.tasks.get(task)
      const ending = body._tag === "Lies" ? "lies" : body._tag === "Fails" && attempt <= body.times ? "fails" : "succeeds"
      add(() => `${process.name}: task ${task} ${ending}`, ({ world }) => {
        const own = world.processes[at]!
        WorkerShell.endBody(world, own, own.bodies.get(run)!, ending)
      })
    }
    for (const { answer, peer } of process.gathers.values()) {
      if (answer === undefined) add(() => `worker ${peer} looks for ${process.name}`, ({ world }) => WorkerShell.serve(world, world.processes[at]!.gathers.get(peer)!, false))
      else {
        add(() => `${process.name} hears from worker ${peer}: ${answer._tag}`, ({ world }) => {
          const own = world.processes[at]!
          WorkerShell.receive(world, own, own.gathers.get(peer)!)
        })
      }
    }
    const { wakeAt } = process
    // Not before what is under way has arrived, or a worker could ask for ever without being heard.
    const isQuiet = process.session === undefined || process.session.up.queue.length + process.session.down.queue.length === 0
    if (wakeAt !== undefined && isQuiet && IntSet.size(process.machine.busy) + IntSet.size(process.machine.missing) > 0) {
      add(() => `${process.name} is woken`, ({ world }) => {
        world.now = Math.max(world.now, wakeAt)
        WorkerShell.tickWorker(world, world.processes[at]!)
      })
    }
    if (crashes > 0) {
      add(() => `${process.name} crashes`, (place) => {
        place.crashes--
        const own = place.world.processes[at]!
        const started = WorkerShell.crash(place.world, own)
        place.exits = [...place.exits, { process: at, life: own.life, started }]
        // Before or after anybody hears of it: the next life begins at once.
        WorkerShell.start(place.world, own)
      })
    }
    if (lost > 0 && process.contact !== undefined && process.contact === process.session) {
      add(() => `${process.name} loses its session`, (place) => {
        place.lost--
        WorkerShell.reconnect(place.world, place.world.processes[at]!)
      })
    }
  })
  exits.forEach((exit, at) =>
    add(() => `worker-${exit.process} is reported dead`, (place) => {
      place.exits = place.exits.filter((_, other) => other !== at)
      const process = place.world.processes[exit.process]!
      SchedulerShell.reportExit(place.world, { ...process, life: exit.life }, {
        _tag: "Died",
        startedAt: 0,
        report: { process: ProcessId.make(process.name), ended: "signal", detail: "", peakMemoryBytes: null, logTail: [], started: exit.started as ReadonlyArray<never> } // run numbers, as they were noted
      })
    })
  )
  return steps
}

const perform = (world: World, { _tag, tasks }: Act): void => {
  const client = world.clients[0]!
  switch (_tag) {
    case "Submit":
      return ClientShell.submit(world, client, tasks, 1)
    case "Cancel":
      return ClientShell.cancel(world, client, tasks, false)
    case "Release":
      return ClientShell.release(world, client, tasks)
    case "Retry":
      return ClientShell.retry(world, client, tasks)
  }
}

const labelOf = (message: { readonly _tag: string; readonly events?: ReadonlyArray<{ readonly _tag: string }> }): string =>
  message.events?.map(({ _tag }) => _tag).join(", ") ?? message._tag
