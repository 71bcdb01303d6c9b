import { assert, describe, it } from "@effect/vitest"
import { Layer, Redacted, Result } from "effect"
import { type LocalClusterOptions, type Machine, plan } from "@skein/cluster/Options"

const GIB = 2 ** 30
const machine = (cores: number): Machine => ({
  cores,
  memoryBytes: 8 * GIB,
  interfaces: { lo: ["127.0.0.1", "::1"], eth0: ["fe80::1", "10.0.0.4"] },
  folder: "file:///home/me/project/"
})
const planned = (options: LocalClusterOptions, cores = 2) => Result.getOrThrow(plan(options, machine(cores)))
const refused = (options: object) => {
  const result = plan(options as LocalClusterOptions, machine(2))
  assert(Result.isFailure(result), "it was accepted")
  assert.strictEqual(result.failure.reason, "BadOption")
  assert.strictEqual(result.failure.code, "SKEIN4003")
  return result.failure
}
/** The whole message that refuses these options. */
const message = (options: object) => refused(options).message
const because = (option: string, why: string) => `SKEIN4003 the option \`${option}\` is not valid\n  \`${option}\` ${why}`

describe("a local cluster's plan", () => {
  it("is a worker for each core and a unix socket by default", () => {
    assert.deepStrictEqual(planned({}), {
      name: "local-cluster",
      workers: 2,
      threadsPerWorker: 1,
      fibersPerWorker: 16,
      memoryLimitBytes: 4 * GIB,
      resources: {},
      processes: true,
      modules: [],
      layer: undefined,
      listening: { _tag: "Unix" },
      schedulerHeapMiB: 4_096,
      scheduler: { schedulerFile: undefined, token: undefined, tuning: {} },
      worker: { host: undefined, port: 0, contactAddress: null, localDirectory: undefined, environment: {}, deathMs: undefined, resumeMs: 5_000 },
      logsFrom: "Warn"
    })
  })

  /** dask.distributed `test_local.py::test_default_process_thread_breakdown` and `test_defaults_*`. */
  it("divides the cores between workers and threads as Dask does", () => {
    const counts = (options: LocalClusterOptions, cores: number) => {
      const { threadsPerWorker, workers } = planned(options, cores)
      return [workers, threadsPerWorker]
    }
    assert.deepStrictEqual([1, 4, 6, 8, 12, 16, 40, 80].map((cores) => counts({}, cores)), [
      [1, 1], [4, 1], [3, 2], [4, 2], [4, 3], [4, 4], [8, 5], [10, 8]
    ])
    assert.deepStrictEqual(counts({ processes: false }, 8), [1, 8])
    assert.deepStrictEqual(counts({ workers: 3 }, 8), [3, 3])
    assert.deepStrictEqual(counts({ threadsPerWorker: 4 }, 8), [2, 4])
    assert.deepStrictEqual(counts({ threadsPerWorker: 40 }, 8), [1, 40])
  })

  it("may begin without workers", () => {
    assert.strictEqual(planned({ workers: 0 }).workers, 0)
  })

  it("speaks TCP where a host or a port is given", () => {
    assert.deepStrictEqual(planned({ host: "127.0.0.2" }).listening, { _tag: "Tcp", host: "127.0.0.2", port: 0 })
    assert.deepStrictEqual(planned({ schedulerPort: 8786 }).listening, { _tag: "Tcp", host: "127.0.0.1", port: 8786 })
  })

  it("takes modules as URLs, and as paths from the working directory", () => {
    assert.deepStrictEqual(planned({ tasks: ["./tasks.ts", new URL("file:///x/y.ts")] }).modules, [
      "file:///home/me/project/tasks.ts", "file:///x/y.ts"
    ])
  })

  it("takes a layer of contracts where the workers are fibers of this process", () => {
    const layer = Layer.empty
    assert.strictEqual(planned({ processes: false, tasks: layer }).layer, layer)
  })

  it("says what to do about a layer that would have to travel", () => {
    const error = refused({ tasks: Layer.empty })
    assert.strictEqual(error.option, "tasks")
    assert.include(error.message, "give the URL of the module that exports it, or `processes: false`")
  })

  it("refuses what later releases will know, by name", () => {
    for (const option of ["security", "adapt", "journal", "blockedHandlers", "dashboardPrefix"]) {
      assert.strictEqual(message({ [option]: true }), because(option, "is not in this release yet; leave it out"))
    }
    for (const option of ["preload", "workerSaturation", "workStealing"]) {
      assert.strictEqual(message({ scheduler: { [option]: true } }), because(`scheduler.${option}`, "is not in this release yet; leave it out"))
    }
    for (const option of ["lifetime", "preload"]) {
      assert.strictEqual(message({ worker: { [option]: {} } }), because(`worker.${option}`, "is not in this release yet; leave it out"))
    }
    assert.strictEqual(message({ dashboardAddress: ":8787" }), because("dashboardAddress", "can only be null in this release: no dashboard"))
    assert.strictEqual(message({ worker: { dashboardAddress: ":0" } }), because("worker.dashboardAddress", "can only be null in this release: no page"))
  })

  it("guesses what a misspelt option was meant to be", () => {
    assert.strictEqual(message({ threadPerWorker: 2 }), because("threadPerWorker", "is unknown; did you mean `threadsPerWorker`?"))
    assert.strictEqual(message({ scheduler: { allowedFailure: 2 } }), because("scheduler.allowedFailure", "is unknown; did you mean `allowedFailures`?"))
    // Out of JavaScript; `workers` may have been meant.
    assert.strictEqual(message({ worker: 2 as never }), because("worker", "must be an object"))
    assert.strictEqual(message({ worker: { enviroment: {} } }), because("worker.enviroment", "is unknown; did you mean `environment`?"))
    assert.strictEqual(
      message({ colour: "red" }),
      because("colour", "is unknown; known are name, workers, threadsPerWorker, fibersPerWorker, processes, tasks, memoryLimit, resources, worker, scheduler, protocol, host, schedulerPort, interface, schedulerHeap, dashboardAddress, silenceLogs")
    )
  })

  it("shares the machine's memory between workers, or gives each what it is told (test_local.py::test_memory, ::test_memory_limit_none)", () => {
    const limits = [undefined, "auto", "1GiB", 0.25, 2 * GIB, 0, null, "1 GB", 1].map((memoryLimit) =>
      planned({ workers: 4, ...(memoryLimit === undefined ? {} : { memoryLimit }) }).memoryLimitBytes)
    assert.deepStrictEqual(limits, [2 * GIB, 2 * GIB, GIB, 2 * GIB, 2 * GIB, null, null, 1e9, 8 * GIB])
    assert.strictEqual(
      message({ memoryLimit: "lots" }),
      because("memoryLimit", "must be a number of bytes, a text such as \"2GiB\", a fraction of the machine's memory up to 1, \"auto\", or null or 0 for none, got \"lots\"")
    )
  })

  it("binds the address of a network interface", () => {
    assert.deepStrictEqual(planned({ interface: "lo" }).listening, { _tag: "Tcp", host: "127.0.0.1", port: 0 })
    assert.deepStrictEqual(planned({ interface: "eth0", schedulerPort: 8786 }).listening, { _tag: "Tcp", host: "10.0.0.4", port: 8786 })
    assert.strictEqual(message({ interface: "wlan0" }), because("interface", "must be a network interface of this machine; there are lo, eth0"))
    assert.strictEqual(message({ interface: "lo", host: "127.0.0.1" }), because("interface", "says which address to bind, and so does `host`: leave one of them out"))
    assert.strictEqual(message({ interface: "lo", protocol: "unix" }), because("interface", "needs `protocol: \"tcp\"`, and the protocol is \"unix\""))
  })

  it("hands on what is said of the scheduler", () => {
    const token = Redacted.make("secret")
    assert.deepStrictEqual(
      planned({ scheduler: { schedulerFile: "/tmp/s.json", token, validate: true, allowedFailures: 0, workerTtl: "1 minute", idleTimeout: 2_000, noWorkersTimeout: "3 seconds" } }).scheduler,
      {
        schedulerFile: "/tmp/s.json",
        token,
        tuning: { validate: true, allowedFailures: 0, workerTtlMs: 60_000, idleTimeoutMs: 2_000, noWorkersTimeoutMs: 3_000 }
      }
    )
    assert.strictEqual(message({ scheduler: { allowedFailures: -1 } }), because("scheduler.allowedFailures", "must be a whole number from 0 to 10,000, got -1"))
    assert.strictEqual(message({ scheduler: { workerTtl: "soon" } }), because("scheduler.workerTtl", "must be a length of time above 0, such as \"30 seconds\""))
    assert.strictEqual(message({ scheduler: { validate: 1 } }), because("scheduler.validate", "must be true or false"))
    assert.strictEqual(message({ scheduler: { token: "plain" } }), because("scheduler.token", "must be a text made with Redacted.make, so that no log shows it"))
    assert.strictEqual(message({ scheduler: { schedulerFile: "" } }), because("scheduler.schedulerFile", "must be a text of 1 to 4,096 characters"))
    assert.strictEqual(
      message({ scheduler: { host: "0.0.0.0" } }),
      because("scheduler.host", "is unknown; known are schedulerFile, token, validate, allowedFailures, workerTtl, idleTimeout, noWorkersTimeout")
    )
  })

  it("hands on what is said of all workers", () => {
    const worker = { host: "127.0.0.2", localDirectory: "/tmp/here", environment: { LEVEL: "3" }, deathTimeout: "10 seconds", resumeTimeout: "1 minute" } as const
    assert.deepStrictEqual(planned({ protocol: "tcp", worker }).worker, {
      host: "127.0.0.2",
      port: 0,
      contactAddress: null,
      localDirectory: "/tmp/here",
      environment: { LEVEL: "3" },
      deathMs: 10_000,
      resumeMs: 60_000
    })
    const alone = planned({ protocol: "tcp", workers: 1, worker: { interface: "eth0", port: 9_000, contactAddress: "worker.example:9000" } }).worker
    assert.deepInclude(alone, { host: "10.0.0.4", port: 9_000, contactAddress: "tcp://worker.example:9000" })
    assert.strictEqual(message({ worker: { port: 9_000 } }), because("worker.port", "needs `protocol: \"tcp\"`: workers listen as their scheduler does"))
    assert.strictEqual(message({ protocol: "tcp", worker: { port: 9_000 } }), because("worker.port", "is one port, and there are 2 workers: leave it out, and each takes a free one"))
    assert.strictEqual(message({ worker: { contactAddress: "tcp://a:1" } }), because("worker.contactAddress", "is one address, and there are 2 workers"))
    assert.include(message({ worker: { contactAddress: "nowhere" } }), "`worker.contactAddress` must be an address: \"nowhere\" is no address")
    assert.strictEqual(message({ worker: { environment: { A: 1 } } }), because("worker.environment", "must have a text for A, got number"))
    assert.strictEqual(message({ worker: { environment: { "A=B": "" } } }), because("worker.environment", "has the name \"A=B\", which no variable can have"))
    assert.strictEqual(message({ worker: { resumeTimeout: "2 minutes" } }), because("worker.resumeTimeout", "must be a minute at most: no scheduler waits longer"))
  })

  it("offers resources, and shows from which level on what is logged is printed", () => {
    assert.deepStrictEqual(planned({ resources: { GPU: 2 } }).resources, { GPU: 2 })
    assert.include(message({ resources: { GPU: -1 } }), "`resources` must be 0, or an amount")
    assert.strictEqual(planned({ silenceLogs: "None" }).logsFrom, "None")
    assert.strictEqual(message({ silenceLogs: "Loud" }), because("silenceLogs", "must be one of Debug, Info, Warn, Error, None, got \"Loud\""))
    assert.strictEqual(planned({ name: "night" }).name, "night")
    assert.strictEqual(message({ name: "" }), because("name", "must be a text of 1 to 4,096 characters"))
  })

  it("refuses numbers that make no sense", () => {
    for (const options of [{ workers: -1 }, { workers: 1.5 }, { threadsPerWorker: 0 }, { fibersPerWorker: NaN }, { schedulerPort: 70_000 }]) {
      assert.strictEqual(refused(options).option, Object.keys(options)[0])
    }
  })

  it("refuses an address that the protocol cannot have", () => {
    assert.strictEqual(refused({ protocol: "unix", host: "127.0.0.1" }).option, "host")
    assert.strictEqual(refused({ protocol: "unix", schedulerPort: 1 }).option, "schedulerPort")
    assert.strictEqual(refused({ protocol: "inproc" }).option, "protocol")
    assert.strictEqual(refused({ protocol: "carrier-pigeon" }).option, "protocol")
    assert.strictEqual(refused({ tasks: "https://example.org/tasks.ts" }).option, "tasks")
  })
})
