/**
 * The reducer's commands, brought to whom they are for.
 *
 * In two steps. `address`, in the step that reduced the batch, turns commands
 * into rows for peers, while ids, references and codes mean exactly what they
 * meant to the reducer. `send`, once the journal has the batch, lets the rows
 * leave: one message for each peer, whatever there is to say.
 *
 * A peer is told of a code, or of another worker's address, before the first row
 * that names it, and once. Addresses come from the registry, never from a
 * message. What is for a peer that has gone is dropped: an event about that is on
 * its way.
 *
 * That results may be dropped is no hurry: Freeing.ts says when it leaves.
 */
import * as Effect from "effect/Effect"
import type { Answer, Command } from "@skein/core/scheduler/Command"
import type { State } from "@skein/core/scheduler/State"
import * as View from "@skein/core/scheduler/View"
import type { Step } from "@skein/core/scheduler/Reducer"
import type { Event } from "@skein/core/scheduler/Event"
import type { AskId, ClientId, CodeId, Millis, RunId, TaskId, WorkerId } from "@skein/protocol/Ids"
import type { Assignment } from "@skein/protocol/WorkerRpcs"
import * as FormerLives from "./FormerLives.ts"
import * as Freeing from "./Freeing.ts"
import * as Handlers from "./Handlers.ts"
import { forgetAll } from "./Journal.ts"
import * as Lacking from "./Lacking.ts"
import type { Conflict } from "./KeyTable.ts"
import type { Values } from "./Mailbox.ts"
import type { ClientPeer, Registry, WorkerPeer } from "./Registry.ts"
import type { ClientRow, WorkerRow } from "./Rows.ts"
import { words } from "./wording.ts"

export interface Options {
  readonly tables: Handlers.Tables
  readonly registry: Registry
  readonly reply: (ask: AskId, answer: Answer) => void
  /** Have `Ticked` sent at this time. */
  readonly wake: (at: Millis) => void
  /** Have `sendFreeing` called at this time. */
  readonly wakeFreeing: (at: Millis) => void
  readonly offer: (event: Event) => void
  /** Nothing refers to this id any more. */
  readonly forgotten: (id: TaskId) => void
  readonly now: () => Millis
}

export interface Carrying {
  /** Turns a step's commands into rows. In the same step of the program as its reduction. */
  readonly address: (step: Step, values: Values) => void
  /** Lets what was addressed leave. Never waits. */
  readonly send: () => void
  /** Lets some of what workers may drop leave by itself: its time has come. */
  readonly sendFreeing: () => void
  /** What is to be said in the log of what was addressed; undefined: nothing. Asked once a turn. */
  readonly toLog: () => Effect.Effect<void> | undefined
  /** Tasks refused so far for want of room. */
  readonly refused: () => number
}

/** A client so far behind gets small results no more with its news, but has to fetch them. */
const INLINE_BACKLOG = 20_000

/** Failures that are told one by one in one turn. */
const NOTICES = 100

