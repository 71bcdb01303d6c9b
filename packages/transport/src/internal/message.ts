/**
 * RPC messages as bytes: one message is one frame.
 *
 * They are Effect RPC's requests, answers, chunks, acknowledgements and
 * interruptions, written by hand because each of them is on the path of every
 * task: an envelope that is itself encoded by a schema costs two microseconds a
 * message, and says which call it belongs to no better. What a message carries
 * (`body`) is written by the schemas of its Rpc.
 *
 *   tell       1, length of the tag (1 byte), tag in ASCII, payload
 *   ask        2, length of the tag (1 byte), tag in ASCII, id, payload
 *   interrupt  3, id
 *   ack        4, id                     the reader of a stream wants more
 *   chunk      5, id, values
 *   exit       6, id, exit
 *
 * id: 6 bytes, little endian; which of its calls the caller means.
 */

const Kind = { Tell: 1, Ask: 2, Interrupt: 3, Ack: 4, Chunk: 5, Exit: 6 } as const

const ID = 6
/** The largest number of a call. */
export const lastId = 2 ** 48 - 1

export type Message =
  | { readonly _tag: "Tell"; readonly tag: string; readonly body: Uint8Array }
  | { readonly _tag: "Ask"; readonly tag: string; readonly id: number; readonly body: Uint8Array }
  | { readonly _tag: "Interrupt"; readonly id: number }
  | { readonly _tag: "Ack"; readonly id: number }
  | { readonly _tag: "Chunk"; readonly id: number; readonly body: Uint8Array }
  | { readonly _tag: "Exit"; readonly id: number; readonly body: Uint8Array }

/** What all requests of one Rpc begin with: made once, and copied into each. */
export type Head = Uint8Array

/** Throws if the tag cannot be written: it is ASCII, of 1 to 255 characters. */
export const headOf = (tag: string, isTell: boolean): Head => {
  if (!/^[\x21-\x7e]{1,255}$/.test(tag)) throw new Error(`${JSON.stringify(tag)} cannot be the name of an Rpc here: 1 to 255 ASCII characters, without spaces`)
  const head = new Uint8Array(2 + tag.length)
  head[0] = isTell ? Kind.Tell : Kind.Ask
  head[1] = tag.length
  for (let i = 0; i < tag.length; i++) head[2 + i] = tag.charCodeAt(i)
  return head
}

export const tell = (head: Head, payload: Uint8Array): Uint8Array => {
  const frame = new Uint8Array(head.length + payload.length)
  frame.set(head)
  frame.set(payload, head.length)
  return frame
}

export const ask = (head: Head, id: number, payload: Uint8Array): Uint8Array => {
  const frame = new Uint8Array(head.length + ID + payload.length)
  frame.set(head)
  writeId(frame, head.length, id)
  frame.set(payload, head.length + ID)
  return frame
}

const about = (kind: number, id: number, body: Uint8Array = nothing): Uint8Array => {
  const frame = new Uint8Array(1 + ID + body.length)
  frame[0] = kind
  writeId(frame, 1, id)
  frame.set(body, 1 + ID)
  return frame
}
const nothing = new Uint8Array(0)

export const interrupt = (id: number): Uint8Array => about(Kind.Interrupt, id)
export const ack = (id: number): Uint8Array => about(Kind.Ack, id)
export const chunk = (id: number, values: Uint8Array): Uint8Array => about(Kind.Chunk, id, values)
/** Without an exit: to an interruption that came too late, whose caller reads no more than the number. */
export const exit = (id: number, exit?: Uint8Array): Uint8Array => about(Kind.Exit, id, exit)

/** The message in a frame; undefined if there is none. Its body is a view of the frame. */
export const decode = (frame: Uint8Array): Message | undefined => {
  switch (frame[0]) {
    case Kind.Tell: {
      const end = endOfTag(frame)
      return end > frame.length ? undefined : { _tag: "Tell", tag: tagOf(frame, end), body: frame.subarray(end) }
    }
    case Kind.Ask: {
      const end = endOfTag(frame)
      if (end + ID > frame.length) return undefined
      return { _tag: "Ask", tag: tagOf(frame, end), id: readId(frame, end), body: frame.subarray(end + ID) }
    }
    case Kind.Interrupt:
      return frame.length === 1 + ID ? { _tag: "Interrupt", id: readId(frame, 1) } : undefined
    case Kind.Ack:
      return frame.length === 1 + ID ? { _tag: "Ack", id: readId(frame, 1) } : undefined
    case Kind.Chunk:
      return frame.length >= 1 + ID ? { _tag: "Chunk", id: readId(frame, 1), body: frame.subarray(1 + ID) } : undefined
    case Kind.Exit:
      return frame.length >= 1 + ID ? { _tag: "Exit", id: readId(frame, 1), body: frame.subarray(1 + ID) } : undefined
    default:
      return undefined
  }
}

/** Past the frame's end if there is no length. */
const endOfTag = (frame: Uint8Array): number => 2 + (frame[1] ?? frame.length)

/** What is no ASCII becomes a name that nobody has. */
const tagOf = (frame: Uint8Array, end: number): string => {
  let tag = ""
  for (let at = 2; at < end; at++) tag += String.fromCharCode(frame[at]!)
  return tag
}

const writeId = (frame: Uint8Array, at: number, id: number): void => {
  const high = Math.floor(id / 2 ** 32)
  frame[at] = id
  frame[at + 1] = id >>> 8
  frame[at + 2] = id >>> 16
  frame[at + 3] = id >>> 24
  frame[at + 4] = high
  frame[at + 5] = high >>> 8
}

const readId = (frame: Uint8Array, at: number): number =>
  frame[at]! + frame[at + 1]! * 2 ** 8 + frame[at + 2]! * 2 ** 16 + frame[at + 3]! * 2 ** 24 + frame[at + 4]! * 2 ** 32 + frame[at + 5]! * 2 ** 40
