/**
 * What an Rpc's schemas make of its payload, its chunks and its exit, as bytes.
 *
 * Compiled at first use, for a process that starts has better to do, and once
 * for an Rpc, not once for a session. They keep nothing between two messages, so
 * that what one peer sends cannot meet what another does. Schemas need no
 * services here (`Duplex` has it in its types), so that a message is read in one
 * step.
 */
import { Tell } from "@skein/protocol/Tell"
import * as Context from "effect/Context"
import * as SchemaBinary from "effect/encoding/SchemaBinary"
import type * as Exit from "effect/Exit"
import * as Rpc from "effect/rpc/Rpc"
import * as RpcSchema from "effect/rpc/RpcSchema"
import type * as RpcSerialization from "effect/rpc/RpcSerialization"
import * as Schema from "effect/Schema"
import { redacted } from "./redaction.ts"

export type CodecFor = RpcSerialization.RpcSerialization["Service"]["codecFor"]

/** Both throw on what does not fit the schema. */
export interface Codec<A> {
  readonly encode: (value: A) => Uint8Array
  readonly decode: (bytes: Uint8Array) => A
}

export interface Codecs {
  readonly payload: Codec<unknown>
  /** Of a stream alone. */
  readonly chunk: Codec<ReadonlyArray<unknown>>
  /** Defects are redacted on their way out. */
  readonly exit: Codec<Exit.Exit<unknown, unknown>>
  readonly isTell: boolean
  readonly isStream: boolean
}

/** The codecs of an Rpc. */
export const codecsOf = (rpc: Rpc.Any, codecFor: CodecFor): Codecs => {
  let codecs = known.get(rpc)
  if (codecs === undefined) {
    codecs = make(rpc as Rpc.AnyWithProps, codecFor) // every Rpc has these; `Any` hides them for inference's sake
    known.set(rpc, codecs)
  }
  return codecs
}

const known = new WeakMap<Rpc.Any, Codecs>()

const make = (rpc: Rpc.AnyWithProps, codecFor: CodecFor): Codecs => {
  const { payloadSchema, successSchema } = rpc
  const isStream = RpcSchema.isStreamSchema(successSchema)
  return {
    payload: lazily(codecFor, () => payloadSchema),
    chunk: lazily(codecFor, () => Schema.Array(isStream ? successSchema.success : Schema.Never)),
    exit: lazily(codecFor, () => Rpc.exitSchema(redacted(rpc))),
    isTell: Context.getOrUndefined(rpc.annotations, Tell) === true,
    isStream
  }
}

/** The cast to `A` says what the caller's schema says. */
const lazily = <A>(codecFor: CodecFor, schemaOf: () => Schema.Top): Codec<A> => {
  let encoder: SchemaBinary.Encoder | undefined
  let decoder: ((bytes: unknown) => unknown) | undefined
  return {
    encode: (value) => (encoder ??= SchemaBinary.encoder(schemaOf())).encode(value),
    decode: (bytes) => (decoder ??= Schema.decodeUnknownSync(codecFor(schemaOf()) as Schema.Codec<unknown, unknown>))(bytes) as A
  }
}
