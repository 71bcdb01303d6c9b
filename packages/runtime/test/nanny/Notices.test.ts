import { assert, it } from "@effect/vitest"
import { Option, Schema } from "effect"
import { RunId } from "@skein/protocol/Ids"
import { allowedEnv } from "@skein/runtime/nanny/ChildProcess"
import { format, Notice, parse } from "@skein/runtime/nanny/Notices"

it.prop("a notice is one line, and comes back as it went", [Notice], ([notice]) => {
  const line = format(notice)
  assert.strictEqual(line.indexOf("\n"), line.length - 1)
  // JSON knows no negative zero.
  assert.deepStrictEqual(parse(line.trimEnd()), Option.some(JSON.parse(JSON.stringify(notice))))
}, { arbitrary: { seed: 1 } })

it("what is no notice is none", () => {
  for (const line of ["", "null", "{}", "{\"started\":\"7\"}", "{\"ended\":null}", "{\"endMe\":1}", "{\"ready\"", "[1]"]) {
    assert.deepStrictEqual(parse(line), Option.none(), line)
  }
})

it("looks as it did when the two ends were written", () => {
  const notices: ReadonlyArray<Notice> = [
    { ready: "unix:/x" },
    { started: RunId.make(7) },
    { ended: RunId.make(7) },
    { endMe: "stuck" }
  ]
  assert.deepStrictEqual(notices.map(format), [
    "{\"ready\":\"unix:/x\"}\n",
    "{\"started\":7}\n",
    "{\"ended\":7}\n",
    "{\"endMe\":\"stuck\"}\n"
  ])
})

it("the environment lets through what is named and Node's own, but nothing that ties a process to another", () => {
  const env = { PATH: "p", HOME: "h", SECRET: "s", NODE_ENV: "n", NODE_CHANNEL_FD: "3", NODE_UNIQUE_ID: "1", LANG: undefined }
  assert.deepStrictEqual(allowedEnv(env), { PATH: "p", HOME: "h", NODE_ENV: "n" })
  assert.isFalse(Schema.is(Notice)({ started: "7" }))
})
