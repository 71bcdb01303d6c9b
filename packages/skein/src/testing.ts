/**
 * `skein/testing`: whole clusters in virtual time, under faults from a seed.
 *
 * Needs `@effect/vitest` and `vitest` beside it, which `it` comes from.
 */
export { type Distribution, type FaultRates, it, Sim, type SimOptions, type SimTestOptions, type TaskCost } from "@skein/simulation/testing/index"
