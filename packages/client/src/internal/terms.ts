/**
 * The terms of tasks, from what was said of them.
 *
 * They are made once for all that is submitted with the same client and
 * definition, for it is by being one object that they travel once.
 */
import { BadOption } from "@skein/protocol/Errors"
import type { CheckedOptions } from "@skein/protocol/TaskOptions"
import type { Terms } from "@skein/protocol/Terms"
import * as Result from "effect/Result"

/** Options, and the terms that follow from them. */
export type Options = CheckedOptions & { readonly terms?: Terms }

/** Makes the terms that follow from a definition's options and a client's; undefined: they say nothing of any. */
export type TermsOf = (defaults: CheckedOptions, said: CheckedOptions) => Result.Result<Terms | undefined, BadOption>

export const makeTermsOf = (): TermsOf => {
  const made = new WeakMap<CheckedOptions, WeakMap<CheckedOptions, Terms>>()
  return (defaults, said) => {
    if (!hasTerms(defaults) && !hasTerms(said)) return none
    const known = made.get(said)?.get(defaults)
    if (known !== undefined) return Result.succeed(known)
    const { allowOtherWorkers = false, annotations = noBytes, resources = {}, span = "", workers = [] } = { ...defaults, ...said }
    if (allowOtherWorkers && workers.length === 0) {
      return Result.fail(new BadOption({ option: "allowOtherWorkers", expected: "`workers` beside it, of which it makes a wish" }))
    }
    const terms: Terms = { resources, workers, allowOtherWorkers, span, annotations }
    const ofDefaults = made.get(said) ?? new WeakMap<CheckedOptions, Terms>()
    made.set(said, ofDefaults.set(defaults, terms))
    return Result.succeed(terms)
  }
}

const none = Result.succeed(undefined)
const noBytes = new Uint8Array(0)

const hasTerms = ({ allowOtherWorkers, annotations, resources, span, workers }: CheckedOptions): boolean =>
  resources !== undefined || workers !== undefined || allowOtherWorkers !== undefined || span !== undefined || annotations !== undefined

/** Roughly, what they take in a message. */
export const sizeOf = ({ annotations, resources, span, workers }: Terms): number =>
  annotations.length + span.length + workers.reduce((sum, worker) => sum + worker.length + 2, 0) + 16 * Object.keys(resources).length
