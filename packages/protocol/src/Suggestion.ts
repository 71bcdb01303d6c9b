/**
 * What somebody meant who misspelt a name: options of all kinds say it in the same words.
 */

/** The known name that looks most like it; undefined if none does. */
export const closest = (name: string, known: ReadonlyArray<string>): string | undefined => {
  let best: { readonly name: string; readonly distance: number } | undefined
  for (const candidate of known) {
    const found = distance(name.toLowerCase(), candidate.toLowerCase())
    if (found <= FAR && (best === undefined || found < best.distance)) best = { name: candidate, distance: found }
  }
  return best?.name
}

/** Goes on after "is unknown": the name that was meant, or else all that are known. */
export const suggestion = (name: string, known: ReadonlyArray<string>): string => {
  const meant = closest(name, known)
  return meant === undefined ? `; known are ${known.join(", ")}` : `; did you mean \`${meant}\`?`
}

/** Letters that may be wrong in a name that is still taken for another. */
const FAR = 3
/** Longer names are nobody's slip; the time to compare them grows with their length. */
const LONGEST = 64

/** Levenshtein's distance: letters to add, drop or change. */
const distance = (a: string, b: string): number => {
  if (a.length > LONGEST) return Infinity
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)))
    }
    row = next
  }
  return row[b.length]!
}
