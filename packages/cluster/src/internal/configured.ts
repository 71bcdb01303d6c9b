/**
 * What the environment says of where the scheduler is.
 *
 * Read through Effect's `Config`, so "the environment" is whatever provider is
 * in scope: the process's variables unless a program says otherwise. A variable
 * that is set to nothing counts as not set.
 */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { ConnectError } from "@skein/protocol/Errors"
import { badOption, type ClientOptions, NOT_YET } from "@skein/client/ClientOptions"

/** What can be configured. */
export type Configurable = Pick<ClientOptions, "address" | "schedulerFile" | "name" | "token">

const text = (name: string): Config.Config<string | undefined> =>
  Config.map(Config.option(Config.String(name)), (found) => Option.getOrUndefined(Option.filter(found, (value) => value !== "")))

const environment = Config.all({
  address: text("SKEIN_SCHEDULER_ADDRESS"),
  schedulerFile: text("SKEIN_SCHEDULER_FILE"),
  token: text("SKEIN_TOKEN"),
  SKEIN_TLS_CA: text("SKEIN_TLS_CA"),
  SKEIN_TLS_CERT: text("SKEIN_TLS_CERT"),
  SKEIN_TLS_KEY: text("SKEIN_TLS_KEY")
})

/**
 * The options of a client: those of the program, and from the environment what the program does not say. Where a program says where
 * the scheduler is, the environment is not asked for that.
 */
export const configured = Effect.fnUntraced(function*(
  said: Config.Wrap<Configurable>
): Effect.fn.Return<ClientOptions, ConnectError | Config.ConfigError> {
  const own = yield* Config.unwrap(said)
  const { address, schedulerFile, token, ...tls } = yield* environment
  const merged: ClientOptions = {
    ...(own.address === undefined && own.schedulerFile === undefined ? defined({ address, schedulerFile }) : {}),
    ...(token === undefined ? {} : { token: Redacted.make(token) }),
    ...defined(own)
  }
  for (const [name, value] of Object.entries(tls)) {
    if (value !== undefined) return yield* Effect.fail(badOption(merged, name, NOT_YET))
  }
  return merged
})

/** Which variable names a scheduler; none: the environment does not. */
export const namedBy: Config.Config<Option.Option<string>> = Config.map(environment, ({ address, schedulerFile }) =>
  address !== undefined
    ? Option.some("SKEIN_SCHEDULER_ADDRESS")
    : schedulerFile !== undefined
    ? Option.some("SKEIN_SCHEDULER_FILE")
    : Option.none())

/** Without what is undefined. */
const defined = <A extends object>(options: A): { [K in keyof A]?: Exclude<A[K], undefined> } =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as { [K in keyof A]?: Exclude<A[K], undefined> }
