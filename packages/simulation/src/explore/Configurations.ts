/** Small clusters that are explored whole. */
import type { CaseTask } from "../Case.ts"
import type { Configuration } from "./Explore.ts"

const task = (id: number, dependencies: ReadonlyArray<number>, more: Partial<CaseTask> = {}): CaseTask => ({
  id,
  dependencies,
  client: 0,
  durationMs: 1,
  bytes: 1,
  retries: 0,
  priority: 0,
  body: { _tag: "Succeeds" },
  isolation: "fiber",
  ...more
})

const base = { slots: 1, crashes: 0, lostSessions: 0 }
const submit = (...tasks: ReadonlyArray<number>) => ({ _tag: "Submit", tasks }) as const
const cancel = (...tasks: ReadonlyArray<number>) => ({ _tag: "Cancel", tasks }) as const
const release = (...tasks: ReadonlyArray<number>) => ({ _tag: "Release", tasks }) as const
const retry = (...tasks: ReadonlyArray<number>) => ({ _tag: "Retry", tasks }) as const

/** Two sources and what joins them. */
const join = [task(0, []), task(1, []), task(2, [0, 1])]
const chain = [task(0, []), task(1, [0]), task(2, [1])]
const fan = [task(0, []), task(1, [0]), task(2, [0])]

/** Those that a test has time for. */
export const small: ReadonlyArray<Configuration> = [
  { ...base, name: "a join of three on two workers, one of which crashes at any moment", workers: 2, tasks: join, acts: [submit(0, 1, 2), release(0, 1, 2)], crashes: 1 },
  { ...base, name: "a chain of three on one worker, cancelled at any moment", workers: 1, tasks: chain, acts: [submit(0, 1, 2), cancel(1), release(0, 1, 2)] },
  { ...base, name: "a chain that is cancelled, asked for again and released, while its worker may crash", workers: 1, tasks: chain.slice(0, 2), acts: [submit(0, 1), cancel(0), retry(1), release(0, 1)], crashes: 1 },
  { ...base, name: "two tasks on two workers, released and submitted again at any moment", workers: 2, tasks: chain.slice(0, 2), acts: [submit(0, 1), release(0, 1), submit(1), release(0, 1)] },
  { ...base, name: "three tasks of which an idle worker takes some back", workers: 2, tasks: [task(0, []), task(1, []), task(2, [])], acts: [submit(0, 1, 2), cancel(1), release(0, 1, 2)] },
  { ...base, name: "two tasks taken back while a worker crashes", workers: 2, tasks: [task(0, []), task(1, []), task(2, [])], acts: [submit(0, 1, 2), release(0, 1, 2)], crashes: 1 },
  { ...base, name: "a chain whose worker loses its session and comes back with its results", workers: 1, tasks: chain, acts: [submit(0, 1, 2), release(0, 1, 2)], lostSessions: 1 },
  { ...base, name: "a join on two workers, one of which comes back with its results", workers: 2, tasks: join, acts: [submit(2), release(0, 1, 2)], lostSessions: 1 },
  { ...base, name: "a failing task with a retry, and what depends on it", workers: 1, tasks: [task(0, [], { body: { _tag: "Fails", times: 2 }, retries: 1 }), task(1, [0])], acts: [submit(0, 1), retry(1), release(0, 1)], crashes: 1 }
]

/** Those that take minutes: for `npm run simulate`. */
export const large: ReadonlyArray<Configuration> = [
  { ...base, name: "a fan on two workers, released and submitted again at any moment", workers: 2, tasks: fan, acts: [submit(0, 1, 2), release(0, 1, 2), submit(1, 2), release(0, 1, 2)], maxStates: 3_000_000 },
  { ...base, name: "a diamond of four on two workers, two crashes", workers: 2, tasks: [task(0, []), task(1, [0]), task(2, [0]), task(3, [1, 2])], acts: [submit(0, 1, 2, 3), release(0, 1, 2, 3)], crashes: 2, maxStates: 3_000_000 },
  { ...base, name: "a join on three workers, one crash, cancelled at any moment", workers: 3, tasks: join, acts: [submit(0, 1, 2), cancel(2), release(0, 1, 2)], crashes: 1, maxStates: 3_000_000 },
  { ...base, name: "a join on two workers, one crash and one lost session", workers: 2, tasks: join, acts: [submit(0, 1, 2), release(0, 1, 2)], crashes: 1, lostSessions: 1, maxStates: 3_000_000 }
]
