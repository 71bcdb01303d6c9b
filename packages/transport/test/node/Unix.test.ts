import { assert, describe, it } from "@effect/vitest"
import * as Tcp from "@skein/transport/node/Tcp"
import * as Unix from "@skein/transport/node/Unix"
import { Effect, Exit } from "effect"
import { existsSync, writeFileSync } from "node:fs"
import { spawnSync } from "node:child_process"
import { directory } from "../utils/networks.ts"

describe("a unix socket", () => {
  it.live("that a killed process left behind is taken over", () =>
    Effect.gen(function*() {
      const path = `${yield* directory}/s`
      spawnSync(process.execPath, ["-e", `require("net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`])
      assert.isTrue(existsSync(path))
      yield* Effect.scoped(Unix.listen(path))
      assert.isFalse(existsSync(path))
    }).pipe(Effect.scoped))

  it.live("on which somebody listens is left alone", () =>
    Effect.gen(function*() {
      const path = `${yield* directory}/s`
      yield* Unix.listen(path)
      assert.isTrue(Exit.isFailure(yield* Effect.exit(Effect.scoped(Unix.listen(path)))))
      assert.isTrue(existsSync(path))
    }).pipe(Effect.scoped))

  it.live("in whose place a file lies is not made, and the file stays", () =>
    Effect.gen(function*() {
      const path = `${yield* directory}/s`
      writeFileSync(path, "somebody's")
      assert.isTrue(Exit.isFailure(yield* Effect.exit(Effect.scoped(Unix.listen(path)))))
      assert.isTrue(existsSync(path))
    }).pipe(Effect.scoped))

  it.live("with too long a path says so", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Effect.scoped(Unix.listen(`/tmp/${"x".repeat(120)}`)))
      assert.strictEqual(error._tag, "BadAddress")
      assert.include(error.message, "107 bytes")
    }))
})

it.live("a TCP server listens on the loopback interface, and tells its port", () =>
  Effect.gen(function*() {
    const address = Tcp.addressOf(yield* Tcp.listen())
    assert.isTrue(address._tag === "Tcp" && address.host === "127.0.0.1" && address.port > 0)
  }).pipe(Effect.scoped))
