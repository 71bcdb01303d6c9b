/**
 * One run of a body, as the body sees it: who it is, and its slot.
 *
 * The slot is given back while any fiber of the body waits for other tasks, or
 * after `secede`; it is asked for again when the last of them goes on. Between
 * the two lies the worker's queue, so whoever comes back waits until the slot
 * has been granted. A wait that begins meanwhile lets those go on without: what
 * they waited for will take as long as that wait does.
 *
 * A body without a slot waits for tasks, or runs on, and then may end its process.
 * The machine has to know which (core/worker/internal/notes.ts): so who has waited
 * runs on only when the machine has heard of it.
 *
 * Nobody grants anything to a body that is being stopped. So from the
 * interruption on nothing waits for a slot, or the body's finalizers would do
 * so for ever.
 */
import * as Effect from "effect/Effect"
import { type CurrentTask, type ProgressSaid, progressSaid } from "@skein/protocol/CurrentTask"
import { type InTaskClient, type TaskContextService, type TaskHoldings, waitingForTasks } from "@skein/protocol/TaskContext"
import { InThread } from "./TaskClients.ts"

/** How a run gives its slot back and asks for it. */
export interface Slot {
  /** Said again without a slot when that changes; that it no longer waits is answered by a call of `heard`. */
  readonly give: (waits: boolean) => void
  /** Answered by a call of `granted`. */
  readonly want: () => void
}

/** What hears how far a run says it is. */
export type Tell = (run: number, said: ProgressSaid) => void

export class RunningTask implements CurrentTask {
  readonly key: string
  readonly attempt: number
  readonly worker: string
  /** It asked to be placed again. */
  isRescheduled = false
  private readonly place: Slot | undefined
  private readonly run: number
  private readonly tell: Tell
  private controller: AbortController | undefined
  private slot: "held" | "asked" | "none" = "held"
  /** Waits for other tasks under way. */
  private waits = 0
  /** What else runs without a slot for a while. */
  private absences = 0
  private hasSeceded = false
  /** What was said last: it waits, and does not run on. */
  private isWaiting = false
  /** How often it has said that it runs on and was not heard. */
  private unheard = 0
  private isInterrupted = false
  /** Nothing is granted any more. */
  private over = false
  /** Who waits to be granted a slot, or to be heard. Most bodies never do. */
  private sleepers: Set<() => void> | undefined
  private held: Set<() => void> | undefined

  /** `place`: undefined in a thread, which is a slot of its own and cannot be left. */
  constructor({ attempt, key, worker }: Pick<CurrentTask, "attempt" | "key" | "worker">, place: Slot | undefined, run: number, tell: Tell) {
    this.run = run
    this.tell = tell
    this.key = key
    this.attempt = attempt
    this.worker = worker
    this.place = place
  }

  get signal(): AbortSignal {
    this.controller ??= new AbortController()
    if (this.isInterrupted) this.controller.abort()
    return this.controller.signal
  }

  /** What is said after the end is of no interest. */
  get progress(): CurrentTask["progress"] {
    return (done, total, note) => {
      if (!this.over) this.tell(this.run, progressSaid(done, total, note))
    }
  }

  /** As an Effect sees it. `client`: the one that it finds around it. */
  context(client: Effect.Effect<InTaskClient>): TaskContextService {
    return new Seen(this, this.place === undefined ? this.refused("there is no client in a thread") : client)
  }

  get secede(): Effect.Effect<void> {
    return this.inPlace(() =>
      Effect.suspend(() => {
        this.hasSeceded = true
        return this.leaving
      })
    )
  }

  get rejoin(): Effect.Effect<void> {
    return this.inPlace(() =>
      Effect.suspend(() => {
        this.hasSeceded = false
        return this.return
      })
    )
  }

  get seceded(): <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R> {
    return (effect) => this.away("absences", effect)
  }

  get waiting(): <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R> {
    return (effect) => this.away("waits", effect)
  }

  get reschedule(): Effect.Effect<never> {
    return this.inPlace(() =>
      Effect.suspend(() => {
        this.isRescheduled = true
        return Effect.die(new Error(`the task ${this.key} asked to be placed again`))
      })
    )
  }

  /** What the body holds until it ends. */
  get holdings(): TaskHoldings["Service"] {
    return {
      add: (giveUp) => {
        if (this.over) giveUp()
        else (this.held ??= new Set()).add(giveUp)
      },
      delete: (giveUp) => void this.held?.delete(giveUp)
    }
  }

