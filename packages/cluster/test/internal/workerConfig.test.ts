import { assert, it } from "@effect/vitest"
import { plan } from "@skein/cluster/Options"
import * as Address from "@skein/transport/Address"
import { Redacted, Result } from "effect"
import { workerConfig } from "../../src/internal/workerConfig.ts"

it("a worker's own address can be read again, also that of an IPv6 host", () => {
  for (const [host, listen] of [["127.0.0.1", "tcp://127.0.0.1:0"], ["::1", "tcp://[::1]:0"]] as const) {
    const planned = Result.getOrThrow(plan<never, never>({ host, schedulerPort: 8786 }, { cores: 1, memoryBytes: 2 ** 30, interfaces: {}, folder: "file:///" }))
    const config = workerConfig({ plan: planned, directory: "/tmp/x", token: Redacted.make("t"), address: "tcp://somewhere:1" }, "worker-0")
    assert.strictEqual(config.listen, listen)
    assert.isTrue(Result.isSuccess(Address.parse(config.listen)))
  }
})
