/**
 * The first word on a connection, as sessions and bulk data both begin.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type { Connection } from "../Connection.ts"
import { Kind, packet } from "../Framing.ts"
import { encodeRefusal, HandshakeRefused } from "../Handshake.ts"

/** Waits for the first packet; what came with it in one chunk is kept for whoever reads on. */
export const firstPacket = Effect.fnUntraced(function*(connection: Connection, start: Connection["packets"]) {
  let early = [...(yield* start)]
  while (early.length === 0) early = [...(yield* connection.packets)]
  const first = early.shift()!
  const packets = Effect.suspend(() => early.length > 0 ? Effect.succeed(early.splice(0)) : connection.packets)
  const each: Connection["each"] = (take) =>
    Effect.suspend(() => early.length > 0 ? Effect.andThen(take(early.splice(0)), connection.each(take)) : connection.each(take))
  return { packet: first, rest: early.length, connection: { ...connection, packets, each } }
})

/** Says why, and that is all; the connection is closed by whoever opened it. */
export const refuse = (connection: Connection, refused: HandshakeRefused) =>
  Effect.ignore(Effect.timeout(connection.write([packet(Kind.Refusal, 0, encodeRefusal(refused))]), 1000))

export const busy = new HandshakeRefused({ reason: "Busy", message: "No more connections just now. Try again later, or raise maxConnections." })

/** Greetings refused for a wrong token, since the process began. */
export const unauthorizedCount = Metric.counter("skein_transport_unauthorized", { description: "Connections refused for a wrong token or role", incremental: true })

/** Refusals are logged at most once a second, however many there are. */
export const makeRefusalLog = () => {
  let since = 0
  let nextAt = -Infinity
  return {
    note: (refused: HandshakeRefused) =>
      Effect.gen(function*() {
        if (refused.reason === "Unauthorized") yield* Metric.update(unauthorizedCount, 1)
        since++
        const now = yield* Clock.currentTimeMillis
        if (now < nextAt) return
        nextAt = now + 1000
        yield* Effect.logWarning(`refused ${since} connection${since === 1 ? "" : "s"} (${refused.reason})`)
        since = 0
      })
  }
}
