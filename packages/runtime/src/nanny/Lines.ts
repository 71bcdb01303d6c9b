/**
 * Bytes → lines, of bounded length, and a bounded memory of them.
 *
 * What a child writes comes in pieces that end anywhere, also within a letter.
 * A child that writes without ever ending a line must not fill its nanny's
 * memory, so a longer line is cut and its rest dropped.
 */

export interface Splitter {
  readonly push: (chunk: Uint8Array) => void
  /** Nothing more comes: hands on what is left without a line end. */
  readonly end: () => void
}

/** Calls `onLine` for each line, without its end. `maxLength`: characters kept of a line. @default 8192 */
export const makeSplitter = (onLine: (line: string) => void, maxLength = 8_192): Splitter => {
  const decoder = new TextDecoder()
  let rest = ""
  let dropped = 0
  const keep = (text: string) => {
    const room = Math.max(0, maxLength - rest.length)
    rest += text.slice(0, room)
    dropped += Math.max(0, text.length - room)
  }
  const emit = () => {
    const line = rest.endsWith("\r") ? rest.slice(0, -1) : rest
    onLine(dropped === 0 ? line : `${line} … (${dropped} more characters)`)
    rest = ""
    dropped = 0
  }
  const take = (text: string) => {
    let from = 0
    for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", from)) {
      keep(text.slice(from, at))
      emit()
      from = at + 1
    }
    keep(text.slice(from))
  }
  return {
    push: (chunk) => take(decoder.decode(chunk, { stream: true })),
    end: () => {
      take(decoder.decode())
      if (rest.length > 0 || dropped > 0) emit()
    }
  }
}

/** The latest of many: at most `bound` are kept, the earliest are forgotten. */
export class Ring<A> {
  readonly #bound: number
  readonly #kept: Array<A> = []
  #next = 0

  constructor(bound: number) {
    this.#bound = bound
  }

  push(value: A): void {
    this.#kept[this.#next] = value
    this.#next = (this.#next + 1) % this.#bound
  }

  /** All that are kept, the earliest first. */
  all(): ReadonlyArray<A> {
    return [...this.#kept.slice(this.#next), ...this.#kept.slice(0, this.#next)]
  }

  clear(): void {
    this.#kept.length = 0
    this.#next = 0
  }
}
