/**
 * What the tests of persistent data have in common: operations drawn at random,
 * and the law of persistence. Every version handed out at the end of a batch is
 * frozen deeply and kept, and all of them are compared with their models once
 * everything else has happened.
 */
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"
import { makeOwner, type Owner } from "@skein/core/persistent/Owner"
import { deepFreeze } from "./deepFreeze.ts"

/** One choice of a walk. `times` makes collections grow and shrink in streaks, across every border. */
export const Step = Schema.Struct({
  action: Schema.Literals(["Add", "Add", "Remove", "Remove", "RemoveAbsent", "EndBatch"]),
  near: Schema.Literals([
    0, 16, 31, 32, 1_000, 1_023, 1_024, 32_767, 32_768, 2 ** 20, 2 ** 25 - 1, 2 ** 30 - 1, 2 ** 30, 2 ** 31 - 100
  ]),
  offset: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 99 })),
  times: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 20 }))
})
export type Step = typeof Step.Type

/** At least a dozen steps, so that no run is trivial. */
export const Walk = Arbitrary.array(Arbitrary.schema(Step), { minLength: 12, maxLength: 80 })

/** The index of the `n`-th repetition of a step: neighbours, that cross words, leaves and levels. */
export const indexOf = (step: Step, n: number): number => Math.min(step.near + ((step.offset + n) % 100), 2 ** 31 - 1)

/** Walks `steps`; hands out, freezes and keeps a version at the end of each batch, then checks them all. */
export const walkAndKeep = <Version, Model>(
  steps: ReadonlyArray<Step>,
  options: {
    readonly start: Version
    readonly model: Model
    readonly copy: (model: Model) => Model
    /** Changes the model in place and returns the next version. */
    readonly step: (version: Version, owner: Owner, model: Model, step: Step) => Version
    readonly check: (version: Version, model: Model) => void
  }
): void => {
  const kept: Array<{ readonly version: Version; readonly model: Model }> = []
  const model = options.copy(options.model)
  let version = options.start
  let owner = makeOwner()
  const endBatch = (): void => {
    kept.push({ version: deepFreeze(version), model: options.copy(model) })
    owner = makeOwner()
  }
  for (const step of steps) {
    if (step.action === "EndBatch") endBatch()
    else version = options.step(version, owner, model, step)
  }
  endBatch()
  for (const { version, model } of kept) options.check(version, model)
}
