/**
 * A session's inside, the same on both sides: what it has sent and received, and
 * how one connection carries it.
 *
 * Only the numbers are trusted. Two connections may carry one session for a
 * moment (the old one still draining when the next one dials), and whatever both
 * of them bring or acknowledge does no harm.
 *
 * Two rules, both learnt by simulation. *Test and wait in one step*: looking
 * whether there is something to write, and then waiting, loses what comes in
 * between; a bell that rings meanwhile is heard afterwards. *No loop is forked bare*:
 * the loops of a connection race, and whatever stops one of them, other than the
 * connection's own end, ends the session with that cause.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import type * as Socket from "effect/socket/Socket"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { type Bell, makeBell } from "../Bell.ts"
import type { Connection } from "../Connection.ts"
import { broken, Kind, type Packet, packet, sizeOf } from "../Framing.ts"
import { decodeGoodbye, encodeGoodbye, type Greeting } from "../Handshake.ts"
import * as Prompt from "../Prompt.ts"
import type { Session, Status } from "../Session.ts"
import { SessionEnded } from "../SessionEnded.ts"
import { makeIncoming } from "./incoming.ts"
import { makeOutgoing } from "./outgoing.ts"

export interface LineOptions {
  readonly peer: Greeting
  readonly window: number
  readonly frameLimit: number
  readonly graceMs: number
  /** As agreed by the greetings. */
  readonly beatMs: number
  /** On the accepting side: what it ought to be now; asked with every beat, and the other side is told of a change. */
  readonly nextBeatMs?: () => number
  readonly closeMs: number
}

/** Bytes in one write at most, a larger frame aside. */
const WRITE = 256 * 1024
/** How long the last word may take. */
const GOODBYE_MS = 1000

