/** Which states have a way to an end (AG EF). */

/** The first of `count` states from which no end can be reached; undefined if there is none. `from` and `to`: the ways between them. */
export const stranded = (count: number, from: ReadonlyArray<number>, to: ReadonlyArray<number>, ends: ReadonlyArray<number>): number | undefined => {
  // The ways, by where they lead: `first[n]` to `first[n + 1]` in `sources`.
  const first = new Int32Array(count + 1)
  for (const target of to) first[target + 1]!++
  for (let n = 0; n < count; n++) first[n + 1]! += first[n]!
  const sources = new Int32Array(to.length)
  const fill = first.slice()
  to.forEach((target, way) => {
    sources[fill[target]!++] = from[way]!
  })
  const reaches = new Uint8Array(count)
  const rest = [...ends]
  for (const end of rest) reaches[end] = 1
  for (let at = rest.pop(); at !== undefined; at = rest.pop()) {
    for (let way = first[at]!; way < first[at + 1]!; way++) {
      const source = sources[way]!
      if (reaches[source] === 1) continue
      reaches[source] = 1
      rest.push(source)
    }
  }
  const lost = reaches.indexOf(0)
  return lost < 0 ? undefined : lost
}
