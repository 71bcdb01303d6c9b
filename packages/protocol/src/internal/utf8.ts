/**
 * Text as bytes.
 *
 * TextEncoder and TextDecoder are part of every JavaScript runtime, but not of
 * the language's own library, which is all this package may know. They are pure,
 * so they are declared here, and only here.
 */
interface Encoder {
  encode(text: string): Uint8Array<ArrayBuffer>
  encodeInto(text: string, target: Uint8Array): { readonly read: number; readonly written: number }
}
interface Decoder {
  decode(bytes: Uint8Array): string
}
declare const TextEncoder: new() => Encoder
declare const TextDecoder: new(label: string, options: { readonly fatal: boolean; readonly ignoreBOM: boolean }) => Decoder

const encoder = new TextEncoder()
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** The UTF-8 bytes of a text. A lone surrogate becomes U+FFFD. */
export const encode = (text: string): Uint8Array<ArrayBuffer> => encoder.encode(text)

/** Writes the UTF-8 bytes of a text to the beginning of `target`, and says how many there were. Needs 3 bytes a character. */
export const encodeInto = (text: string, target: Uint8Array): number => encoder.encodeInto(text, target).written

/** The text of UTF-8 bytes. Throws a TypeError if they are not. */
export const decode = (bytes: Uint8Array): string => decoder.decode(bytes)
