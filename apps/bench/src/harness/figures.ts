/**
 * The arithmetic of figures.
 */

const sorted = (values: ReadonlyArray<number>): ReadonlyArray<number> => [...values].sort((a, b) => a - b)

/** The middle one, or the mean of the middle two; NaN of none. */
export const median = (values: ReadonlyArray<number>): number => {
  const all = sorted(values)
  const half = all.length >> 1
  return all.length % 2 === 1 ? all[half]! : (all[half - 1]! + all[half]!) / 2
}

/** The smallest value that this share of all values does not exceed; NaN of none. */
export const percentile = (values: ReadonlyArray<number>, share: number): number => {
  const all = sorted(values)
  return all[Math.max(0, Math.ceil(all.length * share) - 1)] ?? NaN
}

/** In as many digits as mean anything. */
export const show = (value: number): string => {
  if (!Number.isFinite(value)) return "–"
  const size = Math.abs(value)
  const digits = size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3
  return value.toLocaleString("en", { minimumFractionDigits: Math.min(digits, Number.isInteger(value) ? 0 : digits), maximumFractionDigits: digits })
}
