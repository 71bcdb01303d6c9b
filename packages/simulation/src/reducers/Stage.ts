/**
 * Where and when a case takes place: virtual time, chance, and what is wrong with
 * processes and lines at the moment.
 *
 * Messages take a drawn time and do not overtake each other on their line; a
 * process that is paused does what it should have done when it goes on.
 */
import * as Worker from "@skein/core/worker/State"
import * as KeyTable from "@skein/runtime/scheduler/KeyTable"
import * as DataStore from "@skein/runtime/worker/DataStore"
import type { Case } from "../Case.ts"
import { Draws, share, streams } from "./Draws.ts"
import { Heap } from "./Heap.ts"
import type { Client, Line, Process } from "./Parts.ts"
import { breaks, type Observer, type Tables, World } from "./World.ts"

/** Names of what has latencies of its own, beside the lines from workers, which have the numbers of their processes. */
export const downs = 1_000
export const clientUps = 2_000
export const clientDowns = 3_000
export const gathers = 4_000
export const theScheduler = 5_000

/** Milliseconds after which a silent session is over. */
export const graceMs = 5_000

/** How long machines leave events waiting, milliseconds: from batches of one to batches of dozens. A case has one of these. */
const turns = [0, 0.2, 2, 20]

const tables: Tables = { keys: KeyTable.make, refs: KeyTable.makeRefs, store: DataStore.make }

export class Stage {
  readonly theCase: Case
  readonly world: World
  /** Faults that met something, by kind. */
  readonly faults: Record<string, number> = {}
  /** Paths that were taken, and how often. */
  readonly marks: Record<string, number> = {}
  /** Nothing goes wrong any more. */
  healed = false
  /** Starts of each process that are to fail. */
  readonly spawnFailures: Array<number>
  /** Until when nothing passes between each process and the scheduler. */
  readonly cutUntil: Array<number>
  private readonly heap = new Heap()
  private readonly draws: Draws
  private readonly longestTurnMs: number
  private readonly leastMs: number
  private readonly rangeMs: number
  /** Until when each process stands still. */
  private readonly pausedUntil: Array<number>
  private slowUntil = 0
  private slowBy = 0

  /** `observe` makes what hears of what may happen next on this stage. */
  constructor(theCase: Case, observe: (stage: Stage) => Observer) {
    const { clients, cluster, network, seed, tasks } = theCase
    this.theCase = theCase
    this.draws = new Draws(seed)
    this.longestTurnMs = turns[Math.floor(share(seed, streams.turn, 0) * turns.length)] ?? 0
    this.leastMs = network.latency[0]
    this.rangeMs = network.latency[1] - network.latency[0]
    this.world = new World(
      {
        tasks,
        workers: cluster.workers,
        clients,
        slots: cluster.slots,
        schedulerConfig: { bytesPerMs: 100, logLength: 64 },
        workerConfig: { ...Worker.defaultConfig, gatherBytes: 20_000, gatherMessageBytes: 8_000, gatherRequests: 4, logBound: 64 }
      },
      tables,
      observe(this)
    )
    this.pausedUntil = this.world.processes.map(() => 0)
    this.cutUntil = this.world.processes.map(() => 0)
    this.spawnFailures = this.world.processes.map(() => 0)
  }

  at(time: number, act: () => void): void {
    this.heap.add(time, act)
  }

  /** What is to happen happens, until this is so or nothing happens any more. */
  goOnUntil(isSo: () => boolean): void {
    const { heap, theCase, world } = this
    while (!isSo()) {
      const next = heap.take()
      if (next === undefined) return
      if (next.at > theCase.endBy) this.tooLate()
      world.now = next.at
      next.act()
    }
  }

  /** The next draw about one thing: `who` is a process, a client, or 0 for the whole. */
  draw(stream: number, who = 0): number {
    return this.draws.next(stream + who)
  }

  /** A message goes onto its line: `take` is what happens when it arrives. */
  send<Message>(line: Line<Message>, who: number, notBefore: number, take: () => void): void {
    line.arrivesAt = Math.max(line.arrivesAt, notBefore, this.world.now + this.latency(who))
    this.at(line.arrivesAt, take)
  }

  /** Skewed: most are near the least, few near the greatest. */
  latency(who: number): number {
    const drawn = this.draw(streams.line, who)
    const slow = this.world.now < this.slowUntil ? this.slowBy : 0
    return this.leastMs + this.rangeMs * drawn * drawn * drawn + slow
  }

  /** What arrives within it is one batch. */
  turnDelay(who: number): number {
    return this.longestTurnMs * this.draw(streams.turn, who)
  }

  pause(process: number, forMs: number): void {
    this.pausedUntil[process] = this.world.now + forMs
  }

  slow(byMs: number, forMs: number): void {
    this.slowUntil = this.world.now + forMs
    this.slowBy = byMs
  }

  heal(): void {
    this.healed = true
    this.slowUntil = 0
    this.pausedUntil.fill(0)
    this.cutUntil.fill(0)
  }

  whenAwake(process: number, act: () => void): void {
    const until = this.pausedUntil[process] ?? 0
    if (until > this.world.now) this.at(until, act)
    else act()
  }

  count(fault: string): void {
    this.faults[fault] = (this.faults[fault] ?? 0) + 1
  }

  mark(name: string): void {
    this.marks[name] = (this.marks[name] ?? 0) + 1
  }

  client(number: number): Client {
    return this.world.clients[number] ?? breaks("the case is whole", `there is no client ${number}`)
  }

  processOf(part: string): Process | undefined {
    return this.world.processes.find(({ name }) => name === part)
  }

  private tooLate(): never {
    const isPending = this.world.clients.some(({ futures }) => [...futures.values()].some(({ status }) => status._tag === "Pending"))
    return breaks(isPending ? "L1 everything wanted is done in time" : "L1 the system comes to rest", `it goes on after ${this.theCase.endBy} ms`)
  }
}
