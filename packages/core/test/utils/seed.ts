/**
 * Where drawn tests begin: always at the same place, so that a commit that passed once passes again, and what fails can be repeated.
 * `WALK_SEED=7 npm test` draws others.
 */
export const firstSeed = Number(process.env["WALK_SEED"] ?? 0)
