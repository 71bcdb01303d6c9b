/**
 * The scheduler's commands, addressed: which session or client each is for, under
 * the names that these have for what it is about.
 *
 * Follows runtime/scheduler/Carrying.
 */
import type { Command } from "@skein/core/scheduler/Command"
import type { Event as WorkerEvent } from "@skein/core/worker/Event"
import type { ClientId, TaskId, WorkerId } from "@skein/protocol/Ids"
import type { Client, News, Process, Session } from "./Parts.ts"
import { breaks, type World } from "./World.ts"

/** What is for whom, in the order in which each was first addressed. They are few, and looked for one by one. */
class Addressed<To, Row> {
  readonly all: Array<{ readonly to: To; readonly rows: Array<Row> }> = []

  of(to: To): Array<Row> {
    for (const entry of this.all) if (entry.to === to) return entry.rows
    const rows: Array<Row> = []
    this.all.push({ to, rows })
    return rows
  }
}

/** Of one turn. */
export class Outbox {
  readonly workers = new Addressed<Session, WorkerEvent>()
  readonly clients = new Addressed<Client, News>()
}

/** Addresses one command to whom it is for, if they are there still. */
export const carry = (world: World, command: Command, out: Outbox): void => {
  switch (command._tag) {
    case "ComputeTask": {
      const key = world.keys.keyOf(command.id)
      const session = world.workers.get(command.worker)
      if (key === undefined) return breaks("commands name what there is", `${command._tag} for task ${command.id}`)
      // What is for a worker that has gone is for nobody: the event about that waits in the mailbox.
      if (session === undefined) return
      const { alone, args, attempt, code, decisive, dependencies, id, isolation, priority, rank, run } = command
      const plain = { id, run, key, code, args, isolation, priority, rank, attempt, alone, dependencies }
      return row(out, session, "ComputeAsked", decisive === undefined ? plain : { ...plain, decisive })
    }
    case "CancelTask":
      return aboutRun(world, out, "CancelAsked", command)
    case "TakeBack":
      return aboutRun(world, out, "TakeBackAsked", command)
    case "FreeKey":
      return aboutRun(world, out, "FreeAsked", command)
    case "TellHolders": {
      const session = world.workers.get(command.worker)
      if (session === undefined) return
      return row(out, session, "HoldersTold", { id: command.id, run: command.run, whoHas: command.whoHas })
    }
    case "ReportInMemory":
      return news(world, out, command.client, command.id, (ref) => ({ _tag: "InMemory", ref, run: command.run }))
    case "ReportErred": {
      const origin = world.keys.keyOf(command.origin)
      if (origin === undefined) return breaks("commands name what there is", `the failure of task ${command.id} comes from ${command.origin}, which is gone`)
      return news(world, out, command.client, command.id, (ref) => ({ _tag: "Erred", ref, failure: command.failure, origin }))
    }
    case "ReportPending":
      return news(world, out, command.client, command.id, (ref) => ({ _tag: "Pending", ref }))
    case "ReportConflict":
      return breaks("equal tasks are no conflict", `task ${command.id} for client ${command.client}`)
    case "ReportRefused":
      return breaks("there is room for every task", `task ${command.id} for client ${command.client}`)
    case "ReportUnknown":
      return breaks("nobody asks for a key by its name", `task ${command.id} for client ${command.client}`)
    case "TellDetachedFailed":
      return breaks("every task is held", `task ${command.id} failed and nobody may hold it`)
    case "Reply":
      return answered(world, command)
    case "EndWorker": {
      const session = world.workers.get(command.worker)
      if (session !== undefined) world.observer.endProcess(processOf(world, session))
      return
    }
    case "Wake":
      world.wakeAt = command.at
      return world.observer.wakeScheduler(command.at)
    case "Forgotten":
      return // all at once, after this
  }
}

const aboutRun = (world: World, out: Outbox, tag: WorkerEvent["_tag"], { id, run, worker }: { readonly worker: WorkerId; readonly id: TaskId; readonly run: number }): void => {
  const session = world.workers.get(worker)
  if (session !== undefined) row(out, session, tag, { id, run })
}

/** Rows of one kind that stand together are one event. */
const row = (out: Outbox, session: Session, tag: WorkerEvent["_tag"], value: object): void => {
  const events = out.workers.of(session)
  const last = events.at(-1)
  if (last !== undefined && last._tag === tag) (last as unknown as { rows: Array<object> }).rows.push(value) // the tag says whose rows they are
  else events.push({ _tag: tag, at: 0, rows: [value] } as unknown as WorkerEvent) // as above
}

const news = (world: World, out: Outbox, id: ClientId, task: TaskId, make: (ref: NonNullable<ReturnType<Client["refs"]["refOf"]>>) => News): void => {
  const client = world.clients[id]
  const ref = client?.refs.refOf(task)
  // What is for a client that has left, or has let go of the key, is for nobody.
  if (client === undefined || client.gone || ref === undefined) return
  out.clients.of(client).push(make(ref))
}

const processOf = (world: World, session: Session): Process =>
  world.processes[session.process] ?? breaks("commands name what there is", `process ${session.process}`)

/** A cancellation is answered only once nothing that it stopped runs on a connected worker. */
const answered = (world: World, { answer, ask }: Extract<Command, { readonly _tag: "Reply" }>): void => {
  const asked = world.asks.get(ask)
  // Of a client that has left nothing is remembered.
  if (asked === undefined) return
  world.asks.delete(ask)
  if (answer._tag !== "Cancelled") return
  for (const session of world.workers.values()) {
    const process = processOf(world, session)
    if (process.life !== session.life || process.contact !== session) continue
    for (const body of process.bodies.values()) {
      const at = asked.runs.indexOf(body.run)
      if (at >= 0 && answer.outcomes[at] === "cancelled") {
        breaks("C4 once a cancellation is answered nothing of it runs", `task ${body.task} runs on worker ${session.worker}`)
      }
    }
  }
}
