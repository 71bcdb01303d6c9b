/**
 * Of what a scheduler is made, for whoever compares it with his own.
 */
import * as Context from "effect/Context"
import * as Handshake from "@skein/transport/Handshake"
import { version } from "@skein/protocol/Version"

/** By name. Where Node is, its version is added. */
export const Versions: Context.Reference<Readonly<Record<string, string>>> = Context.Reference<Readonly<Record<string, string>>>(
  "@skein/runtime/scheduler/Versions",
  { defaultValue: () => ({ skein: version, protocol: String(Handshake.version) }) }
)
