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
 * is the first to begin in a turn, when what was said before has left: so no
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
  /** Has `go` called: a turn has begun, and some wait for it. */
  readonly wake: () => void
  /** Whether it is known to hold the loop for no time to speak of. */
  readonly isShort: (one: A) => boolean
  readonly begin: (one: A) => void
}

export interface Starting<A> {
  readonly add: (one: A) => void
  /** Begins what was added, in order: what is short as long as there is time, the rest soon. */
  readonly go: () => void
}

export const make = <A>({ begin, isShort, now, soon, wake }: Options<A>): Starting<A> => {
  const added: Array<A> = []
  /** When the present turn has had its time; undefined: it has begun nothing. */
  let until: number | undefined
  /** What was said before it has left, and nothing since. */
  let fresh = false

  const nextTurn = (): void => {
    until = undefined
    if (added.length === 0) return
    fresh = true
    wake()
  }
  return {
    add: (one) => void added.push(one),
    go: () => {
      if (added.length === 0) return
      if (until === undefined) {
        until = now() + TURN_MS
        soon(nextTurn)
      }
      let begun = 0
      while (begun < added.length && (fresh || isShort(added[begun]!)) && now() < until) {
        fresh = false
        begin(added[begun++]!)
      }
      added.splice(0, begun)
    }
  }
}
