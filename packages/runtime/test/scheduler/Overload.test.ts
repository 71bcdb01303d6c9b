/** A scheduler's process with a small heap, and single graphs that would fill it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Queue } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { ExitReport } from "@skein/protocol/NannyRpcs"
import { TASKS_PER_MESSAGE } from "@skein/protocol/Graph"
import type { Ref } from "@skein/protocol/Ids"
import * as Nanny from "@skein/runtime/nanny/Nanny"
import * as NodeProcesses from "@skein/runtime/node/NodeProcesses"
import { supervise } from "@skein/runtime/supervision/Supervisor"
import * as Unix from "@skein/transport/node/Unix"
import * as Rig from "./utils/Rig.ts"
import { code, declared, ref, task } from "./utils/make.ts"

const HEAP_MIB = 128

/** A scheduler's process, and a client of it. */
const start = Effect.gen(function*() {
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "skein-overload-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
  const path = join(directory, "s.sock")
  const exits = yield* Queue.unbounded<ExitReport>()
  const nanny = yield* Nanny.make({
    name: "scheduler",
    entry: new URL("../../src/scheduler/main.ts", import.meta.url).href,
    config: { protocol: "unix", path },
    policy: { restart: "temporary", intensity: 0 },
    nodeArgs: [`--max-old-space-size=${HEAP_MIB}`],
    onExit: (report) => Effect.asVoid(Queue.offer(exits, report))
  })
  yield* Effect.forkScoped(supervise({ name: "test", strategy: "one-for-one", children: [nanny.child] }))
  yield* nanny.ready
  const client = yield* Rig.client({ connect: Effect.orDie(Unix.connect(path)) })
  yield* client.rpc.Submit({ graph: { codes: [declared(code("inc"))], tasks: [task(0, "first")], last: true } })
  const died = Effect.flatMap(Queue.take(exits), ({ detail, logTail }) => Effect.die(new Error(`it died: ${detail}\n${logTail.slice(-5).join("\n")}`)))
  return { client, nanny, died }
})

/** Submits tasks as one graph, from the number 1 on. */
const submit = Effect.fnUntraced(function*(client: Rig.FakeClient, size: number, dependenciesOf: (n: number) => ReadonlyArray<number>) {
  for (let n = 1; n <= size; n += TASKS_PER_MESSAGE) {
    const tasks = Array.from({ length: Math.min(TASKS_PER_MESSAGE, size - n + 1) }, (_, at) => task(n + at, `task-of-a-large-graph-${n + at}`, dependenciesOf(n + at)))
    yield* client.rpc.Submit({ graph: { codes: [], tasks, last: n + tasks.length > size } })
  }
})

/** The references that are told to be refused, once they are so many. */
const refusedOf = Effect.fnUntraced(function*(client: Rig.FakeClient, size: number) {
  const refused = new Set<Ref>()
  while (refused.size < size) {
    const { rows } = yield* client.next("Erred")
    for (const { failure, ref } of rows) {
      assert.strictEqual(failure._tag, "Refused")
      refused.add(ref)
    }
  }
  return refused
})

/** Releases everything and submits a task, until one is taken. */
const worksAgain = Effect.fnUntraced(function*(client: Rig.FakeClient, size: number) {
  for (let n = 1; n <= size; n += 50_000) {
    yield* client.rpc.Release({ refs: Array.from({ length: Math.min(50_000, size - n + 1) }, (_, at) => ref(n + at)) })
  }
  for (let n = size + 1;; n++) {
    yield* client.rpc.Submit({ graph: { codes: [], tasks: [task(n, `again-${n}`)], last: true } })
    const { rows: [{ status } = { status: "unknown" }] } = yield* client.rpc.Tasks({ keys: [task(n, `again-${n}`).key], from: 0 })
    if (status === "noWorker") return
    yield* Effect.sleep("100 millis")
  }
})

const shapes = {
  "tasks that need nothing": () => [],
  "a chain": (n: number) => n === 1 ? [] : [n - 1],
  "a tree": (n: number) => n < 3 ? [] : [n - 1, n >> 1]
} satisfies Record<string, (n: number) => ReadonlyArray<number>>

describe("a single graph that would fill the scheduler's heap", () => {
  for (const [name, dependenciesOf] of Object.entries(shapes)) {
    it.live(`is refused as a whole: 200,000 rows of ${name}`, () => overload(200_000, dependenciesOf), { timeout: 120_000 })
  }
  if (process.env["SKEIN_LARGE"] !== undefined) {
    it.live("is refused as a whole: 1,000,000 rows of a chain", () => overload(1_000_000, shapes["a chain"]), { timeout: 300_000 })
  }
})

const overload = (size: number, dependenciesOf: (n: number) => ReadonlyArray<number>) =>
  Effect.gen(function*() {
    const { client, died } = yield* start
    const all = Effect.gen(function*() {
      const [, refused] = yield* Effect.all([submit(client, size, dependenciesOf), refusedOf(client, size)], { concurrency: "unbounded" })
      assert.isFalse(refused.has(ref(0)))
      // Nothing of it is kept, and what was there before is there still.
      const counts = yield* client.rpc.Counts()
      assert.deepInclude(counts, { noWorker: 1, released: 0, waiting: 0 })
      yield* worksAgain(client, size)
    })
    yield* Effect.raceFirst(all, died)
  }).pipe(Effect.provide([Rig.layer, NodeProcesses.layer]), Effect.scoped)
