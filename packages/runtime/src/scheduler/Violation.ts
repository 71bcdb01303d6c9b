/**
 * A peer said what no correct peer says.
 *
 * It ends the session that said it, with a reason, and touches nobody else:
 * nothing of the message in which it was found becomes an event.
 */
import * as Cause from "effect/Cause"
import { SessionEnded } from "@skein/transport/Session"

/** Thrown while a message is checked; caught at the border (`Handlers`), never further in. */
export class Violation extends Error {
  /** The end of the session that said it. */
  get asEnd(): Cause.Cause<SessionEnded> {
    return Cause.fail(SessionEnded.of("protocol", this.message))
  }
}

/** Refuses. `reason` is told to the peer and logged: it names numbers, never text that the peer sent. */
export const refuse = (reason: string): never => {
  throw new Violation(reason)
}
