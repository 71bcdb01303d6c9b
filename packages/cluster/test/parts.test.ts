/**
 * The parts of a cluster by themselves: a program that is a scheduler, a worker, or both.
 */
import { assert, describe, it } from "@effect/vitest"
import { Client } from "@skein/client"
import { Scheduler, type SchedulerOptions, Worker, type WorkerLayerOptions } from "@skein/cluster"
import { ConnectError } from "@skein/protocol/Errors"
import { TaskError } from "@skein/protocol/Failure"
import { Task } from "@skein/protocol/Task"
import * as Tcp from "@skein/transport/node/Tcp"
import { Cause, Context, Effect, Exit, Fiber, Layer, Option, Redacted, Schema, Scope, Stream } from "effect"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const WITHIN = 60_000

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "skein-parts-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)
const resultOf = <A, E, E2>(submitted: Effect.Effect<{ readonly result: Effect.Effect<A, E> }, E2>) => Effect.flatMap(submitted, ({ result }) => result)

/** Why a scheduler does not start. */
const notStarted = (options: object) => Effect.flip(Effect.scoped(Layer.build(Scheduler.layer(options as SchedulerOptions))))
/** Why a worker does not. */
const notJoined = (options: object) => Effect.flip(Effect.scoped(Layer.build(Worker.layer(options as WorkerLayerOptions))))

const token = Redacted.make("of this program")
/** A client beside them, in the network of the scheduler. */
const beside = Layer.unwrap(Effect.map(Scheduler, ({ address }) => Client.layer({ address, token })))
const one = { threads: 1, fibers: 2, memoryLimit: null } as const

class Factor extends Context.Service<Factor, number>()("test/Factor") {}
const Times = Task.make("PartsTimes", { payload: { n: Schema.Number }, success: Schema.Number })
const TimesLive = Times.toLayer(Effect.map(Factor, (factor) => ({ n }: { readonly n: number }) => Effect.succeed(n * factor)))

describe("Scheduler.layer and Worker.layerHere", () => {
  for (const protocol of ["inproc", "unix", "tcp"] as const) {
    it.live(`are a cluster of one program, over ${protocol} (test_local.py::test_transports_${protocol})`, () =>
      Effect.gen(function*() {
        const client = yield* Client
        assert.strictEqual(yield* resultOf(client.submit((a: number, b: number) => a + b, 1, 2)), 3)
        const [worker] = yield* client.inspect.workers
        assert.deepInclude(worker, { name: "here", nthreads: 1, nfibers: 2 })
        assert.strictEqual(worker?.address, (yield* Worker).address)
        assert.isTrue((yield* Scheduler).address.startsWith(`${protocol}:`))
        assert.deepStrictEqual((yield* Scheduler).dashboardLink, Option.none())
      }).pipe(
        Effect.provide(Layer.provideMerge(
          Layer.merge(Worker.layerHere({ ...one, name: "here" }), beside),
          Scheduler.layer(protocol === "tcp" ? { protocol, port: 0 } : { protocol, token })
        ))
      ), WITHIN)
  }

  it.live("build the layer of tasks that the worker is given, in the surroundings of the program", () =>
    Effect.gen(function*() {
      const client = yield* Client
      assert.strictEqual(yield* resultOf(client.submit(Times, { n: 6 })), 42)
    }).pipe(
      Effect.provide(Layer.provideMerge(Layer.merge(Worker.layerHere({ ...one, tasks: TimesLive }), beside), Scheduler.layer({ protocol: "inproc" }))),
      Effect.provideService(Factor, 7)
    ), WITHIN)

  it.live("hold the scheduler to what it is told: one death is enough where none is allowed (test_scheduler.py::test_allowed_failures_config)", () =>
    Effect.gen(function*() {
      const client = yield* Client
      const error = yield* Effect.flip(resultOf(client.submit(() => process.exit(3))))
      assert(error instanceof TaskError)
      assert.deepInclude(error.reason, { _tag: "KilledWorker" })
      assert.lengthOf((error.reason as { readonly attempts: ReadonlyArray<unknown> }).attempts, 1)
    }).pipe(
      Effect.provide(Layer.provideMerge(Layer.merge(Worker.layerHere(one), beside), Scheduler.layer({ protocol: "inproc", allowedFailures: 0, validate: true })))
    ), WITHIN)
})

