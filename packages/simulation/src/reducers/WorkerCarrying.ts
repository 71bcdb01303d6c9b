/**
 * A worker's commands, carried out: bodies begin and are stopped, peers are asked,
 * and what is to be told stands in the reports of the turn.
 *
 * Follows runtime/worker: Carrying, Executor and Gather.
 */
import type { Event as SchedulerEvent } from "@skein/core/scheduler/Event"
import type { Command } from "@skein/core/worker/Command"
import type { Event } from "@skein/core/worker/Event"
import type { RunId, TaskId, WorkerId } from "@skein/protocol/Ids"
import type { Held } from "@skein/protocol/WorkerRpcs"
import type { Beginning, Body, Gathering, Process } from "./Parts.ts"
import { breaks, type World } from "./World.ts"

export const carry = (world: World, process: Process, command: Command): void => {
  switch (command._tag) {
    case "Execute":
      return execute(world, process, command)
    case "NoteStarted":
      process.noted.add(command.run)
      return
    case "NoteEnded":
      process.noted.delete(command.run)
      return
    case "Resume": {
      const body = process.bodies.get(command.run)
      if (body?.waitsFor !== "slot" && body !== undefined && !body.interrupted) {
        // It has changed its mind meanwhile, and gives the slot back.
        offer(world, process, { _tag: "ExecuteSeceded", at: world.now, ...runOf(command), waits: body.waitsFor === "tasks" })
      }
      return body?.waitsFor === "tasks" ? undefined : goOn(body)
    }
    case "GoOn": {
      const body = process.bodies.get(command.run)
      return body?.waitsFor === "word" ? goOn(body) : undefined
    }
    case "Retract":
      return retract(world, process, command)
    case "Interrupt": {
      const body = process.bodies.get(command.run)
      if (body === undefined || body.interrupted) return
      body.interrupted = true
      goOn(body)
      return world.observer.interrupted(process, body)
    }
    case "Terminate": {
      const body = process.bodies.get(command.run)
      if (body !== undefined && body.isolation === "thread") world.observer.terminated(process, body)
      return
    }
    case "EndProcess":
      return world.observer.endProcess(process)
    case "Gather":
      return gather(world, process, command.peer, command.rows)
    case "Drop":
      return process.store.drop(command.id, command.run)
    case "ReportFinished": {
      const { id, ms, nbytes, run } = command
      return row(process, "TasksFinished", { id, run, nbytes, ms })
    }
    case "ReportFailed": {
      const { failure, id, ms, retryable, run } = command
      return row(process, "TasksFailed", { id, run, ms, failure, retryable })
    }
    case "ReportKilled":
      return row(process, "TasksKilled", { id: command.id, run: command.run, attempt: command.attempt })
    case "ReportStopped":
      return row(process, "TasksStopped", runOf(command))
    case "ReportTakeBack":
      return row(process, "TakeBacksAnswered", { ...runOf(command), returned: command.returned })
    case "ReportSeceded":
      return row(process, "TasksSeceded", runOf(command))
    case "ReportRescheduled":
      return row(process, "TasksRescheduled", runOf(command))
    case "ReportReplica":
      return row(process, "ReplicasAdded", command.held)
    case "ReportGone":
      return row(process, "ReplicasGone", command.row)
    case "ReportMissing":
      return row(process, "ReplicasMissing", { ...runOf(command), peer: command.peer })
    case "AskHolders":
      return row(process, "HoldersAsked", runOf(command))
    case "Wake":
      process.wakeAt = command.at
      return world.observer.wakeWorker(process, command.at)
  }
}

const goOn = (body: Body | undefined): void => {
  if (body === undefined) return
  body.waitsFor = undefined
  const { next } = body
  body.next = undefined
  next?.()
}

const runOf = ({ id, run }: { readonly id: TaskId; readonly run: RunId }) => ({ id, run })

/** Rows of one kind that stand together are one event. */
const row = ({ reports }: Process, tag: SchedulerEvent["_tag"], value: object): void => {
  const last = reports.at(-1)
  if (last !== undefined && last._tag === tag) (last as unknown as { rows: Array<object> }).rows.push(value) // the tag says whose rows they are
  else reports.push({ _tag: tag, at: 0, worker: 0, rows: [value] } as unknown as SchedulerEvent) // as above
}

/** A thread begins jobs in their order, so the youngest of several has not begun. */
const retract = (world: World, process: Process, { id, run }: Extract<Command, { readonly _tag: "Retract" }>): void => {
  const inThreads = [...process.bodies.values()].filter((body) => body.isolation === "thread")
  const body = inThreads.length > 1 ? inThreads.at(-1) : undefined
  const retracted = body?.run === run && !body.interrupted && !body.seceded
  if (retracted) {
    process.bodies.delete(run)
    world.begun[body.task] = (world.begun[body.task] ?? 0) - 1
  }
  offer(world, process, { _tag: "ExecuteRetracted", at: world.now, id, run, retracted })
}

/** Takes hold of the inputs, which are the right ones or none at all, and begins the body. */
const execute = (world: World, process: Process, command: Extract<Command, { readonly _tag: "Execute" }>): void => {
  const { attempt, dependencies, id, isolation, key, run } = command
  const task = world.tasks.placeOfKey(key)
  const needed = world.tasks.dependencies[task] ?? []
  dependencies.forEach((dependency, hole) => {
    const input = process.store.latest(dependency)
    if (input === undefined || input !== world.tasks.values[needed[hole] ?? -1]) {
      breaks("X5 a body gets the results of its dependencies", `task ${task} on ${process.name}, hole ${hole}: ${input === undefined ? "nothing" : "another's result"}`)
    }
  })
  if (process.bodies.has(run)) breaks("X2 a run is begun once", `task ${task} on ${process.name}`)
  const body: Body = { id, run, key, task, attempt, isolation, generation: process.store.generation(), interrupted: false, seceded: false, waitsFor: undefined, next: undefined }
  process.bodies.set(run, body)
  world.begun[task] = (world.begun[task] ?? 0) + 1
  world.observer.began(process, body)
}

const gather = (world: World, process: Process, peer: WorkerId, rows: ReadonlyArray<Held>): void => {
  if (process.gathers.has(peer)) breaks("W5 a peer is asked for one thing at a time", `${process.name} asks worker ${peer}`)
  const gathering: Gathering = { peer, rows, generation: process.store.generation(), answer: undefined }
  process.gathers.set(peer, gathering)
  world.observer.asked(process, gathering)
}

/** What happens at a worker waits for its machine's turn. */
export const offer = (world: World, process: Process, item: Event | Beginning): void => {
  process.mailbox.push(item)
  if (process.mailbox.length === 1) world.observer.workerFilled(process)
}
