/**
 * The shapes of work, as pure data: which task needs which, how long it runs and
 * how much it returns.
 *
 * Source: performance.md §2a, which has them from RSDS's `scripts/usecases.py`
 * and the appendix of its authors' thesis; what is marked "inferred" there is
 * inferred here.
 */

/** A graph in topological order: a task needs only tasks before it. */
export interface Graph {
  readonly name: string
  /** For each task the tasks whose results it needs. */
  readonly deps: ReadonlyArray<ReadonlyArray<number>>
  /** How long each task runs, in milliseconds. */
  readonly ms: (task: number) => number
  /** Bytes of each result. */
  readonly bytes: (task: number) => number
}

const none: ReadonlyArray<number> = []
const zero = () => 0
const graph = (name: string, deps: ReadonlyArray<ReadonlyArray<number>>, ms: (task: number) => number = zero, bytes: (task: number) => number = zero): Graph =>
  ({ name, deps, ms, bytes })

/** One that is made when it is looked into: those of a million tasks are often asked for their names only. */
const lazily = (name: string, make: () => Graph["deps"]): Graph => {
  let made: Graph["deps"] | undefined
  return {
    ...graph(name, []),
    get deps() {
      return made ??= make()
    }
  }
}

/** n tasks that have nothing to do with each other. */
export const map = (n: number): Graph => lazily(`map ${count(n)}`, () => Array.from({ length: n }, () => none))

/** n tasks and one that needs them all. */
export const merge = (n: number): Graph => lazily(`merge ${count(n)}`, () => [...map(n).deps, Array.from({ length: n }, (_, i) => i)])

/** 2^k numbers, added in pairs until one is left: 2^k − 1 tasks, the first half of which add numbers that they are given. */
export const tree = (k: number): Graph => {
  const leaves = 2 ** (k - 1)
  return lazily(`tree ${count(2 * leaves - 1)}`, () => Array.from({ length: 2 * leaves - 1 }, (_, i) => i < leaves ? none : [2 * (i - leaves), 2 * (i - leaves) + 1]))
}

/** The largest tree of about n tasks: at most a twentieth more, so that a million is 2^20 − 1. */
export const treeOf = (n: number): Graph => tree(Math.floor(Math.log2(n * 1.05)))

/** Merge, map and tree of about n tasks: what a task costs is shown by these three. */
export const mergeMapTree = (n: number): ReadonlyArray<Graph> => [merge(n), map(n), treeOf(n)]

/** n tasks, each of which needs the one before. */
export const chain = (n: number): Graph => graph(`chain ${count(n)}`, Array.from({ length: n }, (_, i) => i === 0 ? none : [i - 1]))

/** One task, and n that need it. */
export const fanOut = (n: number): Graph => graph(`fan-out ${count(n)}`, [none, ...Array.from({ length: n }, () => [0])])

/** `merge` of tasks that sleep. */
export const mergeSlow = (n: number, ms: number): Graph => ({ ...merge(n), name: `merge_slow ${count(n)} × ${ms} ms`, ms: (task) => task < n ? ms : 0 })

/** The custom-workloads notebook: n times `add(inc(i), double(i))`, and the sums of those in pairs until one is left. */
export const notebook = (n: number): Graph => {
  const deps: Array<ReadonlyArray<number>> = []
  let level: Array<number> = []
  for (let i = 0; i < n; i++) level.push(deps.push(none, none, [deps.length, deps.length + 1]) - 1)
  while (level.length > 1) {
    const next: Array<number> = []
    for (let i = 0; i + 1 < level.length; i += 2) next.push(deps.push([level[i]!, level[i + 1]!]) - 1)
    if (level.length % 2 === 1) next.push(level.at(-1)!)
    level = next
  }
  return graph(`notebook, ${n} chains`, deps)
}

/**
 * A Cartesian product of p partitions: p sources, p filters, p² products of two filters (of one on the diagonal), p² partial sums,
 * and their reduction in groups of eight, where a group of one is left out.
 */