export const make = (options: Options): Carrying => {
  const { registry, tables } = options
  /** Peers that have rows in this turn. */
  const touched = new Set<WorkerPeer | ClientPeer>()
  const freeing = Freeing.make<WorkerPeer>()
  let isFreeingAwaited = false
  /** Whether the journal may not have yet what has been addressed. */
  let isJournaling = false
  /** So many, and one failure for all: there may be very many refusals when there is least room for them. */
  let refusals = 0
  let noRoom: Extract<Conflict["failure"], { readonly _tag: "Refused" }> = { _tag: "Refused", retryMs: 0 }
  /** Failures of this turn that nobody else may hear of, and what is said of the first of them. */
  let detachedFailures = 0
  let notices: Array<string> = []
  /** Of tasks that nobody can run; one for all that want the same, every ten seconds. */
  let lacking: Array<string> = []
  /** What leaves with the rows, and is no row. */
  let others: Array<() => void> = []

  const toWorker = (peer: WorkerPeer, row: WorkerRow): void => {
    peer.push(row)
    touched.add(peer)
  }
  const toClient = (peer: ClientPeer, row: ClientRow): void => {
    peer.push(row)
    touched.add(peer)
  }
  const tellPeer = (to: WorkerPeer | ClientPeer, worker: WorkerId): void => {
    if (to.toldPeers.has(worker)) return
    const address = registry.workers.get(worker)?.registration.dataAddress
    if (address === undefined) return
    to.toldPeers.add(worker)
    to.push({ _tag: "Peers", row: { worker, address } })
    touched.add(to)
  }
  const tellCode = (to: WorkerPeer, code: CodeId): void => {
    const def = tables.codes.defOf(code)
    if (def === undefined || to.toldCodes.get(code) === def) return
    to.toldCodes.set(code, def)
    toWorker(to, { _tag: "Codes", row: { code, def } })
  }
  const compute = (command: Extract<Command, { readonly _tag: "ComputeTask" }>): void => {
    const peer = registry.workers.get(command.worker)
    const key = tables.keys.keyOf(command.id)
    if (peer === undefined || key === undefined) return
    tellCode(peer, command.code)
    for (const dependency of command.dependencies) for (const worker of dependency.whoHas) tellPeer(peer, worker)
    const { alone, args, attempt, code, decisive, dependencies, id, isolation, priority, rank, run, timeoutMs } = command
    const row: Assignment = { id, run, key, code, args, isolation, priority, rank, attempt, alone, dependencies }
    const timed = timeoutMs === undefined ? row : { ...row, timeoutMs }
    toWorker(peer, { _tag: "Compute", row: decisive === undefined ? timed : { ...timed, decisive } })
  }
  const aboutRun = (kind: "Cancel" | "TakeBack", worker: WorkerId, id: TaskId, run: RunId): void => {
    const peer = registry.workers.get(worker)
    if (peer !== undefined) toWorker(peer, { _tag: kind, row: { id, run } })
  }
  const inMemory = (command: Extract<Command, { readonly _tag: "ReportInMemory" }>, values: Values): void => {
    const peer = registry.clients.get(command.client)
    const ref = peer?.refs.refOf(command.id)
    if (peer === undefined || ref === undefined) return
    tellPeer(peer, command.worker)
    const { id, nbytes, run, worker } = command
    const value = peer.backlog() > INLINE_BACKLOG ? undefined : values.get(worker)?.get(run)
    toClient(peer, { _tag: "InMemory", row: { ref, id, run, nbytes, worker, value: value ?? noBytes } })
  }
  const erred = (command: Extract<Command, { readonly _tag: "ReportErred" }>): void => {
    const peer = registry.clients.get(command.client)
    const ref = peer?.refs.refOf(command.id)
    const origin = tables.keys.keyOf(command.origin)
    if (peer === undefined || ref === undefined || origin === undefined) return
    const code = tables.keys.codeOf(command.origin)
    const originTask = code === undefined ? "" : tables.codes.defOf(code)?.name ?? ""
    toClient(peer, { _tag: "Erred", row: { ref, failure: command.failure, origin, originTask } })
  }
  const free = (worker: WorkerId, id: TaskId, run: RunId): void => {
    const peer = registry.workers.get(worker)
    if (peer !== undefined) freeing.add(peer, { id, run })
  }
  /** The client does not hold the task, and no task of its own can build on it. `from`: where that began, itself or what it was to build on. */
  const refused = (client: ClientId, id: TaskId, failure: Conflict["failure"], from: TaskId = id): void => {
    const peer = registry.clients.get(client)
    const ref = peer?.refs.refOf(id)
    const origin = tables.keys.keyOf(from)
    if (peer === undefined || ref === undefined || origin === undefined) return
    const why = { failure, origin, originCode: tables.keys.codeOf(from) }
    peer.refs.conflict(ref, why)
    toClient(peer, Handlers.erredByConflict(tables, ref, why))
  }
  const nameOf = (id: TaskId): string => tables.keys.keyOf(id) ?? `task ${id}`
  const endWorker = (worker: WorkerId, reason: string): void => {
    const peer = registry.workers.get(worker)
    if (peer === undefined) return
    peer.closing = true
    const { process } = peer.registration
    const nanny = registry.nannyOf(process)
    others.push(() => nanny === undefined ? peer.close(reason) : nanny.endProcess(process, reason))
  }
  const detachedFailed = ({ failure, id, origin }: Extract<Command, { readonly _tag: "TellDetachedFailed" }>): void => {
    detachedFailures++
    const key = tables.keys.keyOf(id)
    if (key === undefined || notices.length >= NOTICES) return
    const code = tables.keys.codeOf(origin)
    const task = code === undefined ? "" : tables.codes.defOf(code)?.name ?? ""
    const first = tables.keys.keyOf(origin) ?? key
    const why = words(failure, { key: first, task })
    notices.push(`fire and forget: "${key}" ${first === key ? "" : `failed because "${first}" `}${why}`)
  }
  const addressOne = (command: Command, values: Values, state: State): void => {
    switch (command._tag) {
      case "ComputeTask":
        return compute(command)
      case "CancelTask":
        return aboutRun("Cancel", command.worker, command.id, command.run)
      case "TakeBack":
        return aboutRun("TakeBack", command.worker, command.id, command.run)
      case "FreeKey":
        return free(command.worker, command.id, command.run)
      case "TellHolders": {
        const peer = registry.workers.get(command.worker)
        if (peer === undefined) return
        for (const holder of command.whoHas) tellPeer(peer, holder)
        return toWorker(peer, { _tag: "Holders", row: { id: command.id, run: command.run, whoHas: command.whoHas } })
      }
      case "ReportInMemory":
        return inMemory(command, values)
      case "ReportErred":
        return erred(command)
      case "ReportPending": {
        const peer = registry.clients.get(command.client)
        const ref = peer?.refs.refOf(command.id)
        return peer === undefined || ref === undefined ? undefined : toClient(peer, { _tag: "Pending", row: ref })
      }
      case "ReportConflict":
        return refused(command.client, command.id, { _tag: "Conflict", heldBy: command.heldBy }, command.origin)
      case "ReportRefused":
        refusals++
        if (noRoom.retryMs !== command.retryMs) noRoom = { _tag: "Refused", retryMs: command.retryMs }
        return refused(command.client, command.id, noRoom)
      case "ReportUnknown":
        // Submitted again in the same batch, it is known by now.
        return View.wants(state, command.client, command.id) ? undefined : refused(command.client, command.id, { _tag: "Unknown" })
      case "TellDetachedFailed":
        return detachedFailed(command)
      case "WarnLacking":
        lacking.push(Lacking.warning(command, nameOf, View.task(state, command.id)?.terms, state.config.noWorkersTimeoutMs))
        return
      case "Reply":
        others.push(() => options.reply(command.ask, command.answer))
        return
      case "EndWorker":
        return endWorker(command.worker, command.reason)
      case "Wake":
        others.push(() => options.wake(command.at))
        return
      case "Forgotten":
        options.forgotten(command.id)
        return // the rest all at once, below: commands after this one may still name the id
    }
  }
  /** What workers may drop and have not heard of by now leaves after so many milliseconds, or some of it. */
  const awaitFreeing = (ms: number): void => {
    if (isFreeingAwaited || freeing.isEmpty()) return
    isFreeingAwaited = true
    options.wakeFreeing(options.now() + ms)
  }
  const flush = (): void => {
    for (const peer of touched) {
      if ("worker" in peer) freeing.goAlong(peer)
      peer.flush()
    }
    touched.clear()
  }
  const forgetCodes = (state: State): void => {
    const codes = tables.codes.trim((code) => View.callers(state, code))
    if (codes.length === 0) return
    for (const peer of registry.workers.values()) {
      for (const code of codes) if (peer.toldCodes.delete(code)) toWorker(peer, { _tag: "ForgetCodes", row: code })
    }
    options.offer({ _tag: "CodesForgotten", at: options.now(), codes })
  }
  return {
    address: (step, values) => {
      isJournaling = true
      const anew = FormerLives.make(step.state, (client, id) => registry.clients.get(client)?.refs.isHeldAnew(id) === true)
      for (const command of step.commands) if (!anew.keeps(command)) addressOne(command, values, step.state)
      for (const news of anew.stillTrue()) addressOne(news, values, step.state)
      for (const client of registry.clients.values()) client.refs.addressed()
      forgetAll(tables.keys, step)
      forgetCodes(step.state)
    },
    send: () => {
      isJournaling = false
      flush()
      awaitFreeing(Freeing.PATIENCE_MS)
      if (others.length === 0) return
      const now = others
      others = []
      for (const act of now) act()
    },
    sendFreeing: () => {
      isFreeingAwaited = false
      for (const peer of freeing.next()) touched.add(peer)
      // Else it leaves with what has just been addressed.
      if (isJournaling) return
      flush()
      awaitFreeing(Freeing.PORTIONS_APART_MS)
    },
    toLog: () => {
      if (detachedFailures + lacking.length === 0) return undefined
      const lines = detachedFailures > notices.length ? [...notices, `${detachedFailures - notices.length} more tasks of this kind failed`] : notices
      const warnings = lacking
      notices = []
      lacking = []
      detachedFailures = 0
      return Effect.andThen(
        Effect.forEach(lines, (line) => Effect.logError(line), { discard: true }),
        Effect.forEach(warnings, (line) => Effect.logWarning(line), { discard: true })
      )
    },
    refused: () => refusals
  }
}

const noBytes = new Uint8Array(0)
