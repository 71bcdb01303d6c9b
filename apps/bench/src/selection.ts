/**
 * Which groups and rows a command line names: `latency`, or `zero-worker/map`
 * for the rows of a group whose names contain "map".
 */
import { Effect, Schema } from "effect"
import type { Group } from "./groups.ts"

/** There is no such group. */
export class NoSuchGroup extends Schema.TaggedError<NoSuchGroup>()("NoSuchGroup", { name: Schema.String, known: Schema.Array(Schema.String) }) {
  override get message() {
    const near = this.known.find((known) => known.startsWith(this.name.slice(0, 3)))
    return `There is no group "${this.name}"${near === undefined ? "" : `; did you mean "${near}"?`} Groups: ${this.known.join(", ")}`
  }
}

export interface Selected {
  readonly group: Group
  /** Texts of which a row's name contains at least one; none: all rows. */
  readonly parts: ReadonlyArray<string>
}

/** The groups that are named, each once, in their order; without names all of them. */
export const select = (groups: ReadonlyArray<Group>, names: ReadonlyArray<string>, quick: boolean): Effect.Effect<ReadonlyArray<Selected>, NoSuchGroup> =>
  Effect.gen(function*() {
    if (names.length === 0) return groups.filter((group) => !quick || group.quick).map((group) => ({ group, parts: [] }))
    const wanted = new Map<string, Array<string>>()
    for (const name of names) {
      const slash = name.indexOf("/")
      const group = slash < 0 ? name : name.slice(0, slash)
      if (!groups.some((known) => known.name === group)) return yield* new NoSuchGroup({ name: group, known: groups.map(({ name }) => name) })
      const parts = wanted.get(group) ?? []
      wanted.set(group, parts)
      parts.push(slash < 0 ? "" : name.slice(slash + 1))
    }
    return groups.flatMap((group) => {
      const parts = wanted.get(group.name)
      return parts === undefined ? [] : [{ group, parts: parts.includes("") ? [] : parts }]
    })
  })
