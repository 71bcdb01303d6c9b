/**
 * Mistakes of users, made on a cluster, and the whole text that each is answered
 * with. What stands where a key, an address or a path would is the only thing left out.
 */
import { assert, describe, it, layer, type Vitest } from "@effect/vitest"
import { Effect, Fiber, Layer, type Scope } from "effect"
import { Client, Cluster, type Future, LocalCluster, type SubmitError } from "skein"
import * as tasks from "./tasks.ts"

/** Milliseconds, on a machine that has other things to do. */
const WITHIN = 30_000

const options = { workers: 1, threadsPerWorker: 1, processes: false, tasks: new URL("./tasks.ts", import.meta.url) } as const

/** What it fails with, in words. */
const textOf = <A, R>(effect: Effect.Effect<A, { readonly message: string }, R>) => Effect.map(Effect.flip(effect), ({ message }) => message)
const held = <A, E>(submitted: Effect.Effect<Future<A, E>, SubmitError>) => Effect.acquireRelease(submitted, (future) => future.release)

/** One more client, until the scope ends. */
const another = Effect.flatMap(Layer.build(Layer.fresh(Client.layerCluster)), (context) => Effect.provide(Client, context))
/** As others see it. */
const nameOf = ({ id }: Client["Service"]) => id.replace(/-[0-9a-f]{12}$/, "")

const mistakes = (it: Vitest.MethodsNonLive<Client | Cluster>) => {
  const mistake = <A, E>(name: string, body: (client: Client["Service"]) => Effect.Effect<A, E, Client | Cluster | Scope.Scope>) =>
    it.effect(name, () => Effect.scoped(Effect.flatMap(Client, body)), WITHIN)

  mistake("a result that cannot travel", (client) =>
    Effect.gen(function*() {
      const future = yield* held(client.submit(tasks.unsendable, 1))
      assert.strictEqual(
        yield* textOf(future.result),
        `SKEIN1004 ${future.key} finished but its result cannot leave worker-0\n` +
          "  at [\"connection\"][\"open\"]: a function (open) has no encoding\n" +
          "  Results are stored and may be moved between workers, so they must be data.\n" +
          "  fix 1  return what you need from it\n" +
          "  fix 2  add a Schema: `Task.make(name, { success })` or `Task.fn(name, body, { success })`; of a class, `Portable.register(TheClass, schema)`"
      )
    }))

  mistake("a future of another client, as an argument and to be gathered", (client) =>
    Effect.gen(function*() {
      const other = yield* another
      const future = yield* other.submit(tasks.inc, 1)
      const text = `SKEIN1005 the future "${future.key}" belongs to a client of ${other.address}, and was passed to another\n` +
        "  fix  gather it there first, and scatter its value here"
      assert.strictEqual(yield* textOf(client.submit(tasks.inc, future)), text)
      assert.strictEqual(
        yield* textOf(client.gather([future])),
        text.replace("SKEIN1005", `SKEIN1005 ${future.key} cannot be had here: ForeignFuture:`)
      )
    }))

  mistake("arguments that are too large", (client) =>
    Effect.gen(function*() {
      const text = yield* textOf(client.submit(tasks.weigh, new Uint8Array(40 * 2 ** 20)))
      assert.match(text, /^SKEIN1006 the arguments take 40\.0 MiB, \d+\.0 MiB is the limit\n/)
    }))

  mistake("a key of another computation, of one's own and of another client", (client) =>
    Effect.gen(function*() {
      const words = (key: string, heldBy: string) =>
        `SKEIN1007 the key "${key}" belongs to another computation, submitted by ${heldBy}\n` +
        "  One key is one computation, for everybody on the cluster.\n" +
        "  fix 1  another `key`\n  fix 2  no `key`: a pure task's key is made from its code and arguments"
      const name = nameOf(client)
      yield* held(client.with({ key: "mine" }).submit(tasks.inc, 1))
      assert.strictEqual(yield* textOf(client.with({ key: "mine" }).submit(tasks.double, 1)), words("mine", `this client, "${name}"`))
      const other = yield* another
      const theirs = yield* other.with({ key: "theirs" }).submit(tasks.inc, 1)
      yield* theirs.result
      const mine = yield* held(client.with({ key: "theirs" }).submit(tasks.double, 1))
      assert.strictEqual(yield* textOf(mine.result), words("theirs", nameOf(other)).replace("SKEIN1007", "SKEIN1007 theirs"))
    }))

  mistake("a future that has been released", (client) =>
    Effect.gen(function*() {
      const future = yield* client.submit(tasks.inc, 1)
      yield* future.release
      assert.strictEqual(
        yield* textOf(client.submit(tasks.inc, future)),
        `SKEIN1008 the future "${future.key}" has been released\n  fix  submit the task again, or release its future later`
      )
    }))

  mistake("a client after its end", () =>
    Effect.gen(function*() {
      const gone = yield* Effect.provide(Client, Layer.fresh(Client.layerCluster))
      assert.strictEqual(
        yield* textOf(gone.submit(tasks.inc, 1)),
        "SKEIN1012 this client is closed: the layer that made it has ended\n  fix  submit within `Effect.provide(Client.layer(…))`"
      )
    }))

  mistake("options that there are not", (client) =>
    Effect.gen(function*() {
      assert.strictEqual(
        yield* textOf(client.with({ priority: NaN }).submit(tasks.inc, 1)),
        "SKEIN1013 the option `priority` is not valid: expected a finite number\n  fix  change or remove it"
      )
    }))

  mistake("a body that throws", (client) =>
    Effect.gen(function*() {
      const future = yield* held(client.submit(tasks.throws, "boom"))
      const text = yield* textOf(future.result)
      assert.strictEqual(text, `SKEIN3000 ${future.key} threw on worker-0: TypeError: boom`)
    }))

  mistake("a task that was cancelled, with a note and without", (client) =>
    Effect.gen(function*() {
      for (const note of ["superseded", undefined]) {
        const future = yield* held(client.submit(tasks.interruptible, String(note)))
        yield* future.cancel(note === undefined ? {} : { note })
        const by = nameOf(client)
        assert.strictEqual(
          (yield* textOf(future.result)).replace(/at \d\d:\d\d:\d\d UTC/, "at HH:MM:SS UTC"),
          `SKEIN3003 ${future.key} was cancelled by client "${by}" at HH:MM:SS UTC${note === undefined ? "" : `: "${note}"`}\n  fix  submit it again, or \`future.retry\``
        )
      }
    }))

  mistake("workers that do not come", (client) =>
    Effect.gen(function*() {
      assert.strictEqual(
        yield* textOf(client.waitForWorkers(3, { timeout: "20 millis" })),
        "SKEIN4007 it took too long\n  fewer than 3 workers came within 20ms; see whether they start, or wait longer"
      )
    }))

  mistake("what the cluster cannot do yet", () =>
    Effect.gen(function*() {
      const cluster = yield* Cluster
      assert.strictEqual(
        yield* textOf(cluster.retire(["worker-0"])),
        "SKEIN4006 this cluster has no `retire`\n  Call `scale` for now: results that move to other workers come with the next stage"
      )
    }))
}

