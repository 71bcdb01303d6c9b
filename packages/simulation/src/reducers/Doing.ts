/**
 * What the case says is done at its times: by clients, and by fate.
 *
 * Faults below this level (bytes, disks, clocks) change nothing here: what a
 * session makes good is a delay, as `ConnectionLoss` and `Duplicate` are.
 */
import type { Operation } from "../Case.ts"
import type { Fault } from "../Fault.ts"
import * as ClientShell from "./ClientShell.ts"
import { streams } from "./Draws.ts"
import { crash, loseSession } from "./Happening.ts"
import type { Client } from "./Parts.ts"
import * as SchedulerShell from "./SchedulerShell.ts"
import { graceMs, type Stage } from "./Stage.ts"

export const operate = (stage: Stage, operation: Operation): void => {
  const { theCase, world } = stage
  switch (operation._tag) {
    case "Submit":
      for (const client of world.clients) {
        ClientShell.submit(world, client, places(stage, operation.tasks).filter((place) => world.tasks.get(place).client % theCase.clients === client.number), 1)
      }
      return
    case "Resubmit":
      return ClientShell.submit(world, stage.client(operation.client % theCase.clients), places(stage, [operation.task]), 1)
    case "Cancel":
      for (const place of places(stage, [operation.task])) ClientShell.cancel(world, owner(stage, place), [place], operation.force)
      return
    // To the scheduler a future that the collector has found is released.
    case "Collect":
    case "Release":
      for (const place of places(stage, [operation.task])) ClientShell.release(world, owner(stage, place), [place])
      return
    case "Retry":
      for (const place of places(stage, [operation.task])) ClientShell.retry(world, owner(stage, place), [place])
      return
    case "Leave":
      return ClientShell.leaveSession(world, stage.client(operation.client % theCase.clients))
    case "Scale":
      // The number of processes is the cluster's to change, not the reducers'.
      return
  }
}

export const inject = (stage: Stage, fault: Fault): void => {
  const { world } = stage
  switch (fault._tag) {
    case "WorkerCrash":
    case "MemoryPressure": {
      const process = stage.processOf(fault.worker)
      if (process?.alive !== true) return
      stage.count(fault._tag)
      return crash(stage, process, fault._tag === "WorkerCrash" ? "signal" : "memory-limit", stage.draw(streams.faults) < 0.15)
    }
    case "SpawnFailure": {
      const process = stage.processOf(fault.worker)
      if (process === undefined) return
      stage.count(fault._tag)
      stage.spawnFailures[process.number] = fault.times
      return
    }
    case "Pause": {
      const process = stage.processOf(fault.part)
      if (process?.alive !== true) return
      stage.count(fault._tag)
      stage.pause(process.number, fault.forMs)
      if (fault.forMs > graceMs) loseSession(stage, process, fault.forMs)
      return
    }
    case "Partition":
      return part(stage, fault)
    case "ConnectionLoss":
    case "Duplicate": {
      const process = stage.processOf(fault.a) ?? stage.processOf(fault.b)
      if (process?.alive !== true) return
      stage.count(fault._tag)
      return cutOff(stage, process.number, 1 + stage.draw(streams.faults) * 200)
    }
    case "Latency":
      stage.count(fault._tag)
      return stage.slow(fault.addMs, fault.forMs)
    case "ClientCrash": {
      const client = world.clients.find(({ name }) => name === fault.client)
      if (client === undefined || client.left) return
      stage.count(fault._tag)
      ClientShell.endClient(client)
      return stage.at(world.now + graceMs, () => SchedulerShell.clientLeft(world, client))
    }
    case "NannyCrash":
    case "SchedulerCrash":
    case "SlowReader":
    case "ClockJump":
    case "ClockSkew":
    case "Disk":
      // Below the reducers, or the end of them: see the head of this file.
      return
  }
}

const part = (stage: Stage, { a, b, forMs }: Extract<Fault, { readonly _tag: "Partition" }>): void => {
  const isFromScheduler = a.includes("scheduler") || b.includes("scheduler")
  for (const name of [...a, ...b]) {
    const process = stage.processOf(name)
    if (process?.alive !== true || !isFromScheduler) continue
    stage.count("Partition")
    cutOff(stage, process.number, forMs)
    if (forMs > graceMs) loseSession(stage, process, forMs)
  }
}

const cutOff = (stage: Stage, process: number, forMs: number): void => {
  stage.cutUntil[process] = Math.max(stage.cutUntil[process] ?? 0, stage.world.now + forMs)
}

const owner = (stage: Stage, place: number): Client => stage.client(stage.world.tasks.get(place).client % stage.theCase.clients)

const places = (stage: Stage, ids: ReadonlyArray<number>): ReadonlyArray<number> =>
  ids.map((id) => stage.world.tasks.placeOf(id)).filter((place) => place !== undefined)
