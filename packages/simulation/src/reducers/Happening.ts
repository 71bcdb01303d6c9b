/**
 * What becomes of what may happen: when a message arrives, a machine takes its
 * turn, a body ends, a peer answers, and how a process ends.
 */
import type { Leaving } from "@skein/core/scheduler/Event"
import { ProcessId, type RunId } from "@skein/protocol/Ids"
import { mix, share, streams } from "./Draws.ts"
import type { Body, Gathering, Process, Session } from "./Parts.ts"
import * as ClientShell from "./ClientShell.ts"
import * as SchedulerShell from "./SchedulerShell.ts"
import { clientDowns, clientUps, downs, gathers, graceMs, type Stage, theScheduler } from "./Stage.ts"
import * as WorkerShell from "./WorkerShell.ts"
import type { Observer } from "./World.ts"

/** How a process ended. */
type Ended = "exit" | "signal" | "memory-limit" | "closed"

/** Hears of all that may happen, and has it happen in time. `hears`: of the machines' steps. `calm`: nothing goes wrong in this case. */
export const happen = (stage: Stage, calm: boolean, hears: Pick<Observer, "schedulerStepped" | "workerStepped">): Observer => ({
  toScheduler: (session) => stage.send(session.up, session.process, cut(stage, session), () => SchedulerShell.takeFromWorker(stage.world, session)),
  toWorker: (session) =>
    stage.send(session.down, downs + session.process, cut(stage, session), () =>
      stage.whenAwake(session.process, () => WorkerShell.takeFromScheduler(stage.world, session))),
  fromClient: (client) => stage.send(client.up, clientUps + client.number, 0, () => SchedulerShell.takeFromClient(stage.world, client)),
  toClient: (client) => stage.send(client.down, clientDowns + client.number, 0, () => ClientShell.takeNews(stage.world, client)),
  schedulerFilled: () => stage.at(stage.world.now + stage.turnDelay(theScheduler), () => SchedulerShell.schedulerTurn(stage.world)),
  workerFilled: (process) => whileItLives(stage, process, stage.world.now + stage.turnDelay(process.number), () => WorkerShell.workerTurn(stage.world, process)),
  began: (process, body) => begin(stage, calm, process, body),
  interrupted: (process, body) =>
    stop(stage, process, body, stage.draw(streams.body, process.number) < 0.02 ? 3_000 : stage.draw(streams.body, process.number) * 5),
  terminated: (process, body) => stop(stage, process, body, stage.draw(streams.body, process.number) * 5),
  asked: (process, gathering) => gather(stage, process, gathering),
  wakeScheduler: (at) =>
    stage.at(Math.max(at, stage.world.now), () => {
      if (isDue(stage, stage.world.wakeAt)) SchedulerShell.tickScheduler(stage.world)
    }),
  wakeWorker: (process, at) =>
    whileItLives(stage, process, Math.max(at, stage.world.now), () => {
      if (isDue(stage, process.wakeAt)) WorkerShell.tickWorker(stage.world, process)
    }),
  endProcess: (process) => endProcess(stage, process),
  ...hears
})

/** The process ends; its nanny reports it, unless it is silent too, and starts it again. */
export const crash = (stage: Stage, process: Process, ended: Ended, silently: boolean): void => {
  const { spawnFailures, world } = stage
  const { life } = process
  const startedAt = world.now
  const started = WorkerShell.crash(world, process)
  const leaving: Leaving = silently
    ? { _tag: "Silent", silentMs: graceMs }
    : { _tag: "Died", startedAt, report: report(process.name, life, ended, started) }
  const heardAfter = silently ? graceMs : stage.latency(process.number)
  stage.at(world.now + heardAfter, () => SchedulerShell.reportExit(world, { ...process, life }, leaving))
  let after = 1 + stage.draw(streams.process, process.number) * 100
  for (; (spawnFailures[process.number] ?? 0) > 0 && !stage.healed; spawnFailures[process.number]!--) after += 500
  stage.at(world.now + after, () => {
    if (!process.alive && process.life === life) WorkerShell.start(world, process)
  })
}

/** A session is lost to both sides, one after the other; what is under way between them is lost too. */
export const loseSession = (stage: Stage, process: Process, forMs: number): void => {
  const { world } = stage
  const { life, session } = process
  if (session === undefined) return
  stage.at(world.now + graceMs + stage.latency(process.number), () => SchedulerShell.leave(world, session, { _tag: "Silent", silentMs: graceMs }))
  const back = world.now + Math.max(forMs, graceMs * stage.draw(streams.faults))
  stage.at(back, () => {
    if (process.life === life && process.session === session) WorkerShell.reconnect(world, process)
  })
}

