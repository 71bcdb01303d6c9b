/**
 * `Hashing` by `node:crypto` and `node:zlib`: both synchronous.
 */
import * as Layer from "effect/Layer"
import { hash, randomBytes, timingSafeEqual } from "node:crypto"
import { crc32 } from "node:zlib"
import { Hashing } from "../Hashing.ts"

/** The real one. */
export const node: Hashing["Service"] = Hashing.of({
  sha256: (bytes) => new Uint8Array(hash("sha256", bytes, "buffer")),
  sha256Hex: (bytes) => hash("sha256", bytes, "hex"),
  equal: (a, b) => a.length === b.length && timingSafeEqual(a, b),
  random: (count) => new Uint8Array(randomBytes(count)),
  crc32: (bytes) => crc32(bytes)
})

/** `Hashing` on this machine. */
export const layer: Layer.Layer<Hashing> = Layer.succeed(Hashing, node)