  /** The slot is its own again; if it has changed its mind meanwhile, it gives it back. */
  granted(): void {
    if (this.slot === "held" || this.over) return
    this.slot = "held"
    this.unheard = 0
    if (this.isAway) this.leave()
    else this.wakeBlocked()
  }

  /** It is known that it runs on. */
  heard(): void {
    if (this.unheard > 0 && --this.unheard === 0) this.wakeBlocked()
  }

  /** It is to stop. */
  interrupt(): void {
    this.isInterrupted = true
    this.over = true
    this.wakeBlocked()
    this.controller?.abort()
  }

  /** Nothing of it runs any more. */
  end(): void {
    this.over = true
    this.wakeBlocked()
    const { held } = this
    this.held = undefined
    if (held !== undefined) for (const giveUp of held) giveUp()
  }

  private get isAway(): boolean {
    return this.waits > 0 || this.absences > 0 || this.hasSeceded
  }

  private away<A, E, R>(how: "waits" | "absences", effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return this.inPlace(() =>
      Effect.uninterruptibleMask((restore) => {
        this[how]++
        return Effect.onExit(restore(Effect.andThen(this.leaving, effect)), () =>
          Effect.suspend(() => {
            this[how]--
            return this.return
          }))
      })
    )
  }

  /** Without a slot, and known to wait or to run on. */
  private get leaving(): Effect.Effect<void> {
    this.leave()
    return this.unheard === 0 || this.waits > 0 || this.over ? Effect.void : this.blocked(() => {})
  }

  private leave(): void {
    if (!this.over) this.say(this.waits > 0)
    if (this.unheard === 0 || this.waits > 0) this.wakeBlocked()
  }

  /** That it has no slot, and what it does. Who had one has been known to run, and need not be heard. */
  private say(waits: boolean): void {
    if (this.slot !== "held" && this.isWaiting === waits) return
    if (this.slot === "held") this.slot = "none"
    else if (!waits) this.unheard++
    this.isWaiting = waits
    this.place?.give(waits)
  }

  /** Back to work: with a slot, unless others of this body are still away. */
  private get return(): Effect.Effect<void> {
    if (this.slot === "held" || this.over) return Effect.void
    if (this.isAway) return this.leaving
    return this.blocked(() => {
      if (this.slot !== "none") return
      this.slot = "asked"
      this.isWaiting = true
      this.place?.want()
    })
  }

  /** Until somebody wakes it. */
  private blocked(begin: () => void): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      const sleepers = this.sleepers ??= new Set()
      const wake = () => {
        sleepers.delete(wake)
        resume(Effect.void)
      }
      sleepers.add(wake)
      begin()
      return Effect.sync(() => void sleepers.delete(wake))
    })
  }

  private wakeBlocked(): void {
    if (this.sleepers !== undefined) for (const wake of [...this.sleepers]) wake()
  }

  private inPlace<A, E, R>(act: () => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return this.place === undefined ? this.refused("the slot of a thread cannot be given back") : Effect.suspend(act)
  }

  private refused(why: string): Effect.Effect<never> {
    return Effect.suspend(() => Effect.die(new InThread({ key: this.key, why })))
  }
}

/** A running task, as an Effect sees it: what it does, it does when it is run. */
class Seen implements TaskContextService {
  readonly key: string
  readonly attempt: number
  readonly worker: string
  readonly client: Effect.Effect<InTaskClient>
  private readonly task: RunningTask

  constructor(task: RunningTask, client: Effect.Effect<InTaskClient>) {
    this.key = task.key
    this.attempt = task.attempt
    this.worker = task.worker
    this.client = client
    this.task = task
  }

  get signal(): AbortSignal {
    return this.task.signal
  }

  get progress(): TaskContextService["progress"] {
    return (done, total, note) => Effect.sync(() => this.task.progress(done, total, note))
  }

  get secede(): Effect.Effect<void> {
    return this.task.secede
  }

  get rejoin(): Effect.Effect<void> {
    return this.task.rejoin
  }

  get seceded(): TaskContextService["seceded"] {
    return this.task.seceded
  }

  get reschedule(): Effect.Effect<never> {
    return this.task.reschedule
  }

  get [waitingForTasks](): TaskContextService["seceded"] {
    return this.task.waiting
  }
}
