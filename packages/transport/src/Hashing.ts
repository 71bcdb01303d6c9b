/**
 * Digests, checksums and what nobody can guess.
 *
 * A service, so that transport names no platform: `node/Hashing.ts` has the real
 * one, and a simulation hands in one whose `random` follows from its seed.
 * Everything is synchronous: WebCrypto's promises would be invisible to a
 * simulated scheduler.
 */
import * as Context from "effect/Context"

export class Hashing extends Context.Service<Hashing, {
  /** The SHA-256 digest, 32 bytes. */
  readonly sha256: (bytes: Uint8Array) => Uint8Array
  /** The same as 64 hexadecimal digits, several times as fast: for what is named by its digest. */
  readonly sha256Hex: (bytes: Uint8Array) => string
  /** Whether both are equal, in a time that depends on their lengths alone. */
  readonly equal: (a: Uint8Array, b: Uint8Array) => boolean
  /** This many bytes that nobody can guess. */
  readonly random: (count: number) => Uint8Array
  /** The CRC-32 of zlib, as an unsigned integer. Finds accidents, not forgeries. */
  readonly crc32: (bytes: Uint8Array) => number
}>()("@skein/transport/Hashing") {}
