import { assert, describe, it } from "@effect/vitest"
import * as Address from "@skein/transport/Address"
import { encode, Kind, makeDecoder, packet } from "@skein/transport/Framing"
import * as Memory from "@skein/transport/Memory"
import * as BulkSocket from "@skein/transport/node/BulkSocket"
import { node } from "@skein/transport/node/Hashing"
import * as Unix from "@skein/transport/node/Unix"
import { Effect } from "effect"
import { Socket } from "effect/socket"
import { directory } from "../utils/networks.ts"

/** A megabyte and a half in three packets, with something small in between. */
const value = Uint8Array.from({ length: 3 * 2 ** 19 }, (_, at) => (at * 31) ^ (at >> 8))
const parts = [0, 1, 2].map((part) => value.subarray(part * 2 ** 19, (part + 1) * 2 ** 19))
const sent = encode(parts.flatMap((part, at) => [packet(Kind.Chunk, 0, part), packet(Kind.Missing, at)]), node.crc32)

/** What comes over a socket that reads to the decoder's room, and how many bytes were read there; `between` comes after each pull. */
const received = Effect.fnUntraced(function*(between: Effect.Effect<void>) {
  const path = `${yield* directory}/w`
  const server = yield* Unix.listen(path)
  yield* Effect.forkScoped(server.run((socket) =>
    Effect.scoped(Effect.gen(function*() {
      yield* socket.reader
      yield* (yield* socket.writer).writeAll(sent)
      return yield* Effect.never
    }))
  ))
  const target = new Uint8Array(value.length)
  let placed = 0
  const place = (kind: number, _: number, length: number) => kind === Kind.Chunk ? target.subarray(placed, placed += length) : undefined
  const decoder = makeDecoder({ limit: 2 ** 20, crc32: node.crc32, place })
  const socket = yield* BulkSocket.connect(Address.unix(path), decoder.room).pipe(Effect.provide(Memory.Network.layer))
  const pull = yield* Socket.readerBytes(socket)
  const numbers: Array<number> = []
  let direct = 0
  while (numbers.length < parts.length) {
    const chunks = yield* pull
    yield* between
    for (const chunk of chunks) {
      if (chunk.buffer === target.buffer) direct += chunk.length
      for (const { kind, number } of decoder.feed(chunk)) if (kind === Kind.Missing) numbers.push(number)
    }
  }
  assert.deepStrictEqual(numbers, [0, 1, 2])
  assert.strictEqual(Buffer.compare(target, value), 0)
  return direct
})

describe("what a bulk socket reads", () => {
  it.live("goes to its place at once, most of it", () =>
    Effect.gen(function*() {
      assert.isAbove(yield* received(Effect.void), value.length / 2)
    }).pipe(Effect.scoped))

  it.live("arrives whole where the reader takes its time", () =>
    Effect.scoped(received(Effect.yieldNow)))
})
