/** What is to happen and when, the next first; of what happens at one time, what was entered first. */
export interface Entry {
  readonly at: number
  readonly order: number
  readonly act: () => void
}

/** A binary heap. */
export class Heap {
  private readonly entries: Array<Entry> = []
  private order = 0

  get size(): number {
    return this.entries.length
  }

  add(at: number, act: () => void): void {
    const { entries } = this
    const entry: Entry = { at, order: this.order++, act }
    let place = entries.length
    entries.push(entry)
    while (place > 0) {
      const above = (place - 1) >> 1
      const parent = entries[above]
      if (parent === undefined || comesBefore(parent, entry)) break
      entries[place] = parent
      place = above
    }
    entries[place] = entry
  }

  take(): Entry | undefined {
    const { entries } = this
    const first = entries[0]
    const last = entries.pop()
    if (first === undefined || last === undefined || entries.length === 0) return first
    let place = 0
    for (;;) {
      let below = 2 * place + 1
      let child = entries[below]
      if (child === undefined) break
      const other = entries[below + 1]
      if (other !== undefined && comesBefore(other, child)) {
        child = other
        below++
      }
      if (comesBefore(last, child)) break
      entries[place] = child
      place = below
    }
    entries[place] = last
    return first
  }
}

const comesBefore = (a: Entry, b: Entry): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)
