/**
 * What workers offer and executing tasks occupy: amounts under names that mean
 * something to the user alone, e.g. `{ GPU: 2, memory: 8e9 }`.
 *
 * Amounts count to the thousandth, and are whole numbers of thousandths where
 * they are added up: sums of these are exact, so that what has been given back
 * is all there again. Ten tasks of 0.1 fit where 1 is offered.
 *
 * Source: Dask's worker resources; there sums are floating.
 */
import * as Schema from "effect/Schema"

/** Names in one set of resources at most. */
const NAMES_LIMIT = 64
/** Characters of a name at most. */
const NAME_LIMIT = 128
/** The largest amount; sums of thousandths of it are still exact. */
const AMOUNT_LIMIT = 1e12

/** Amounts by name. */
export type Resources = Readonly<Record<string, number>>

/** What resources should have been; undefined if they are. For whoever reads options. */
export const expectedResources = (value: unknown): string | undefined => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return "amounts by name, such as { GPU: 1 }"
  const entries = Object.entries(value)
  if (entries.length > NAMES_LIMIT) return `at most ${NAMES_LIMIT} resources`
  for (const [name, amount] of entries) {
    if (name === "" || name.length > NAME_LIMIT) return `names of 1 to ${NAME_LIMIT} characters`
    if (!isAmount(amount)) return `0, or an amount from 0.001 to ${AMOUNT_LIMIT}, for ${JSON.stringify(name)}`
  }
  return undefined
}

const isAmount = (amount: unknown): boolean => amount === 0 || (typeof amount === "number" && amount >= 0.001 && amount <= AMOUNT_LIMIT)

/** Resources as they travel. */
export const Resources: Schema.Codec<Resources> = Schema.Record(Schema.String, Schema.Number).check(
  Schema.makeFilter((resources: Resources) => {
    const expected = expectedResources(resources)
    return expected === undefined ? undefined : `expected ${expected}`
  })
)
