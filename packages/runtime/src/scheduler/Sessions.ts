/**
 * Who may come in, and as what.
 *
 * The role in a session's greeting decides what it may call, and nothing else is
 * there to be called. Whatever goes wrong in one session ends that session and
 * touches no other; when it is over, whyever, the reducer is told once that the
 * peer has left.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as SocketServer from "effect/socket/SocketServer"
import * as Pace from "@skein/core/Pace"
import { type Authorize, byToken, HandshakeRefused, type Role } from "@skein/transport/Handshake"
import type { Hashing } from "@skein/transport/Hashing"
import { serve, type Session, SessionEnded } from "@skein/transport/Session"
import { clientSession } from "./ClientSession.ts"
import type { Desk } from "./Desk.ts"
import { nannySession } from "./NannySession.ts"
import type { SchedulerConfig } from "./SchedulerConfig.ts"
import { workerSession } from "./WorkerSession.ts"

/** Accepts sessions on this server, for ever. */
export const run = (
  desk: Desk,
  server: SocketServer.SocketServer["Service"]
): Effect.Effect<never, SocketServer.SocketServerError, Hashing> => {
  const { config } = desk
  return serve(server, {
    greeting: { role: "scheduler", name: config.name },
    authorize: authorize(config),
    onSession: (session) => onSession(desk, session),
    paceMs: (sessions) => Pace.beatMs(sessions, config.workerTtlMs),
    graceMs: ({ role }) => role === "worker" ? config.workerGraceMs : role === "nanny" ? config.nannyGraceMs : config.clientGraceMs,
    maxConnections: config.maxSessions
  })
}

const roles: ReadonlyArray<Role> = ["client", "worker", "nanny"]

const authorize = (config: SchedulerConfig): Authorize<Hashing> => {
  if (config.token !== null) return byToken(config.token, { roles })
  const refused = new HandshakeRefused({ reason: "Unauthorized", message: "A scheduler serves clients, workers and nannies." })
  return ({ role }) => roles.includes(role) ? Effect.void : Effect.fail(refused)
}

const onSession = (desk: Desk, arrived: Session): Effect.Effect<void, never, Scope.Scope> => {
  const session = desk.mailbox.holdBack(arrived)
  switch (session.peer.role) {
    case "client":
      return clientSession(desk, session)
    case "worker":
      return workerSession(desk, session)
    case "nanny":
      return nannySession(desk, session)
    default:
      return session.end(Cause.fail(SessionEnded.of("refused", "a scheduler serves clients, workers and nannies")))
  }
}