export const bag = (name: string, p: number, ms: number, bytes: number): Graph => {
  const deps: Array<ReadonlyArray<number>> = []
  const add = (...needs: ReadonlyArray<number>) => deps.push(needs) - 1
  const sources = Array.from({ length: p }, () => add())
  const filters = sources.map((source) => add(source))
  const products = filters.flatMap((a) => filters.map((b) => a === b ? add(a) : add(a, b)))
  let level = products.map((product) => add(product))
  while (level.length > 1) {
    const next: Array<number> = []
    for (let i = 0; i < level.length; i += 8) {
      const group = level.slice(i, i + 8)
      next.push(group.length === 1 ? group[0]! : add(...group))
    }
    level = next
  }
  return graph(name, deps, () => ms, () => bytes)
}

/** 300 tasks of 1.5 s that return 10 MiB each. */
export const vectorizer = (): Graph => graph("vectorizer-1M-300", Array.from({ length: 301 }, () => none), () => 1_504, () => 10_226 * 1024)

/** 50 components of five tasks: three sources, one that needs two of them, and one that needs that and the third. Inferred. */
export const wordbag = (): Graph => {
  const deps: Array<ReadonlyArray<number>> = []
  for (let i = 0; i < 50; i++) {
    const at = deps.length
    deps.push(none, none, none, [at, at + 1], [at + 3, at + 2])
  }
  return graph("wordbag-100K-50", deps, () => 301, () => 5_136 * 1024)
}

/** A graph that was exported from Dask: its shape, and the mean time and size that the paper gives for it. */
export const fromExport = (
  exported: { readonly name: string; readonly deps: ReadonlyArray<ReadonlyArray<number>> },
  ms: number,
  bytes: number
): Graph => graph(exported.name, exported.deps, () => ms, () => bytes)

/** Tasks, edges, and edges on the longest path. */
export const properties = ({ deps }: Graph): { readonly tasks: number; readonly edges: number; readonly longestPath: number } => {
  const depths = depthsOf(deps)
  let edges = 0
  let longestPath = 0
  for (const needs of deps) edges += needs.length
  for (const depth of depths) longestPath = Math.max(longestPath, depth)
  return { tasks: deps.length, edges, longestPath }
}

/** Found once for each graph: what takes long for a million tasks is not to be a part of every round. */
const once = <A>(find: (graph: Graph) => A): (graph: Graph) => A => {
  const known = new WeakMap<Graph["deps"], { readonly found: A }>()
  return (graph) => {
    const before = known.get(graph.deps)
    if (before !== undefined) return before.found
    const found = find(graph)
    known.set(graph.deps, { found })
    return found
  }
}

/** Tasks by their depth: each level needs only earlier ones. */
export const levels = once(({ deps }): ReadonlyArray<ReadonlyArray<number>> => {
  const found: Array<Array<number>> = []
  for (const [task, depth] of depthsOf(deps).entries()) (found[depth] ??= []).push(task)
  return found
})

/** Tasks that no other needs: what a client waits for. */
export const sinks = once(({ deps }): ReadonlyArray<number> => {
  const needed = new Set<number>()
  for (const needs of deps) for (const task of needs) needed.add(task)
  return deps.flatMap((_, task) => needed.has(task) ? [] : [task])
})

/** Milliseconds that so many slots need at least, whatever the order: the longest path, or all work shared evenly. */
export const idealMs = ({ deps, ms }: Graph, slots: number): number => {
  const ends: Array<number> = []
  let all = 0
  let longest = 0
  for (const [task, needs] of deps.entries()) {
    let since = 0
    for (const need of needs) since = Math.max(since, ends[need]!)
    ends.push(since + ms(task))
    longest = Math.max(longest, ends[task]!)
    all += ms(task)
  }
  return Math.max(longest, all / slots)
}

/** 10000 → "10K". */
export const count = (n: number): string => n >= 1_000_000 && n % 1_000_000 === 0 ? `${n / 1_000_000}M` : n >= 10_000 && n % 1_000 === 0 ? `${n / 1_000}K` : String(n)

const depthsOf = (deps: Graph["deps"]): ReadonlyArray<number> => {
  const depths: Array<number> = []
  for (const needs of deps) {
    let depth = 0
    for (const task of needs) depth = Math.max(depth, depths[task]! + 1)
    depths.push(depth)
  }
  return depths
}