describe("Worker.layer", () => {
  it.live("joins the scheduler of a file, and tells what it was told", () =>
    Effect.scoped(Effect.gen(function*() {
      const here = yield* folder
      const schedulerFile = join(here, "scheduler.json")
      const localDirectory = join(here, "own")
      const schedulers = yield* Effect.scope
      yield* Layer.buildWithScope(Scheduler.layer({ port: 0, schedulerFile, token: Redacted.make("secret") }), schedulers)
      const parts = yield* Layer.build(Layer.merge(
        Worker.layer({
          schedulerFile,
          ...one,
          name: "alone",
          resources: { GPU: 1 },
          host: "127.0.0.3",
          contactAddress: "worker.example:9000",
          localDirectory,
          environment: { SKEIN_TEST_PART: "yes" },
          heartbeatInterval: "2 seconds",
          connectionLimit: 3,
          deathTimeout: "30 seconds",
          resumeTimeout: "20 seconds"
        }),
        Client.layer({ schedulerFile })
      ))
      yield* Effect.gen(function*() {
        const client = yield* Client
        const [worker] = yield* client.inspect.workers
        assert.deepInclude(worker, {
          name: "alone",
          address: "tcp://worker.example:9000",
          host: "127.0.0.3",
          localDirectory,
          resources: { GPU: 1 },
          memoryLimitBytes: Option.none(),
          nanny: Option.none()
        })
        assert.isTrue(existsSync(localDirectory))
        assert.strictEqual(yield* resultOf(client.submit(() => process.env["SKEIN_TEST_PART"])), "yes")
      }).pipe(Effect.provideContext(parts))
    })), WITHIN)

  it.live("is closed when it has looked for its scheduler for long enough (test_nanny.py::test_nanny_death_timeout)", () =>
    Effect.scoped(Effect.gen(function*() {
      const schedulers = yield* Scope.make()
      const parts = yield* Layer.buildWithScope(Scheduler.layer({ protocol: "unix" }), schedulers)
      const { address } = Context.get(parts, Scheduler)
      const { closed } = Context.get(yield* Layer.build(Worker.layer({ address, ...one, deathTimeout: "50 millis" })), Worker)
      const ended = yield* Effect.forkChild(closed, { startImmediately: true })
      assert.isUndefined(ended.pollUnsafe())
      yield* Scope.close(schedulers, Exit.void)
      yield* Fiber.join(ended)
    })), WITHIN)

  it.live("is sent away when a client shuts the cluster down, and so ends the scheduler (test_client.py::test_shutdown)", () =>
    Effect.gen(function*() {
      const client = yield* Client
      const { closed } = yield* Worker
      yield* client.cluster.shutdown
      yield* closed
      yield* Stream.runDrain(client.connection)
      assert.strictEqual((yield* Effect.flip(client.inspect.counts))._tag, "SchedulerLost")
      // Once is enough, and twice does no harm.
      yield* client.cluster.shutdown
    }).pipe(Effect.provide(Layer.provideMerge(Layer.merge(Worker.layerHere(one), beside), Scheduler.layer({ protocol: "unix" })))), WITHIN)

  it.live("cannot be drained, nor its cluster scaled or restarted, and says so", () =>
    Effect.gen(function*() {
      const worker = yield* Worker
      const drained = yield* Effect.exit(worker.drain)
      assert(Exit.isFailure(drained))
      assert.strictEqual(
        String(Cause.squash(drained.cause) instanceof Error ? (Cause.squash(drained.cause) as Error).message : ""),
        "SKEIN4006 this cluster has no `drain`\n  End the worker's scope: what it alone holds is computed again. Results that move to other workers come with the next stage"
      )
      const client = yield* Client
      // Nobody would start it again, so the cluster as such cannot be restarted.
      assert.strictEqual(
        (yield* Effect.flip(client.cluster.restart)).message,
        "SKEIN4006 this cluster has no `restart`\n  Its workers have no nanny, so nobody would start them again: start them with `skein worker`, which has one"
      )
      assert.strictEqual(
        (yield* Effect.flip(client.cluster.scale(2))).message,
        "SKEIN4006 this cluster has no `scale`\n  Its workers were started elsewhere: start more there, or end some"
      )
      const later: ReadonlyArray<Effect.Effect<void, Error, Scope.Scope>> = [client.cluster.adapt({ maximum: 3 }), client.cluster.retire(["here"]), client.replicate([]), client.rebalance()]
      assert.deepStrictEqual(yield* Effect.forEach(later, (effect) => Effect.map(Effect.flip(Effect.scoped(effect)), ({ message }) => message)), [
        "SKEIN4006 this cluster has no `adapt`\n  Call `scale` for now: clusters that grow and shrink by themselves come with the next stage",
        "SKEIN4006 this cluster has no `retire`\n  Call `scale` for now: results that move to other workers come with the next stage",
        "SKEIN4006 this cluster has no `replicate`\n  Workers that use a result keep a copy already; copies on request come with the next stage",
        "SKEIN4006 this cluster has no `rebalance`\n  New tasks go to the workers that have room; results that move to other workers come with the next stage"
      ])
      assert.deepStrictEqual([...(yield* client.cluster.logs).keys()], ["cluster", "scheduler"])
    }).pipe(Effect.provide(Layer.provideMerge(Layer.merge(Worker.layerHere(one), beside), Scheduler.layer({ protocol: "inproc" })))), WITHIN)

  it.live("looks for a scheduler as long as it may, and says that there is none (test_local.py::test_death_timeout_raises)", () =>
    Effect.gen(function*() {
      for (const options of [{ timeout: "50 millis" }, { deathTimeout: "50 millis" }]) {
        const error = yield* notJoined({ address: "tcp://127.0.0.1:1", ...one, ...options })
        assert(error instanceof ConnectError)
        assert.deepStrictEqual([error.reason, error.code], ["Refused", "SKEIN2001"])
      }
    }))

  it.live("says that its token is not accepted", () =>
    Effect.gen(function*() {
      const { address } = yield* Scheduler
      assert.deepInclude(yield* notJoined({ address, token: Redacted.make("wrong"), ...one }), { reason: "Unauthorized", code: "SKEIN2005" })
    }).pipe(Effect.provide(Scheduler.layer({ protocol: "unix", token: Redacted.make("right") }))))

  it.effect("refuses options that make no sense, with what to do about them", () =>
    Effect.gen(function*() {
      const because = (detail: string) => `SKEIN2009 an option of the client is not valid (${detail})\n  fix  change or remove it`
      const message = (options: object) => Effect.map(notJoined({ address: "tcp://127.0.0.1:1", ...options }), ({ message }) => message)
      for (const option of ["lifetime", "preload", "tls"]) assert.strictEqual(yield* message({ [option]: {} }), because(`\`${option}\` is not in this release yet; leave it out`))
      assert.strictEqual(yield* message({ dashboardAddress: ":0" }), because("`dashboardAddress` can only be null in this release: no page"))
      assert.strictEqual(yield* message({ thread: 2 }), because("`thread` is unknown; did you mean `threads`?"))
      assert.strictEqual(yield* message({ threads: 0 }), because("`threads` must be a whole number from 1 to 10,000, got 0"))
      assert.strictEqual(yield* message({ timeout: "soon" }), because("`timeout` must be a length of time above 0, such as \"30 seconds\""))
      assert.include(yield* message({ interface: "none" }), "(`interface` must be a network interface of this machine; there are lo")
      assert.strictEqual(
        yield* Effect.map(notJoined({ address: "unix:/tmp/skein-nobody.sock", host: "127.0.0.1" }), ({ message }) => message),
        because("`host` needs a scheduler that is reached by TCP: workers listen as their scheduler does")
      )
      assert.strictEqual(
        yield* message({ host: "0.0.0.0" }),
        because("`host` is every address of this machine, and peers have to dial one: name that, or give `contactAddress`")
      )
      assert.strictEqual(
        yield* message({ host: "0.0.0.0", contactAddress: "here.example:9000" }),
        because("`token` is missing: others can reach 0.0.0.0, and could read what this worker holds. Give the scheduler a token, and the worker the same, or listen on 127.0.0.1")
      )
    }))
})

