/**
 * What who cannot connect is told, word for word, for each way in which nobody, or
 * somebody else, may be found at an address.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Redacted } from "effect"
import * as Socket from "effect/socket/Socket"
import { TestClock } from "effect/testing"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer as createWebServer } from "node:http"
import { type AddressInfo, createServer, type Server } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Client, type ClientOptions } from "@skein/client"
import { layerOn } from "@skein/client/Client"
import { Platform } from "@skein/client/Platform"
import { Kind, encode, packet } from "@skein/transport/Framing"
import * as Handshake from "@skein/transport/Handshake"
import * as Hashing from "@skein/transport/node/Hashing"
import type { RunId, TaskId } from "@skein/protocol/Ids"
import { fake } from "./utils/FakeScheduler.ts"

/** The text of why there is no client; how often it was tried is of no interest. */
const refusal = Effect.fnUntraced(function*(options: ClientOptions) {
  const error = yield* Effect.flip(Effect.scoped(Layer.build(Client.layer({ timeout: "150 millis", ...options }))))
  return error.message.replace(/\d+ (tries|try) in/, "N tries in")
})

/** A port of this machine on which this server listens, for as long as the scope is open. */
const listening = (server: Server) =>
  Effect.acquireRelease(
    Effect.callback<string>((resume) => {
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(`tcp://127.0.0.1:${(server.address() as AddressInfo).port}`)))
    }),
    () =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
      })
  )
/** Answers whoever calls with these bytes, and hangs up. */
const answering = (bytes: ReadonlyArray<Uint8Array>) =>
  createServer((socket) => {
    socket.on("error", () => {}).resume().end(Buffer.concat(bytes))
  })

