/**
 * From where a client was told to look to an address.
 *
 * A scheduler writes its file once it listens, and often the client has been
 * started at the same moment: so a file that is not there yet is waited for, as
 * a scheduler that does not listen yet would be.
 *
 * Source: dask.distributed `client.py`, `Client._start`, which looks every 10 ms.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { ConnectError } from "@skein/protocol/Errors"
import * as SchedulerFile from "@skein/protocol/SchedulerFile"
import * as Address from "@skein/transport/Address"
import type { ClientSettings } from "../ClientOptions.ts"
import { Platform } from "../Platform.ts"

/** Settings of which the scheduler's address is known. */
export interface Located extends ClientSettings {
  readonly address: string
}

/** How often it is seen whether the file is there. */
const AGAIN_MS = 50

/** Fails if there is no such file by the time, or no scheduler wrote it. */
export const located = (settings: ClientSettings): Effect.Effect<Located, ConnectError, Platform> => {
  const { where } = settings
  return where._tag === "Address" ? Effect.succeed({ ...settings, address: where.address }) : Effect.flatMap(waitFor(where.path, settings.timeoutMs), read(settings, where.path))
}

const waitFor = Effect.fnUntraced(function*(path: string, timeoutMs: number) {
  const platform = yield* Platform
  const look = Effect.gen(function*() {
    while (true) {
      const text = yield* platform.readText(path)
      if (Option.isSome(text)) return text.value
      yield* Effect.sleep(AGAIN_MS)
    }
  })
  return yield* look.pipe(
    Effect.mapError(({ message }) => ConnectError.because("BadAddress", path, message)),
    Effect.timeoutOrElse({ duration: timeoutMs, orElse: () => Effect.fail(ConnectError.because("Timeout", path, "no scheduler has written this file")) })
  )
})

const read = (settings: ClientSettings, path: string) => (text: string): Effect.Effect<Located, ConnectError> => {
  const file = SchedulerFile.parse(text)
  if (Option.isNone(file)) return Effect.fail(ConnectError.because("BadAddress", path, "no scheduler wrote this file"))
  const { address, token } = file.value
  const parsed = Address.parse(address)
  if (Result.isFailure(parsed)) return Effect.fail(ConnectError.because("BadAddress", path, parsed.failure.message))
  return Effect.succeed({
    ...settings,
    address: Address.print(parsed.success),
    token: settings.token ?? (token === null ? undefined : Redacted.make(token))
  })
}
