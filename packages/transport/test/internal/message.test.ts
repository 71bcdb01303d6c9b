import { assert, describe, it } from "@effect/vitest"
import * as Message from "../../src/internal/message.ts"

const body = Uint8Array.of(1, 2, 3)
const messages: ReadonlyArray<readonly [Uint8Array, Message.Message]> = [
  [Message.tell(Message.headOf("Report", true), body), { _tag: "Tell", tag: "Report", body }],
  [Message.ask(Message.headOf("Cancel", false), 2 ** 41 + 7, body), { _tag: "Ask", tag: "Cancel", id: 2 ** 41 + 7, body }],
  [Message.interrupt(1), { _tag: "Interrupt", id: 1 }],
  [Message.ack(2 ** 32), { _tag: "Ack", id: 2 ** 32 }],
  [Message.chunk(Message.lastId, body), { _tag: "Chunk", id: Message.lastId, body }],
  [Message.exit(5, body), { _tag: "Exit", id: 5, body }],
  [Message.exit(6), { _tag: "Exit", id: 6, body: new Uint8Array(0) }]
]

describe("a message", () => {
  it("is read as it was written", () => {
    for (const [frame, message] of messages) assert.deepStrictEqual(Message.decode(frame), message)
  })

  it("that ends before its number is none", () => {
    for (const [frame, message] of messages) {
      const least = frame.length - ("body" in message ? message.body.length : 0)
      for (let length = 0; length < least; length++) assert.isUndefined(Message.decode(frame.subarray(0, length)), `${message._tag}, ${length} bytes`)
    }
  })

  it("that goes on after its end, or is of no kind, is none", () => {
    assert.isUndefined(Message.decode(Uint8Array.of(...Message.interrupt(1), 0)))
    assert.isUndefined(Message.decode(Uint8Array.of(...Message.ack(1), 0)))
    for (const kind of [0, 7, 255]) assert.isUndefined(Message.decode(new Uint8Array(20).fill(kind)))
  })

  it("has a name of 1 to 255 ASCII characters", () => {
    for (const tag of ["", "a b", "naïve", "x".repeat(256)]) assert.throws(() => Message.headOf(tag, true), /cannot be the name/)
    assert.deepStrictEqual(Message.decode(Message.tell(Message.headOf("x".repeat(255), true), body)), { _tag: "Tell", tag: "x".repeat(255), body })
  })
})
