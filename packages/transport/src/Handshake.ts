/**
 * The first word of either side of a connection.
 *
 * The dialling side says who it is and which session it opens or resumes; the
 * accepting side answers with a welcome, or with a short refusal and hangs up.
 * Until then it reads one packet of at most 64 KiB within a deadline, for
 * anybody may call. Greetings are JSON: they are rare, and a later version must
 * still be able to read that the other side is of an earlier one.
 *
 * A token is compared by its digest, in constant time, and is never logged; nor
 * is anything else that an unauthenticated peer says.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { Hashing } from "./Hashing.ts"

/** Both ends must be of the same version. Raised whenever packets or greetings change their meaning. */
export const version = 3

/** A length of time as greetings have it. */
export const toSpan = (ms: number): number | null => Number.isFinite(ms) ? ms : null
/** Milliseconds; Infinity: for ever, never. */
export const fromSpan = (span: number | null): number => span ?? Infinity

/** What an end of a session is. Servers say `scheduler` or `worker`. */
export const Role = Schema.Literals(["scheduler", "client", "worker", "nanny", "operator"])
export type Role = typeof Role.Type

/** What an end of a session says of itself. */
export interface Greeting {
  readonly role: Role
  /** For people: shown in logs and on the dashboard. 256 characters at most. */
  readonly name: string
  /** The latest epoch this end knows; on an accepting side, the one it leads. @default 0 */
  readonly epoch?: number
  /** The cluster's token. The accepting side says none. */
  readonly token?: Redacted.Redacted<string>
}

/** Bytes in a greeting at most. */
export const greetingLimit = 64 * 1024

const Name = Schema.String.check(Schema.isMaxLength(256))
const Count = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }))
/** Milliseconds; `null`: for ever, never. */
const Span = Schema.NullOr(Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0)))
const Bytes = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 2 ** 32 }))

/** The dialling side's greeting as it is sent. */
export const Hello = Schema.Struct({
  version: Schema.Int,
  role: Role,
  name: Name,
  epoch: Count,
  token: Schema.String.check(Schema.isMaxLength(4096)),
  /** Drawn by the dialling side; who knows it and the token may resume the session. */
  session: Schema.String.check(Schema.isPattern(/^[0-9a-f]{32,128}$/)),
  /** Frames received so far if the session has been welcomed before; `null`: it is new. */
  resume: Schema.NullOr(Count),
  /** Bytes that may wait at the sender for their acknowledgement; the smaller of both sides' counts. */
  window: Bytes,
  /** Bytes in a frame at most; likewise. */
  frameLimit: Bytes,
  /** How often this side gives a sign of life, at most. */
  beatMs: Span,
  /** How long this side will try to resume, so that nobody need keep the session for longer. */
  graceMs: Span
})
export type Hello = typeof Hello.Type

/** The accepting side's greeting as it is sent. */
export const Welcome = Schema.Struct({
  version: Schema.Int,
  role: Role,
  name: Name,
  epoch: Count,
  /** Frames received so far. */
  received: Count,
  window: Bytes,
  frameLimit: Bytes,
  /** How often both sides give a sign of life, until the accepting side says otherwise. */
  beatMs: Span,
  /** How long the accepting side keeps this session without a connection. */
  graceMs: Span
})
export type Welcome = typeof Welcome.Type

/** Why the accepting side hung up. */
export class HandshakeRefused extends Schema.TaggedError<HandshakeRefused>()("HandshakeRefused", {
  /**
   * - `Unauthorized`: wrong token, or a role that may not call here.
   * - `Version`: the other side speaks another version of this protocol.
   * - `Epoch`: one of both belongs to an epoch that is over.
   * - `Forgotten`: the session to be resumed is not known here, or not any more.
   * - `Busy`: no connection more just now; later, perhaps.
   */
  reason: Schema.Literals(["Unauthorized", "Version", "Epoch", "Forgotten", "Busy"]),
  message: Schema.String,
  /** The version that the other side speaks, if it said so. */
  theirs: Schema.optionalKey(Schema.Int)
}) {}

const Refusal = Schema.Struct({
  reason: Schema.Literals(["Unauthorized", "Version", "Epoch", "Forgotten", "Busy"]),
  message: Schema.String,
  /** Of who refuses; an earlier release may not say it. */
  version: Schema.optionalKey(Schema.Int)
})

/** Why a session ended, in one word; see `SessionEnded`. */
export const EndKind = Schema.Literals(["closed", "grace", "refused", "overrun", "protocol", "failed", "defect"])
export type EndKind = typeof EndKind.Type

/** The last word on a session. */
export const Goodbye = Schema.Struct({ kind: EndKind, reason: Schema.String })

const text = new TextDecoder()
const bytes = new TextEncoder()

