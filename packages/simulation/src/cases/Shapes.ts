/**
 * Shapes of graphs: who depends on whom.
 *
 * Each is a list of tasks by number, dependencies before dependents. The shapes are
 * those that have found bugs elsewhere: long chains, wide fans, reductions,
 * lattices where every task has two dependents, shuffles where everybody needs everybody.
 */
import type { Draws } from "./Draws.ts"

/** For each task the tasks that it depends on, all of smaller number. */
export type Edges = ReadonlyArray<ReadonlyArray<number>>

/** A shape of `size` tasks, as nearly as it can be had; never more, at least one. */
export type Shape = (size: number, draws: Draws, stream: string) => Edges

/** Each needs the one before. */
const chain: Shape = (size) => numbered(size, (i) => i === 0 ? [] : [i - 1])

/** One, many that need it, and one that needs them all. */
const fan: Shape = (size) => numbered(size, (i) => i === 0 ? [] : i < size - 1 ? [0] : range(Math.min(1, i - 1), i))

/** Leaves, and a tree that brings two to eight of them together at a time. */
const treeReduce: Shape = (size, draws, stream) => {
  const arity = draws.int(2, 8, `${stream}.arity`)
  const leaves = Math.max(1, Math.ceil(size * (arity - 1) / arity))
  const edges: Array<ReadonlyArray<number>> = range(0, leaves).map(() => [])
  let level = range(0, leaves)
  while (level.length > 1 && edges.length < size) {
    const next: Array<number> = []
    for (let i = 0; i < level.length && edges.length < size; i += arity) {
      next.push(edges.length)
      edges.push(level.slice(i, i + arity))
    }
    level = next
  }
  return edges.slice(0, size)
}

/** Rows, in which each needs the two above it. */
const lattice: Shape = (size, draws, stream) => {
  const width = Math.max(1, Math.min(size, draws.int(2, 12, `${stream}.width`)))
  return numbered(size, (i) => i < width ? [] : unique([i - width, i - width - (i % width) + ((i + 1) % width)]))
}

/** Rows, in which each needs its place above and both neighbours. */
const stencil: Shape = (size, draws, stream) => {
  const width = Math.max(1, Math.min(size, draws.int(3, 24, `${stream}.width`)))
  return numbered(size, (i) => {
    if (i < width) return []
    const above = i - width - (i % width)
    const place = i % width
    return unique([place - 1, place, place + 1].filter((at) => at >= 0 && at < width).map((at) => above + at))
  })
}

/** Two rows, each of the second of which needs all of the first. */
const allToAll: Shape = (size, draws, stream) => {
  const first = Math.max(1, Math.min(size - 1, draws.int(1, 24, `${stream}.width`)))
  return numbered(size, (i) => i < first ? [] : range(0, first))
}

/** Most of them need nothing. */
const wideRoots: Shape = (size, draws, stream) => {
  const roots = Math.max(1, Math.ceil(size * 0.8))
  return numbered(size, (i) => i < roots ? [] : unique(range(0, 3).map((n) => draws.int(0, roots - 1, `${stream}.edge`, i, n))))
}

/** Layers, in which each needs up to four of any layer before. */
const layered: Shape = (size, draws, stream) => {
  const width = Math.max(1, Math.min(size, draws.int(2, 40, `${stream}.width`)))
  return numbered(size, (i) => {
    const before = i - (i % width)
    if (before === 0) return []
    return unique(range(0, draws.int(0, 4, `${stream}.degree`, i)).map((n) => draws.int(0, before - 1, `${stream}.edge`, i, n)))
  })
}

/** Tasks that have nothing to do with each other. */
const independent: Shape = (size) => numbered(size, () => [])

export const shapes = { chain, fan, treeReduce, lattice, stencil, allToAll, wideRoots, layered, independent } satisfies Record<string, Shape>
export type ShapeName = keyof typeof shapes
export const shapeNames = Object.keys(shapes) as ReadonlyArray<ShapeName>

const range = (from: number, to: number): ReadonlyArray<number> => Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i)

const numbered = (size: number, dependencies: (i: number) => ReadonlyArray<number>): Edges => range(0, Math.max(1, size)).map(dependencies)

const unique = (ids: ReadonlyArray<number>): ReadonlyArray<number> => [...new Set(ids)]
