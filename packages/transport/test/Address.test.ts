import { assert, describe, it } from "@effect/vitest"
import * as Address from "@skein/transport/Address"
import { Result } from "effect"

const read = (text: string) => Result.getOrUndefined(Address.parse(text))

describe("addresses", () => {
  it("of every kind are read, and written back", () => {
    const cases: ReadonlyArray<readonly [string, Address.Address, string]> = [
      ["localhost:8786", Address.tcp("localhost", 8786), "tcp://localhost:8786"],
      ["tcp://10.0.0.1:0", Address.tcp("10.0.0.1", 0), "tcp://10.0.0.1:0"],
      ["[::1]:65535", Address.tcp("::1", 65535), "tcp://[::1]:65535"],
      ["tcp://[fe80::1%eth0]:1", Address.tcp("fe80::1%eth0", 1), "tcp://[fe80::1%eth0]:1"],
      ["node-3.cluster.example:22", Address.tcp("node-3.cluster.example", 22), "tcp://node-3.cluster.example:22"],
      ["unix:/tmp/a b/s", Address.unix("/tmp/a b/s"), "unix:/tmp/a b/s"],
      ["unix:///tmp/s", Address.unix("/tmp/s"), "unix:/tmp/s"],
      ["inproc://cluster-1", Address.inproc("cluster-1"), "inproc://cluster-1"]
    ]
    for (const [text, address, printed] of cases) {
      assert.deepStrictEqual(read(text), address, text)
      assert.strictEqual(Address.print(address), printed)
      assert.deepStrictEqual(read(printed), address)
    }
  })

  it("that are none are refused with what is wrong", () => {
    const bad = ["", "localhost", "localhost:", ":80", "host:65536", "host:-1", "host:8a", "http://host:80", "tcp:host:80", "::1:80", "[1.2.3.4]:80", "[::1]", "unix:", "unix:relative", "inproc://", "inproc://a/b", `unix:/${"x".repeat(107)}`, "unix:/a\0b", "host:80/path", "user@host:80"]
    for (const text of bad) {
      const result = Address.parse(text)
      assert.isTrue(Result.isFailure(result), text)
      if (Result.isFailure(result)) assert.include(result.failure.message, "is no address")
    }
  })

  it("of a unix socket may have 107 bytes, not characters", () => {
    assert.isDefined(read(`unix:/${"x".repeat(106)}`))
    assert.isUndefined(read(`unix:/${"ä".repeat(54)}`))
  })
})
