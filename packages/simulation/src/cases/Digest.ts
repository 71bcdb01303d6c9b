/**
 * What the value of a task says about how it was computed.
 */

/** The digest that a task's value has: FNV-1a over its number and its inputs, in two halves. */
export const digestOf = (task: number, inputs: ReadonlyArray<string>): string => {
  let low = 0x811c9dc5
  let high = 0x01000193
  const feed = (text: string) => {
    for (let i = 0; i < text.length; i++) {
      low = Math.imul(low ^ text.charCodeAt(i), 0x01000193)
      high = Math.imul(high ^ text.charCodeAt(i), 0x85ebca6b)
    }
  }
  feed(`${task}:`)
  for (const input of inputs) feed(`${input},`)
  return (low >>> 0).toString(16).padStart(8, "0") + (high >>> 0).toString(16).padStart(8, "0")
}
