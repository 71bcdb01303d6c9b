/**
 * A quick check of bytes, for the hash of a run.
 */
import { crc32 as zlib } from "node:zlib"

/** The CRC-32 of zlib. */
export const crc32 = (bytes: Uint8Array): number => zlib(bytes)