export interface Line {
  readonly session: Session
  /**
   * Carries the session over one connection until that breaks or a newer one takes over. Fails when the session is over.
   * `agreedMs`: the beat, as agreed by the greetings on this connection.
   */
  readonly carry: (connection: Connection, theyHave: number, agreedMs: number) => Effect.Effect<void, SessionEnded>
  /** Frames received so far. */
  readonly received: () => number
  /** Frames of ours that the other side has handled. */
  readonly acked: () => number
  /** The session lives while `main` runs, and whatever stops `main` ends it; a return of it, or an interruption, in good order. */
  readonly live: <A, E, R>(main: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

export const makeLine = Effect.fnUntraced(function*(options: LineOptions): Effect.fn.Return<Line> {
  const { closeMs, frameLimit, graceMs, nextBeatMs, window } = options
  const status = yield* SubscriptionRef.make<Status>("connected") // both ends have just greeted each other
  const emptied = Deferred.makeUnsafe<void>()
  const done = Deferred.makeUnsafe<never, SessionEnded>()
  const ended = Deferred.await(done)
  const attached = Latch.makeUnsafe(false)
  const detached = Latch.makeUnsafe(true)
  let current: { readonly bell: Bell; readonly replace: () => void } | undefined
  let { beatMs } = options
  /** Open when the other side wants it more often: what is slept through then counts no more. */
  const quickened = Latch.makeUnsafe(false)
  let closing = false
  let why: SessionEnded | undefined

  const toWrite = () => current?.bell.ring()
  const incoming = makeIncoming({ window, frameLimit, onDue: toWrite })
  const outgoing = makeOutgoing({
    window,
    frameLimit,
    onFrame: toWrite,
    onEmpty: () => {
      if (closing) Deferred.doneUnsafe(emptied, Exit.void)
    }
  })

  // ---- ending
  const end = (cause: Cause.Cause<unknown>): Effect.Effect<void> =>
    // In one piece: whoever waits for the end may interrupt the fiber that brings it.
    Effect.uninterruptible(Effect.suspend(() => {
      if (why !== undefined) return Effect.void
      why = SessionEnded.from(cause)
      outgoing.end(why)
      incoming.end(why)
      Deferred.doneUnsafe(done, Exit.fail(why))
      const told = SubscriptionRef.set(status, "lost")
      return why.kind === "defect" ? Effect.andThen(Effect.logError("a session ended by a defect", why.cause), told) : told
    }))
  const close: Effect.Effect<void> = Effect.suspend(() => {
    closing = true
    if (outgoing.isEmpty()) Deferred.doneUnsafe(emptied, Exit.void)
    toWrite() // that we wait
    return Deferred.await(emptied).pipe(
      Effect.timeoutOption(closeMs),
      Effect.raceFirst(Effect.ignore(ended)),
      Effect.andThen(end(Cause.fail(SessionEnded.of("closed", "closed"))))
    )
  })
  /** An interruption, or a return, is a wish to stop and not a failure. */
  const endBy = (exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> =>
    Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause) ? end(exit.cause) : close

  // ---- sending
  const whileOpen = (accept: (frame: Uint8Array) => Effect.Effect<void, SessionEnded>, frame: Uint8Array) =>
    closing && why === undefined ? Effect.fail(SessionEnded.of("closed", "closed")) : accept(frame)
  const sendNow = (frame: Uint8Array): Effect.Effect<void, SessionEnded> =>
    Effect.suspend(() => Effect.tapCause(whileOpen(outgoing.sendNow, frame), (cause) => Cause.hasDies(cause) || closing ? Effect.void : end(cause)))
  const offer = (frame: Uint8Array): Effect.Effect<void, SessionEnded> => whileOpen(outgoing.send, frame)
  const send = (frame: Uint8Array): Effect.Effect<void, SessionEnded> =>
    Effect.withFiber((fiber) => incoming.isRunner(fiber.id) ? sendNow(frame) : offer(frame))

  // ---- receiving
  const run = (handle: (frame: Uint8Array) => Effect.Effect<void>): Effect.Effect<never, SessionEnded> =>
    Effect.catchCause(incoming.run(handle, endBy), () => ended)

  /** One packet from the other side; how it stops the connection, if it does. */
  const take = ({ body, kind, number }: Packet): Effect.Effect<never, SessionEnded | Socket.SocketError> | undefined => {
    if (kind === Kind.Frame && incoming.receive(number, body)) {
      const tooMuch = incoming.overrun()
      return tooMuch === undefined ? undefined : Effect.fail(tooMuch)
    }
    if (kind === Kind.Ack && number <= outgoing.last()) {
      outgoing.acknowledge(number)
      return undefined
    }
    if (kind === Kind.AckWanted && incoming.wantAck(number)) return undefined
    if (kind === Kind.Beat && nextBeatMs === undefined && number > 0) {
      // Never more often than was asked for in the greeting, which is for the other side to keep in mind.
      const sooner = number < beatMs
      beatMs = number
      if (sooner) quickened.openUnsafe() // who waits goes on in this very step
      return undefined
    }
    if (kind === Kind.Bye) {
      return Effect.matchEffect(decodeGoodbye(body), {
        onFailure: () => Effect.fail(broken("no goodbye")),
        onSuccess: (bye) => Effect.fail(SessionEnded.of(bye.kind, `the other side: ${bye.reason}`))
      })
    }
    return Effect.fail(broken(`packet ${kind} number ${number} makes no sense here`))
  }

  // ---- one connection
  const carry = (connection: Connection, theyHave: number, agreedMs: number): Effect.Effect<void, SessionEnded> =>
    Effect.suspend(() => {
      if (why !== undefined) return Effect.andThen(sayGoodbye(connection, why), Effect.fail(why))
      // A greeting that later events have overtaken: whoever sent it has given up that connection.
      if (theyHave < outgoing.acked() || theyHave > outgoing.last()) return Effect.void
      const bell = makeBell()
      bell.ring()
      const replaced = Deferred.makeUnsafe<never, Socket.SocketError>()
      const mine = { bell, replace: () => void Deferred.doneUnsafe(replaced, Exit.fail(broken("a newer connection took over"))) }
      current?.replace()
      current = mine
      detached.closeUnsafe()
      attached.openUnsafe()
      /** Frames that go, or have gone, over this connection, or that the other side had before. */
      let cursor = theyHave
      /** Up to which we have asked for acknowledgement over this connection. */
      let asked = -1
      let heard = 0
      /** As the other side knows it. */
      let toldBeatMs = agreedMs
      beatMs = agreedMs
      incoming.beDue()

      const nextWrite = (): ReadonlyArray<Packet> => {
        cursor = Math.max(cursor, outgoing.acked())
        const packets: Array<Packet> = []
        for (let size = 0; size < WRITE && cursor < outgoing.last();) {
          const frame = outgoing.frame(++cursor)
          packets.push(frame)
          size += sizeOf(frame.body)
        }
        if (cursor < outgoing.last()) bell.ring()
        else if (asked !== cursor && (outgoing.isFull() || (closing && !outgoing.isEmpty()))) {
          asked = cursor
          packets.push(packet(Kind.AckWanted, asked))
        }
        const ack = incoming.ack(packets.length > 0)
        if (ack !== undefined) packets.unshift(ack)
        if (nextBeatMs !== undefined && toldBeatMs !== beatMs) packets.unshift(packet(Kind.Beat, toldBeatMs = beatMs))
        return packets
      }
      // At the end of the turn: all that it sends leaves in one write.
      const writing = bell.each(() => {
        const packets = nextWrite()
        return packets.length > 0 ? connection.writeNow(packets) : Prompt.done
      })
      const reading = connection.each((packets) => {
        for (const one of packets) {
          const stop = take(one)
          if (stop === undefined) continue
          incoming.deliver() // what came before it
          return stop
        }
        heard++
        incoming.deliver()
        return Prompt.done
      })
      const beating = Effect.gen(function*() {
        for (let silent = 0; silent < 3; silent++) {
          const before = heard
          quickened.closeUnsafe()
          yield* Effect.timeoutOption(quickened.await, beatMs)
          const next = nextBeatMs?.() ?? beatMs
          // After a change it is counted anew: the other side may have slept according to the old one.
          if (heard !== before || next !== beatMs) silent = -1
          beatMs = next
          incoming.beDue()
        }
        return yield* Effect.fail(broken("silent for three beats"))
      })
      return Effect.andThen(
        SubscriptionRef.getUnsafe(status) === "connected" ? Effect.void : SubscriptionRef.set(status, "connected"),
        Effect.raceAllFirst<Effect.Effect<void, Socket.SocketError | SessionEnded>>([
          reading,
          writing,
          Deferred.await(replaced),
          ended,
          ...(Number.isFinite(beatMs) ? [beating] : [])
        ])
      ).pipe(
        Effect.catchTag("SocketError", () => Effect.void),
        Effect.onError((cause) => Effect.andThen(end(cause), Effect.suspend(() => sayGoodbye(connection, why!)))), // `end` has just seen to it that there is one
        Effect.ensuring(Effect.suspend(() => {
          if (current !== mine) return Effect.void
          current = undefined
          attached.closeUnsafe()
          detached.openUnsafe()
          return why === undefined ? SubscriptionRef.set(status, "reconnecting") : Effect.void
        }))
      )
    })

  /** Leaves the last word to who uses the session, and therefore never returns. */
  const waitingForGrace = Effect.gen(function*() {
    while (why === undefined) {
      yield* Effect.timeoutOrElse(attached.await, {
        duration: graceMs,
        orElse: () => end(Cause.fail(SessionEnded.of("grace", `no connection for ${graceMs} ms`)))
      })
      yield* detached.await
    }
    return yield* Effect.never
  })

  const session: Session = {
    send,
    offer,
    sendNow,
    run,
    end,
    close,
    ended,
    status,
    beatMs: () => beatMs,
    graceMs,
    peer: options.peer
  }
  return {
    session,
    carry,
    received: incoming.received,
    acked: outgoing.acked,
    live: (main) => Effect.raceFirst(main, waitingForGrace).pipe(Effect.onExit((exit) => endBy(exit)))
  }
})

/** The reason stays here if it may hold more than the other side needs to know. */
const sayGoodbye = (connection: Connection, { kind, reason }: SessionEnded): Effect.Effect<void> => {
  const told = kind === "defect" || kind === "failed" ? "something went wrong there; its log has it" : reason
  return Effect.ignore(Effect.timeout(connection.write([packet(Kind.Bye, 0, encodeGoodbye(kind, told))]), GOODBYE_MS))
}
