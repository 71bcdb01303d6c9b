/**
 * What is said of tasks that nobody connected can run: what they want, what there
 * is and who has it, and what to do. For without this they would wait for ever,
 * and nobody would know why.
 */
import * as Duration from "effect/Duration"
import type { Command } from "@skein/core/scheduler/Command"
import * as Offers from "@skein/core/scheduler/Offers"
import type { Terms } from "@skein/protocol/Terms"
import { taskCodes } from "@skein/protocol/ErrorCodes"
import type { TaskId } from "@skein/protocol/Ids"

/** The warning. `terms`: of the first of these tasks; `noWorkersTimeoutMs`: after which they fail. */
export const warning = (
  { at, id, others, since, there, wanted }: Extract<Command, { readonly _tag: "WarnLacking" }>,
  keyOf: (id: TaskId) => string,
  terms: Terms | undefined,
  noWorkersTimeoutMs: number
): string => {
  const key = keyOf(id)
  const who = others === 0 ? `${key} has` : `${key} and ${others} ${others === 1 ? "other" : "others"} have`
  const offers = Offers.print(there, at, keyOf)
  return `${taskCodes.NoEligibleWorker} ${who} waited ${Math.floor((at - since) / 1_000)} s: no connected worker offers ${wanted}\n` +
    `  offers: ${offers.length === 0 ? "none, for no worker is connected" : offers.join("   ")}\n` +
    (noWorkersTimeoutMs < Infinity
      ? `  It will start when a worker offers it, and fails after ${Duration.format(Duration.millis(noWorkersTimeoutMs))} without one.\n`
      : "  It will start when a worker offers it. To fail instead:  noWorkersTimeout: \"5 minutes\"\n") +
    `  fix    skein worker …${flags(terms)}          next   client.explain(${JSON.stringify(key)})`
}

/** What a worker would have to be started with. */
const flags = (terms: Terms | undefined): string => {
  if (terms === undefined) return ""
  const { resources, workers: [name] } = terms
  const amounts = Object.entries(resources).filter(([, amount]) => amount > 0).map(([resource, amount]) => `${resource}=${amount}`)
  return (amounts.length === 0 ? "" : ` --resources ${amounts.join(",")}`) + (name === undefined || terms.allowOtherWorkers ? "" : ` --name ${name}`)
}
