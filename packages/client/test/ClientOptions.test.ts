/**
 * What a client may be told: each option does what it says, or is refused with what to do about it.
 */
import { assert, describe, it } from "@effect/vitest"
import { type ClientOptions, clientSettings } from "@skein/client/ClientOptions"
import { ConnectError } from "@skein/protocol/Errors"
import * as SchedulerFile from "@skein/protocol/SchedulerFile"
import { Effect, Fiber, Redacted, Result } from "effect"
import { TestClock } from "effect/testing"
import { fake, token } from "./utils/FakeScheduler.ts"

const address = "tcp://127.0.0.1:8786"
const settings = (options: ClientOptions) => Result.getOrThrow(clientSettings({ address, ...options }))
const refused = (options: object): string => {
  const result = clientSettings({ address, ...options })
  assert(Result.isFailure(result), "it was accepted")
  return result.failure.message
}
const because = (detail: string) => `SKEIN2009 an option of the client is not valid (${detail})\n  fix  change or remove it`

describe("the options of a client", () => {
  it("have the defaults that they say", () => {
    assert.deepStrictEqual(settings({}), {
      where: { _tag: "Address", address },
      name: undefined,
      timeoutMs: 30_000,
      resumeMs: 60_000,
      heartbeatMs: 5_000,
      token: undefined,
      directToWorkers: undefined,
      connectionLimit: 512
    })
  })

  it("say lengths of time in words (test_client.py::test_client_timeout)", () => {
    assert.deepInclude(settings({ timeout: "50 millis", resumeTimeout: "2 minutes", heartbeatInterval: 250 }), { timeoutMs: 50, resumeMs: 120_000, heartbeatMs: 250 })
  })

  it("are refused with what to do about it", () => {
    assert.strictEqual(refused({ tls: { ca: "", cert: "", key: "" } }), because("`tls` is not in this release yet; leave it out"))
    assert.strictEqual(refused({ adress: "x" }), because("`adress` is unknown; did you mean `address`?"))
    assert.strictEqual(
      refused({ colour: "red" }),
      because("`colour` is unknown; known are address, schedulerFile, name, timeout, resumeTimeout, heartbeatInterval, token, directToWorkers, connectionLimit")
    )
    assert.strictEqual(refused({ timeout: "soon" }), because("`timeout` must be a length of time above 0, such as \"30 seconds\""))
    assert.strictEqual(refused({ heartbeatInterval: 0 }), because("`heartbeatInterval` must be a length of time above 0, such as \"30 seconds\""))
    assert.strictEqual(refused({ connectionLimit: 0 }), because("`connectionLimit` must be a whole number from 1"))
    assert.strictEqual(refused({ directToWorkers: "yes" }), because("`directToWorkers` must be true or false"))
    assert.strictEqual(refused({ name: "" }), because("`name` must be a text of 1 to 256 characters"))
    assert.strictEqual(refused({ token: "plain" }), because("`token` must be made with Redacted.make, so that no log shows it"))
    assert.strictEqual(
      refused({ schedulerFile: "/tmp/s.json" }),
      because("`schedulerFile` says where the scheduler is, and so does `address`: leave one of them out")
    )
    assert.strictEqual(refused({ address: undefined, schedulerFile: "" }), because("`schedulerFile` must be the path of a file"))
  })

  it("must say where the scheduler is (test_client.py::test_bad_address)", () => {
    const fix = "fix  `host:8786`, `tcp://host:8786` or `unix:/path`; for a cluster of your own, `LocalCluster.layer()` or `Client.layerAuto()`"
    assert.strictEqual(refused({ address: undefined }), `SKEIN2008 no address was given\n  ${fix}`)
    assert.strictEqual(refused({ address: "nowhere" }), `SKEIN2008 "nowhere" is no address (a host and a port are wanted)\n  ${fix}`)
  })
})

describe("a scheduler's file", () => {
  const path = "/tmp/scheduler.json"

  it.effect("says where the scheduler is and what it wants to be shown, as soon as it is there (test_client.py::test_write_scheduler_file)", () =>
    Effect.gen(function*() {
      const files = new Map<string, string>()
      const connecting = yield* Effect.forkChild(fake({ schedulerFile: path, files }), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      assert.isUndefined(connecting.pollUnsafe())
      files.set(path, SchedulerFile.format("inproc://scheduler", token))
      yield* TestClock.adjust("1 second")
      const { client } = yield* Fiber.join(connecting)
      assert.strictEqual(client.address, "inproc://scheduler")
    }))

  it.effect("is waited for as long as connecting may take", () =>
    Effect.gen(function*() {
      const connecting = yield* Effect.forkChild(Effect.flip(fake({ schedulerFile: path, timeout: "2 seconds" })), { startImmediately: true })
      yield* TestClock.adjust("2 seconds")
      const error = yield* Fiber.join(connecting)
      assert(error instanceof ConnectError)
      assert.strictEqual(
        error.message,
        `SKEIN2006 the scheduler at ${path} did not answer in time (no scheduler has written this file)\n  fix  a longer \`timeout\`, or see whether it is alive`
      )
    }))

  it.effect("that no scheduler wrote is refused", () =>
    Effect.gen(function*() {
      for (const text of ["", "{}", "{\"address\":\"tcp://127.0.0.1:8786\"}"]) {
        const error = yield* Effect.flip(fake({ schedulerFile: path, files: new Map([[path, text]]) }))
        assert.deepInclude(error, { reason: "BadAddress", detail: "no scheduler wrote this file" })
      }
    }))

  it.effect("has a token that one of the program's own replaces", () =>
    Effect.gen(function*() {
      const files = new Map([[path, SchedulerFile.format("inproc://scheduler", Redacted.make("another"))]])
      assert.deepInclude(yield* Effect.flip(fake({ schedulerFile: path, files })), { reason: "Unauthorized" })
      assert.strictEqual((yield* fake({ schedulerFile: path, files, token })).client.address, "inproc://scheduler")
    }))
})
