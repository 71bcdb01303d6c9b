import { assert, describe, it } from "@effect/vitest"
import { encode, HEADER, isNonsense, Kind, makeDecoder, type Packet, packet } from "@skein/transport/Framing"
import { node } from "@skein/transport/node/Hashing"
import { Socket } from "effect/socket"
import { Stream } from "@skein/simulation/Stream"

const crc32 = node.crc32
const bytesOf = (packets: ReadonlyArray<Packet>): Uint8Array => new Uint8Array(Buffer.concat(encode(packets, crc32)))
const plain = (packets: ReadonlyArray<Packet>) => packets.map(({ body, kind, number }) => ({ kind, number, body: Buffer.from(body).toString("hex") }))

const draw = (prng: Stream): Packet =>
  packet(1 + prng.int(13), Math.floor(prng.next() * 2 ** prng.int(49)), Uint8Array.from({ length: [0, 1, prng.int(50), prng.int(40_000)][prng.int(4)]! }, () => prng.int(256)))

/** Feeds until it throws; what it throws must be the one error that a connection breaks by. */
const feed = (chunks: ReadonlyArray<Uint8Array>, limit = 65_536): { readonly packets: ReadonlyArray<Packet>; readonly broke: boolean } => {
  const decoder = makeDecoder({ limit, crc32 })
  const packets: Array<Packet> = []
  try {
    for (const chunk of chunks) packets.push(...decoder.feed(chunk))
    return { packets, broke: false }
  } catch (error) {
    assert.isTrue(Socket.isSocketError(error) && isNonsense(error), String(error))
    return { packets, broke: true }
  }
}

describe("packets", () => {
  it("come out as they went in, however the bytes are cut", () => {
    for (let seed = 0; seed < 300; seed++) {
      const prng = new Stream(seed)
      const packets = Array.from({ length: 1 + prng.int(8) }, () => draw(prng))
      const bytes = bytesOf(packets)
      const chunks: Array<Uint8Array> = []
      for (let at = 0; at < bytes.length;) {
        const size = [1, 2, 1 + prng.int(30), 1 + prng.int(bytes.length)][prng.int(4)]!
        chunks.push(bytes.slice(at, at + size))
        at += size
      }
      assert.deepStrictEqual(plain(feed(chunks).packets), plain(packets))
    }
  })

  it("go straight to their place if they have one", () => {
    const body = Uint8Array.from({ length: 1000 }, (_, i) => i)
    const target = new Uint8Array(1000)
    const decoder = makeDecoder({ limit: 65_536, crc32, place: (kind, number) => kind === Kind.Chunk ? target.subarray(number, number + 500) : undefined })
    const bytes = bytesOf([packet(Kind.Chunk, 0, body.subarray(0, 500)), packet(Kind.Missing, 3), packet(Kind.Chunk, 500, body.subarray(500))])
    const packets = [...decoder.feed(bytes.subarray(0, 700)), ...decoder.feed(bytes.subarray(700))]
    assert.deepStrictEqual(packets.map(({ kind }) => kind), [Kind.Chunk, Kind.Missing, Kind.Chunk])
    assert.deepStrictEqual(target, body)
    assert.strictEqual(packets[0]!.body.buffer, target.buffer)
  })

  it("are not copied where they were read to their place", () => {
    const body = Uint8Array.from({ length: 1000 }, (_, i) => i)
    const target = new Uint8Array(1000)
    let copied = 0
    target.set = (bytes, at) => {
      copied += bytes.length
      Uint8Array.prototype.set.call(target, bytes, at)
    }
    const decoder = makeDecoder({ limit: 65_536, crc32, place: () => target })
    const bytes = bytesOf([packet(Kind.Chunk, 0, body)])
    assert.isUndefined(decoder.room())
    assert.deepStrictEqual(decoder.feed(bytes.subarray(0, HEADER + 300)), [])
    const room = decoder.room()!
    assert.deepStrictEqual([room.buffer, room.byteOffset, room.length], [target.buffer, 300, 700])
    room.set(bytes.subarray(HEADER + 300, HEADER + 500))
    assert.deepStrictEqual(decoder.feed(room.subarray(0, 200)), [])
    // What is read elsewhere all the same is copied from there.
    assert.deepStrictEqual(plain(decoder.feed(bytes.subarray(HEADER + 500))), plain([packet(Kind.Chunk, 0, body)]))
    assert.strictEqual(Buffer.compare(target, body), 0)
    assert.strictEqual(copied, 800)
    assert.isUndefined(decoder.room())
  })

  it("have no room of their own while they have no place", () => {
    const decoder = makeDecoder({ limit: 65_536, crc32 })
    decoder.feed(bytesOf([packet(Kind.Chunk, 0, new Uint8Array(100))]).subarray(0, 50))
    assert.isUndefined(decoder.room())
  })

  it("of more than the limit break the connection as soon as their header is there", () => {
    const bytes = bytesOf([packet(Kind.Frame, 1, new Uint8Array(101))])
    assert.isFalse(feed([bytes.subarray(0, HEADER - 1)], 100).broke)
    assert.isTrue(feed([bytes.subarray(0, HEADER)], 100).broke)
    assert.isFalse(feed([bytes], 101).broke)
  })

  it("with any one byte damaged are never taken for others", () => {
    const packets = [packet(Kind.Frame, 2 ** 40 + 7, Uint8Array.of(1, 2, 3, 4, 5)), packet(Kind.Ack, 9)]
    const bytes = bytesOf(packets)
    for (let at = 0; at < bytes.length; at++) {
      for (let change = 1; change < 256; change++) {
        const damaged = new Uint8Array(bytes)
        damaged[at]! ^= change
        const result = feed([damaged])
        assert.isTrue(result.broke, `byte ${at} changed by ${change}`)
        assert.isAtMost(result.packets.length, 1)
      }
    }
  })

  it("that 100,000 drawn chunks look like break the connection by its one error, or are whole", () => {
    const prng = new Stream(5)
    for (let i = 0; i < 100_000; i++) {
      const bytes = bytesOf([packet(1 + prng.int(13), prng.int(100), Uint8Array.from({ length: prng.int(20) }, () => prng.int(256)))])
      for (let n = prng.int(4); n >= 0; n--) bytes[prng.int(bytes.length)] = prng.int(256)
      feed([bytes.subarray(prng.int(3), bytes.length - prng.int(3))])
    }
  }, 600_000) // nothing here waits: only a machine with much else to do takes longer than seconds
})

it("a peer that announces much and drips single bytes makes us keep no more than it announced", () => {
  const decoder = makeDecoder({ limit: 16 * 1024 * 1024, crc32 })
  const bytes = bytesOf([packet(Kind.Frame, 1, new Uint8Array(8 * 1024 * 1024))])
  const before = process.memoryUsage()
  for (let at = 0; at < 500_000; at++) decoder.feed(bytes.subarray(at, at + 1))
  const after = process.memoryUsage()
  assert.isBelow(after.arrayBuffers - before.arrayBuffers, 16 * 1024 * 1024)
})