describe("who cannot connect is told", () => {
  it.live("that nothing listens there", () =>
    Effect.gen(function*() {
      const address = yield* Effect.scoped(listening(createServer()))
      assert.strictEqual(
        yield* refusal({ address }),
        `SKEIN2001 no scheduler at ${address} (nothing listens there, N tries in 150 ms)\n  fix  start one, \`skein scheduler\`, or correct the address`
      )
    }))

  it.live("that there is no such socket", () =>
    Effect.gen(function*() {
      const folder = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "skein-no-socket-"))),
        (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
      )
      const address = `unix:${join(folder, "scheduler.sock")}`
      assert.strictEqual(
        yield* refusal({ address }),
        `SKEIN2001 no scheduler at ${address} (there is no such socket, N tries in 150 ms)\n  fix  start one, \`skein scheduler\`, or correct the address`
      )
    }).pipe(Effect.scoped))

  it.live("that a web server listens there, at once", () =>
    Effect.gen(function*() {
      const address = yield* listening(createWebServer())
      assert.strictEqual(
        yield* refusal({ address, timeout: "1 hour" }),
        `SKEIN2001 no scheduler at ${address} (what listens there answers HTTP, so it is another program)\n` +
          "  fix  start one, `skein scheduler`, or correct the address"
      )
    }).pipe(Effect.scoped))

  it.live("that something else listens there", () =>
    Effect.gen(function*() {
      const address = yield* listening(answering([Buffer.from("220 mail.example.com ESMTP ready\r\n")]))
      assert.strictEqual(
        yield* refusal({ address }),
        `SKEIN2001 no scheduler at ${address} (what listens there answers, but not as a scheduler does, N tries in 150 ms)\n` +
          "  fix  start one, `skein scheduler`, or correct the address"
      )
    }).pipe(Effect.scoped))

  it.live("which versions are spoken, whichever side finds out", () =>
    Effect.gen(function*() {
      const later = Handshake.version + 1
      const refused = { reason: "Version", message: "One side speaks another version.", version: later }
      for (const [kind, body] of [[Kind.Refusal, refused], [Kind.Welcome, { version: later, shape: "of the future" }]] as const) {
        const text = new TextEncoder().encode(JSON.stringify(body))
        const address = yield* listening(answering(encode([packet(kind, 0, text)], Hashing.node.crc32)))
        assert.strictEqual(
          yield* refusal({ address, timeout: "1 hour" }),
          [
            `SKEIN2004 this client and the scheduler at ${address} do not speak the same protocol`,
            "          session protocol",
            `  here    ${Handshake.version}`,
            `  there   ${later}`,
            "  fix  the same version of skein on both sides: upgrade the older one"
          ].join("\n")
        )
      }
    }).pipe(Effect.scoped))

  it.live("that its token is not accepted, at once", () =>
    Effect.gen(function*() {
      const refused = new Handshake.HandshakeRefused({ reason: "Unauthorized", message: "The token is not the cluster's." })
      const address = yield* listening(answering(encode([packet(Kind.Refusal, 0, Handshake.encodeRefusal(refused))], Hashing.node.crc32)))
      assert.strictEqual(
        yield* refusal({ address, token: Redacted.make("wrong"), timeout: "1 hour" }),
        `SKEIN2005 the scheduler at ${address} does not accept this client's token (The token is not the cluster's.)\n` +
          "  fix  the `token` that the scheduler was started with (`--token-file`), or the file that it wrote (`schedulerFile`, `--scheduler-file`)"
      )
    }).pipe(Effect.scoped))

  it.live("that nobody answers", () =>
    Effect.gen(function*() {
      const address = yield* listening(createServer((socket) => void socket.on("error", () => {}).resume()))
      assert.strictEqual(
        yield* refusal({ address }),
        `SKEIN2006 the scheduler at ${address} did not answer in time (no answer, N tries in 150 ms)\n  fix  a longer \`timeout\`, or see whether it is alive`
      )
    }).pipe(Effect.scoped))

  it.effect("that nobody knows the host", () =>
    Effect.gen(function*() {
      const unknown = new Socket.SocketError({
        reason: new Socket.SocketOpenError({ kind: "Unknown", cause: Object.assign(new Error("getaddrinfo ENOTFOUND shceduler"), { code: "ENOTFOUND" }) })
      })
      const platform = Platform.of({
        connect: () => Effect.succeed(Socket.make({ reader: Effect.fail(unknown), writer: Effect.never })),
        packageAt: () => undefined,
        readText: () => Effect.succeedNone,
        terminal: { isTerminal: false, columns: () => 80, write: () => Effect.void }
      })
      const connecting = Layer.build(layerOn({ address: "tcp://shceduler:8786", timeout: "2 seconds" })).pipe(
        Effect.provideService(Platform, platform),
        Effect.provide(Hashing.layer)
      )
      const failing = yield* Effect.forkChild(Effect.flip(connecting), { startImmediately: true })
      yield* TestClock.adjust("2 seconds")
      assert.match(
        (yield* Fiber.join(failing)).message,
        /^SKEIN2007 the host of tcp:\/\/shceduler:8786 is not known \(getaddrinfo ENOTFOUND shceduler, \d+ tries in 2 s\)\n {2}fix {2}correct the host's name$/
      )
    }).pipe(Effect.scoped))

  it.live("that an address is none", () =>
    Effect.gen(function*() {
      assert.strictEqual(
        yield* refusal({ address: "nowhere" }),
        "SKEIN2008 \"nowhere\" is no address (a host and a port are wanted)\n" +
          "  fix  `host:8786`, `tcp://host:8786` or `unix:/path`; for a cluster of your own, `LocalCluster.layer()` or `Client.layerAuto()`"
      )
    }))
})

describe("who scatters is told", () => {
  it.effect("that the values reach no worker", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      scheduler.scatter = (rows) => Effect.succeed(rows.map((_, id) => ({ id: id as TaskId, run: 1 as RunId, addresses: ["inproc://elsewhere"] })))
      const scattering = yield* Effect.forkChild(Effect.flip(client.scatterAll([1, 2])), { startImmediately: true })
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(
        (yield* Fiber.join(scattering)).message,
        "SKEIN1016 2 scattered values have reached no worker\n" +
          "  Could not exchange values with inproc://elsewhere (Connect): nobody listens at inproc://elsewhere\n" +
          "  Scattered values go to workers directly, not through the scheduler.\n" +
          "  fix 1  let this machine connect to the addresses that `client.inspect.workers` shows\n" +
          "  fix 2  have a task make or load the data, and pass its future"
      )
    }))
})
