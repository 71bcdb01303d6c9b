/**
 * Where a scheduler is, for those who are told as clients are: workers and their nannies.
 */
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { ConnectError } from "@skein/protocol/Errors"
import { type ClientOptions, clientSettings } from "./ClientOptions.ts"
import { located } from "./internal/locating.ts"
import type { Platform } from "./Platform.ts"

export interface Located {
  /** As it is dialled. */
  readonly address: string
  /** What the scheduler wants to be shown, as far as anybody has said it. */
  readonly token: Redacted.Redacted<string> | undefined
}

/** Reads the options, and waits for a scheduler's file within their `timeout`; nothing is dialled. */
export const locate = (options: Pick<ClientOptions, "address" | "schedulerFile" | "token" | "timeout">): Effect.Effect<Located, ConnectError, Platform> =>
  Effect.flatMap(Effect.fromResult(clientSettings(options)), (settings) => Effect.map(located(settings), ({ address, token }) => ({ address, token })))
