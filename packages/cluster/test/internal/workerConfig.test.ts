import { assert, it } from "@effect/vitest"
import { plan } from "@skein/cluster/Options"
import * as Address from "@skein/transport/Address"
import { Redacted, Result } from "effect"
import { schedulerConfig, workerConfig } from "../../src/internal/workerConfig.ts"

it("a worker's own address can be read again, also that of an IPv6 host", () => {
  for (const [host, listen] of [["127.0.0.1", "tcp://127.0.0.1:0"], ["::1", "tcp://[::1]:0"]] as const) {
    const planned = Result.getOrThrow(plan<never, never>({ host, schedulerPort: 8786 }, { cores: 1, memoryBytes: 2 ** 30, interfaces: {}, folder: "file:///" }))
    const config = workerConfig({ plan: planned, directory: "/tmp/x", token: Redacted.make("t"), address: "tcp://somewhere:1" }, "worker-0")
    assert.strictEqual(config.listen, listen)
    assert.isTrue(Result.isSuccess(Address.parse(config.listen)))
  }
})

it("what is said of workers reaches each, and what it takes of the scheduler reaches that", () => {
  const planned = Result.getOrThrow(plan<never, never>({
    protocol: "tcp",
    workers: 1,
    memoryLimit: "512MiB",
    name: "night",
    silenceLogs: "Debug",
    worker: { host: "127.0.0.2", port: 9_000, deathTimeout: "7 seconds", resumeTimeout: "20 seconds" },
    scheduler: { workerTtl: "1 minute", idleTimeout: "1 hour", noWorkersTimeout: "3 seconds", allowedFailures: 1, validate: true }
  }, { cores: 1, memoryBytes: 2 ** 30, interfaces: {}, folder: "file:///" }))
  const token = Redacted.make("t")
  assert.deepInclude(workerConfig({ plan: planned, directory: "/tmp/x", token, address: "tcp://somewhere:1" }, "worker-0"), {
    listen: "tcp://127.0.0.2:9000",
    host: "127.0.0.2",
    memoryLimitBytes: 2 ** 29,
    connectMs: 7_000,
    resumeMs: 20_000,
    logLevel: "Debug"
  })
  assert.deepStrictEqual(schedulerConfig(planned, token), {
    name: "night",
    token: "t",
    // As long as its workers may take to come back.
    workerGraceMs: 20_000,
    workerTtlMs: 60_000,
    idleTimeoutMs: 3_600_000,
    noWorkersTimeoutMs: 3_000,
    allowedFailures: 1,
    validate: true,
    logLevel: "Debug"
  })
})