describe("Scheduler.layer", () => {
  const because = (option: string, why: string) => `SKEIN4003 the option \`${option}\` is not valid\n  \`${option}\` ${why}`

  it.live("says that its port is taken", () =>
    Effect.scoped(Effect.gen(function*() {
      const address = Tcp.addressOf(yield* Tcp.listen())
      const error = yield* notStarted({ port: address._tag === "Tcp" ? address.port : 0 })
      assert.deepInclude(error, { reason: "PortTaken", code: "SKEIN4004" })
    })))

  it.effect("refuses what it cannot do, and whom it would let in", () =>
    Effect.gen(function*() {
      const message = (options: object) => Effect.map(notStarted(options), ({ message }) => message)
      for (const option of ["workerSaturation", "workStealing", "security", "journal", "preload", "dashboardPrefix"]) {
        assert.strictEqual(yield* message({ [option]: true }), because(option, "is not in this release yet; leave it out"))
      }
      assert.strictEqual(yield* message({ dashboardAddress: ":8787" }), because("dashboardAddress", "can only be null in this release: no dashboard"))
      assert.strictEqual(yield* message({ workerTTL: 5 }), because("workerTTL", "is unknown; did you mean `workerTtl`?"))
      assert.strictEqual(yield* message({ port: 70_000 }), because("port", "must be a port from 0 to 65,535, got 70000"))
      assert.strictEqual(yield* message({ protocol: "unix", port: 1 }), because("port", "needs `protocol: \"tcp\"`, and the protocol is \"unix\""))
      assert.strictEqual(yield* message({ protocol: "pigeon" }), because("protocol", "must be \"tcp\", \"unix\" or \"inproc\", got \"pigeon\""))
      assert.strictEqual(
        yield* message({ host: "0.0.0.0", port: 0 }),
        because("token", "is missing: others can reach 0.0.0.0, and could run code on the workers. Give a token, or listen on 127.0.0.1")
      )
      assert.strictEqual(
        yield* message({ port: 0, schedulerFile: "/nowhere/at/all.json" }),
        because("schedulerFile", "cannot be written: Error: ENOENT: no such file or directory, open '/nowhere/at/all.json." + `${process.pid}.new'`)
      )
    }))
})
