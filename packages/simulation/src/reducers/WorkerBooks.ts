/**
 * The second set of books beside a worker's machine: see StepChecks.ts.
 */
import * as IntSet from "@skein/core/persistent/IntSet"
import type * as Worker from "@skein/core/worker/State"
import type { Process } from "./Parts.ts"
import { breaks } from "./World.ts"

/** A worker's counts, from its records. */
export class WorkerBooks {
  private waiting = 0
  private fetch = 0
  private flight = 0
  private missing = 0
  private ready = 0
  private executing = 0
  private longRunning = 0
  private stopping = 0
  private memory = 0
  /** Released and failed ones, which should have gone. */
  private left = 0
  private nbytes = 0
  private flying = 0
  private rejoining = 0
  private fibers = 0
  private threads = 0

  task({ assignment, status }: Worker.Task, by: 1 | -1): void {
    switch (status._tag) {
      case "Waiting":
        this.waiting += by
        return
      case "Fetch":
        this.fetch += by
        return
      case "Flight":
        this.flight += by
        this.flying += by * status.nbytes
        return
      case "Missing":
        this.missing += by
        return
      case "Ready":
        this.ready += by
        return
      case "Executing":
        this.executing += by
        if (assignment?.isolation === "thread") this.threads += by
        else if (assignment !== undefined) this.fibers += by
        return
      case "LongRunning":
        this.longRunning += by
        if (status.rejoining !== undefined) this.rejoining += by
        return
      case "Stopping":
        this.stopping += by
        if (!status.slot) return
        if (status.isolation === "thread") this.threads += by
        else this.fibers += by
        return
      case "Memory":
        this.memory += by
        this.nbytes += by * status.nbytes
        return
      case "Released":
      case "Error":
        this.left += by
    }
  }

  /** After each step: the machine's own counts must be the same. */
  compare({ name }: Process, state: Worker.State): void {
    const { counts } = state
    if (
      counts.Waiting !== this.waiting || counts.Fetch !== this.fetch || counts.Flight !== this.flight || counts.Missing !== this.missing ||
      counts.Ready !== this.ready || counts.Executing !== this.executing || counts.LongRunning !== this.longRunning ||
      counts.Stopping !== this.stopping || counts.Memory !== this.memory
    ) breaks("W2 tasks are counted by status", `${name}: ${JSON.stringify(counts)} for ${JSON.stringify(this)}`)
    if (this.left !== 0) breaks("nothing is left released or failed", name)
    if (state.threads !== this.threads || state.fibers !== this.fibers) {
      breaks("W1 slots are held by what executes or is being stopped", `${name}: ${state.threads} and ${state.fibers} for ${this.threads} and ${this.fibers}`)
    }
    if (this.fibers > state.nfibers || this.threads > state.nthreads * (1 + state.config.threadQueue)) {
      breaks("W1 no more slots are held than there are", `${name}: ${this.fibers} of ${state.nfibers} fibers, ${this.threads} of ${state.nthreads} threads`)
    }
    if (state.running !== this.executing + this.longRunning + this.stopping) breaks("W1 what runs is counted", name)
    if (state.nbytes !== this.nbytes) breaks("W6 bytes in memory are counted", name)
    if (state.gatherBytes !== this.flying) breaks("W5 bytes under way are counted", name)
    if (state.wanted.size !== this.fetch || IntSet.size(state.missing) !== this.missing || IntSet.size(state.stopping) !== this.stopping) {
      breaks("W2 each status and its list agree", name)
    }
    if (state.readyThreads.size + state.readyFibers.size !== this.ready + this.rejoining) breaks("W2 each status and its list agree", `${name}: ready`)
  }
}
