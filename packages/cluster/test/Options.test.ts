import { assert, describe, it } from "@effect/vitest"
import { Layer, Result } from "effect"
import { type LocalClusterOptions, type Machine, plan } from "@skein/cluster/Options"

const machine = (cores: number): Machine => ({ cores, folder: "file:///home/me/project/" })
const planned = (options: LocalClusterOptions, cores = 2) => Result.getOrThrow(plan(options, machine(cores)))
const refused = (options: object) => {
  const result = plan(options as LocalClusterOptions, machine(2))
  assert(Result.isFailure(result), "it was accepted")
  assert.strictEqual(result.failure.reason, "BadOption")
  assert.strictEqual(result.failure.code, "SKEIN4003")
  return result.failure
}

describe("a local cluster's plan", () => {
  it("is a worker for each core and a unix socket by default", () => {
    assert.deepStrictEqual(planned({}), {
      workers: 2,
      threadsPerWorker: 1,
      fibersPerWorker: 16,
      processes: true,
      modules: [],
      layer: undefined,
      listening: { _tag: "Unix" },
      schedulerHeapMiB: undefined
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
    for (const option of ["name", "resources", "worker", "scheduler", "interface", "security", "adapt", "journal", "blockedHandlers", "silenceLogs", "dashboardPrefix"]) {
      const error = refused({ [option]: true })
      assert.strictEqual(error.option, option)
      assert.include(error.message, "is not in this release yet; leave it out")
    }
    assert.include(refused({ memoryLimit: "2GiB" }).message, "can only be null in this release")
    assert.include(refused({ dashboardAddress: ":8787" }).message, "can only be null in this release")
  })

  it("guesses what a misspelt option was meant to be", () => {
    assert.include(refused({ threadPerWorker: 2 }).message, "did you mean `threadsPerWorker`?")
    assert.include(refused({ colour: "red" }).message, "known are workers, threadsPerWorker")
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