layer(LocalCluster.layer(options), { excludeTestServices: true, timeout: WITHIN })("the whole text of", mistakes)

describe("the whole text of", () => {
  it.live("workers that cannot start (test_spec_cluster.py::test_broken_worker)", () =>
    Effect.gen(function*() {
      // An address of nobody's, for documents.
      const broken = LocalCluster.layer({ ...options, protocol: "tcp", worker: { host: "192.0.2.1" } })
      assert.strictEqual(
        yield* textOf(Effect.scoped(Layer.build(broken))),
        "SKEIN4005 the workers do not start\n" +
          "  The address tcp://192.0.2.1:0 cannot be used: Error: listen EADDRNOTAVAIL: address not available 192.0.2.1"
      )
    }), WITHIN)

  it.live("a scheduler that has gone, to who waits and who asks", () =>
    Effect.gen(function*() {
      const client = yield* Client
      const future = yield* client.submit(tasks.interruptible, "x")
      const waiting = yield* Effect.forkChild(textOf(future.result), { startImmediately: true })
      yield* (yield* Cluster).shutdown
      const gone = `SKEIN2010 the scheduler at ${client.address} is gone\n` +
        "  The session with it ended, and with it everything this client had submitted.\n" +
        "  fix 1  see whether its process still runs, and build the client again\n" +
        "  fix 2  a longer `resumeTimeout`, if the network is often away for so long"
      assert.strictEqual(yield* textOf(client.inspect.counts), gone)
      assert.match(yield* Fiber.join(waiting), /^SKEIN2010 /)
    }).pipe(Effect.provide(LocalCluster.layer(options))), WITHIN)
})
