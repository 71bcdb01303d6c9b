/**
 * A case and its failure, told in lines.
 */
import type { Body, Case, CaseTask, Operation } from "../Case.ts"
import type { Fault } from "../Fault.ts"

/** The whole of a case, in the order in which it happens. */
export const tellCase = (of: Case): ReadonlyArray<string> => [
  `${count(of.cluster.workers, "worker")} × ${count(of.cluster.slots, "slot")}, ${count(of.clients, "client")}${of.journal === true ? ", with a journal" : ""}, seed ${of.seed}`,
  ...of.tasks.map(tellTask),
  ...[...of.operations.map((operation) => ({ at: operation.at, text: tellOperation(operation) })), ...of.faults.map((fault) => ({ at: fault.at, text: tellFault(fault) }))]
    .sort((a, b) => a.at - b.at)
    .map(({ at, text }) => `${at.toFixed(3).padStart(12)} ms  ${text}`),
  `${of.healAt.toFixed(3).padStart(12)} ms  healing begins`
]

export const tellTask = (task: CaseTask): string =>
  [
    `task ${task.id} of client-${task.client}`,
    task.dependencies.length === 0 ? "" : ` needs ${listed(task.dependencies)}`,
    `: ${task.durationMs} ms`,
    task.isolation === "thread" ? " in a thread" : "",
    task.bytes === 0 ? "" : `, ${task.bytes} bytes`,
    task.retries === 0 ? "" : `, ${count(task.retries, "retry", "retries")}`,
    task.priority === 0 ? "" : `, priority ${task.priority}`,
    task.delayMs === undefined ? "" : `, ${task.delayMs} ms apart`,
    task.timeoutMs === undefined ? "" : `, at most ${task.timeoutMs} ms`,
    task.under === undefined ? "" : `, under the key of task ${task.under}`,
    task.gpus === undefined ? "" : `, ${count(task.gpus, "GPU", "GPUs")}`,
    task.on === undefined ? "" : `, ${task.on.strictly ? "only" : "best"} on worker-${task.on.worker}`,
    task.secedes === undefined ? "" : secessions[task.secedes],
    tellBody(task.body)
  ].join("")

const secessions: Record<NonNullable<CaseTask["secedes"]>, string> = {
  forGood: ", gives up its slot",
  forAWhile: ", gives up its slot and wants one again",
  toWait: ", submits tasks and waits for them"
}

const tellBody = (body: Body): string => {
  switch (body._tag) {
    case "Succeeds":
      return ""
    case "Fails":
      return `, fails ${body.times} times`
    case "Dies":
      return ", throws"
    case "Exits":
      return ", ends its process"
    case "NeverEnds":
      return ", never ends"
    case "Blocks":
      return ", cannot be stopped"
    case "Scattered":
      return ", data"
    case "Lies":
      return ", gives a wrong value"
  }
}

export const tellOperation = (operation: Operation): string => {
  switch (operation._tag) {
    case "Submit":
      return `tasks ${listed(operation.tasks)} are submitted`
    case "Cancel":
      return `task ${operation.task} is cancelled${operation.force ? " by force" : ""}`
    case "Release":
      return `task ${operation.task} is released`
    case "Collect":
      return `futures on task ${operation.task} are lost, and collected`
    case "Retry":
      return `task ${operation.task} is to be tried again`
    case "Resubmit":
      return `client-${operation.client} submits task ${operation.task} again`
    case "Adopt":
      return `client-${operation.client} asks for task ${operation.task} by its key`
    case "Detach":
      return `task ${operation.task} is to be done whoever holds it`
    case "Ask":
      return `client-${operation.client} asks for all results in one go (${operation.how})`
    case "Leave":
      return `client-${operation.client} leaves`
    case "Scale":
      return `the cluster is scaled to ${count(operation.workers, "worker")}`
  }
}

export const tellFault = (fault: Fault): string => {
  const { _tag, at: _, ...rest } = fault
  return `${_tag} ${Object.entries(rest).map(([name, value]) => `${name}=${Array.isArray(value) ? value.join("+") : String(value)}`).join(" ")}`.trim()
}

const count = (n: number, one: string, many: string = `${one}s`): string => `${n} ${n === 1 ? one : many}`

const listed = (ids: ReadonlyArray<number>): string =>
  ids.length <= 12 ? ids.join(", ") : `${ids.slice(0, 12).join(", ")} and ${ids.length - 12} more`