const cut = (stage: Stage, session: Session): number => stage.cutUntil[session.process] ?? 0

const isDue = (stage: Stage, wakeAt: number | undefined): boolean => wakeAt !== undefined && wakeAt <= stage.world.now

/** At that time, or when it goes on after a pause, unless this life of the process is over by then. */
const whileItLives = (stage: Stage, process: Process, at: number, act: () => void): void => {
  const { life } = process
  stage.at(at, () => stage.whenAwake(process.number, () => {
    if (process.alive && process.life === life) act()
  }))
}

const whileItRuns = (stage: Stage, process: Process, body: Body, after: number, act: () => void): void =>
  whileItLives(stage, process, stage.world.now + after, () => {
    if (process.bodies.get(body.run) === body) act()
  })

const begin = (stage: Stage, calm: boolean, process: Process, body: Body): void => {
  const { theCase, world } = stage
  const task = world.tasks.get(body.task)
  const n = world.begun[body.task] ?? 0
  const chance = (what: number) => share(theCase.seed, mix(streams.body + what, task.id), n)
  const ms = task.durationMs * (0.5 + chance(0))
  if (task.secedes !== undefined) {
    stage.mark(`a body secedes, ${task.secedes === "forGood" ? "for good" : "for a while"}`)
    const away = ms * (0.1 + 0.4 * chance(1))
    const back = ms * (0.5 + 0.4 * chance(2))
    const waits = chance(4) < 0.5
    whileItRuns(stage, process, body, away, () => WorkerShell.secede(world, process, body, waits))
    whileItRuns(stage, process, body, back, () => task.secedes === "forGood" ? WorkerShell.secede(world, process, body, false) : WorkerShell.rejoin(world, process, body))
  }
  if (task.body._tag === "NeverEnds") return
  whileItRuns(stage, process, body, ms, () => {
    if (chance(3) < 0.02 && n < 4 && !calm) {
      stage.mark("a body is placed again")
      return WorkerShell.endBody(world, process, body, "reschedules")
    }
    switch (task.body._tag) {
      case "Fails":
        return WorkerShell.endBody(world, process, body, body.attempt <= task.body.times ? "fails" : "succeeds")
      case "Dies":
        return WorkerShell.endBody(world, process, body, "dies")
      case "Lies":
        return WorkerShell.endBody(world, process, body, "lies")
      case "Exits":
        if (body.isolation === "thread") return WorkerShell.endBody(world, process, body, "exits")
        return whenItActs(stage, process, body, () => {
          stage.mark("a body ends its process")
          crash(stage, process, "exit", false)
        })
      default:
        return WorkerShell.endBody(world, process, body, "succeeds")
    }
  })
}

/** A body that waits does nothing, and what it does then it does when the turn that let it go on is over. */
const whenItActs = (stage: Stage, process: Process, body: Body, act: () => void): void => {
  if (body.waitsFor === undefined) act()
  else body.next = () => whileItRuns(stage, process, body, 0, act)
}

const stop = (stage: Stage, process: Process, body: Body, after: number): void =>
  whileItRuns(stage, process, body, after, () => WorkerShell.endBody(stage.world, process, body, "succeeds"))

const gather = (stage: Stage, process: Process, gathering: Gathering): void => {
  const { now } = stage.world
  const isBusy = !stage.healed && stage.draw(streams.gather, process.number) < 0.05
  const there = stage.latency(gathers + process.number)
  const back = stage.latency(gathers + process.number)
  stage.at(now + there, () => WorkerShell.serve(stage.world, gathering, isBusy))
  whileItLives(stage, process, now + there + back, () => WorkerShell.receive(stage.world, process, gathering))
}

const endProcess = (stage: Stage, process: Process): void => {
  if (process.ending) return
  process.ending = true
  const { life } = process
  stage.at(stage.world.now + stage.latency(process.number), () => {
    if (!process.alive || process.life !== life) return
    stage.mark("a process is ended because a body would not stop")
    crash(stage, process, "closed", false)
  })
}

const report = (name: string, life: number, ended: Ended, started: ReadonlyArray<RunId>) => ({
  process: ProcessId.make(`${name}/${life}`),
  ended,
  detail: "of the simulation",
  peakMemoryBytes: null,
  logTail: [],
  started
})
