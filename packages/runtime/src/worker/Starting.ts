/**
 * When bodies begin that run in this process.
 *
 * A plain function holds the event loop until it ends, and most take less time
 * than a message about them. So those that were short the last time begin in the
 * step that asks for them, one after another for as long as a turn may take, and
 * what they lead to leaves together: a lone one begins sooner, and the result of
 * another waits for little more than that turn.
 *
 * Of any other function nobody knows for how long it will hold the loop. It
 * begins with a turn of its own, when what was said before has left: so no
 * result waits behind a long body, and there is a moment in which it can still
 * be taken back.
 */

/** How long a turn goes on to begin bodies. */
export const TURN_MS = 1

export interface Options<A> {
  /** Milliseconds, and parts of them. */
  readonly now: () => number
  /** Calls back soon, when what was said before has left this process. */
  readonly soon: (then: () => void) => void
  /** Whether it is known to hold the loop for no time to speak of. */
  readonly isShort: (one: A) => boolean
  readonly begin: (one: A) => void
}

export interface Starting<A> {
  readonly add: (one: A) => void
  /** Begins what was added, in order: what is short as long as there is time, the rest soon. */
  readonly go: () => void
}

export const make = <A>({ begin, isShort, now, soon }: Options<A>): Starting<A> => {
  /** Those from `next` on have not begun. */
  const added: Array<A> = []
  let next = 0
  /** When the present turn has had its time; undefined: it has begun nothing. */
  let until: number | undefined
  /** One begins in this very step. What comes back to here by what it does is seen to when that is done. */
  let beginning = false

  const nextTurn = (): void => {
    until = undefined
    run(() => true)
  }
  const run = (may: (one: A) => boolean): void => {
    if (beginning || added.length === 0) return
    if (until === undefined) {
      until = now() + TURN_MS
      soon(nextTurn)
    }
    beginning = true
    while (next < added.length && may(added[next]!) && now() < until) begin(added[next++]!)
    beginning = false
    added.splice(0, next)
    next = 0
  }
  return {
    add: (one) => void added.push(one),
    go: () => run(isShort)
  }
}