/** JSON in bytes. Fails without a word on what was sent: that is not to be logged. */
const codec = <A, I>(schema: Schema.Codec<A, I>) => {
  const json = Schema.fromJsonString(schema)
  const decode = Schema.decodeUnknownEffect(json)
  const encode = Schema.encodeSync(json)
  return {
    encode: (value: A): Uint8Array => bytes.encode(encode(value)),
    decode: (body: Uint8Array): Effect.Effect<A, NotAGreeting> =>
      Effect.mapError(decode(text.decode(body)), () => new NotAGreeting())
  }
}

/** What came is not what the handshake asks for. It is not shown: it may hold a token. */
export class NotAGreeting extends Schema.TaggedError<NotAGreeting>()("NotAGreeting", {}) {
  override get message() {
    return "What came in place of a greeting is none. Something else than Skein may be calling this port, or being called."
  }
}

const anyVersion = codec(Schema.Struct({ version: Schema.Int }))
const hello = codec(Hello)
const welcome = codec(Welcome)
const refusal = codec(Refusal)
const goodbye = codec(Goodbye)

export const encodeHello = hello.encode
export const encodeWelcome = welcome.encode

/** Reads the other side's greeting; refuses one of another version before it looks at the rest. */
const decodeGreeting = <A>(decode: (body: Uint8Array) => Effect.Effect<A, NotAGreeting>) => (body: Uint8Array): Effect.Effect<A, NotAGreeting | HandshakeRefused> =>
  Effect.flatMap(anyVersion.decode(body), (theirs): Effect.Effect<A, NotAGreeting | HandshakeRefused> =>
    theirs.version === version ? decode(body) : Effect.fail(
      new HandshakeRefused({
        reason: "Version",
        message: `One side speaks version ${version} of the session protocol, the other ${theirs.version}. Install the same version of Skein on both.`,
        theirs: theirs.version
      })
    ))
export const decodeHello = decodeGreeting(hello.decode)
export const decodeWelcome = decodeGreeting(welcome.decode)

/** At most 256 bytes, whatever the message. */
export const encodeRefusal = ({ message, reason }: HandshakeRefused): Uint8Array => refusal.encode({ reason, message: brief(message), version })
export const decodeRefusal = (body: Uint8Array): Effect.Effect<HandshakeRefused, NotAGreeting> =>
  Effect.map(refusal.decode(body), (fields) =>
    new HandshakeRefused({
      reason: fields.reason,
      message: printable(fields.message),
      ...(fields.version === undefined ? {} : { theirs: fields.version })
    }))

export const encodeGoodbye = (kind: EndKind, reason: string): Uint8Array => goodbye.encode({ kind, reason: brief(reason) })
export const decodeGoodbye = (body: Uint8Array): Effect.Effect<typeof Goodbye.Type, NotAGreeting> =>
  Effect.map(goodbye.decode(body), ({ kind, reason }) => ({ kind, reason: printable(reason) }))

/** What fits into a short answer: printable ASCII, so that characters are bytes, and none is escaped. */
const brief = (message: string) => message.replace(/[^ !#-[\]-~]/g, "?").slice(0, 200)
/** What another process wrote must not forge lines of our log. */
const printable = (message: string) => message.replace(/[\p{Cc}\u2028\u2029]/gu, "?").slice(0, 200)

/** Decides who may open or resume a session. */
export type Authorize<R = never> = (greeting: Greeting) => Effect.Effect<void, HandshakeRefused, R>

/** Lets in who shows the token, in one of the roles. @default roles: all */
export const byToken = (
  token: Redacted.Redacted<string>,
  options: { readonly roles?: ReadonlyArray<Role> } = {}
): Authorize<Hashing> =>
(greeting) =>
  Effect.flatMap(Hashing, (hashing) => {
    const same = hashing.equal(digest(hashing, token), digest(hashing, greeting.token))
    return same && (options.roles?.includes(greeting.role) ?? true) ? Effect.void : Effect.fail(unauthorized)
  })

const unauthorized = new HandshakeRefused({
  reason: "Unauthorized",
  message: "The token is not the cluster's, or this role may not connect here. Pass the token that the cluster was started with."
})

/** The digest of a token; that of the empty one if there is none. */
export const digest = (hashing: Hashing["Service"], token: Redacted.Redacted<string> | undefined): Uint8Array =>
  hashing.sha256(bytes.encode(token === undefined ? "" : Redacted.value(token)))

/** The greeting on a connection for bulk data, which belongs to no session. */
const BulkHello = Schema.Struct({ version: Schema.Int, role: Role, name: Name, token: Schema.String.check(Schema.isMaxLength(4096)) })
export type BulkHello = typeof BulkHello.Type
const bulkHello = codec(BulkHello)

export const encodeBulkHello = ({ name, role, token }: Greeting): Uint8Array =>
  bulkHello.encode({ version, role, name, token: token === undefined ? "" : Redacted.value(token) })
export const decodeBulkHello = decodeGreeting(bulkHello.decode)

/** The answer to it. */
export const encodeBulkWelcome = (): Uint8Array => anyVersion.encode({ version })
export const decodeBulkWelcome = decodeGreeting(anyVersion.decode)
