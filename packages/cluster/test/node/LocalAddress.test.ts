import { assert, describe, it } from "@effect/vitest"
import { dialled, towards } from "@skein/cluster/node/LocalAddress"
import { Effect } from "effect"
import { isIP } from "node:net"
import { networkInterfaces } from "node:os"

const own = Object.values(networkInterfaces()).flatMap((addresses = []) => addresses.map(({ address }) => address))

describe("this machine's addresses", () => {
  it.live("on the way to this machine it is loopback, and to where no way leads there is none", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* towards("127.0.0.1", 1), "127.0.0.1")
      assert.include((yield* Effect.flip(towards("nowhere.invalid", 1))).message, "nowhere.invalid")
      // A socket that has not been allowed to broadcast is refused, as one is on a machine without a network.
      assert.include((yield* Effect.flip(towards("255.255.255.255", 1))).message, "connect E")
    }))

  it.live("who listens everywhere is dialled at an address of this machine, and everybody else where he listens", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* dialled("tcp://127.0.0.1:8786"), "tcp://127.0.0.1:8786")
      assert.strictEqual(yield* dialled("unix:/run/s.sock"), "unix:/run/s.sock")
      for (const [address, kind] of [["tcp://0.0.0.0:8786", 4], ["tcp://[::]:8786", 6]] as const) {
        const { hostname, port } = new URL((yield* dialled(address)).replace("tcp:", "http:"))
        const host = hostname.replace(/^\[|\]$/g, "")
        assert.deepStrictEqual([isIP(host), port], [kind, "8786"])
        assert.include([...own, "127.0.0.1", "::1"], host)
      }
    }))
})
