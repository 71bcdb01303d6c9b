/**
 * What differs between two versions of a persistent vector, at the cost of what
 * differs: parts that both share are not looked at.
 */
import type { Node, Vector } from "@skein/core/persistent/Vector"

/** Calls `visit` for each index whose value is not the same, in no order that matters. Absent is undefined. */
export const forEachChange = <A>(
  before: Vector<A>,
  after: Vector<A>,
  visit: (old: A | undefined, now: A | undefined, index: number) => void
): void => {
  if (before.root === after.root) return
  compare(before.root, before.shift, after.root, after.shift, Math.max(before.shift, after.shift), 0, visit)
}

const slotBits = 5

/** Compares two subtrees that cover the indices from `base` on. One may be lower than `shift`: then it is the first child of what is not there. */
const compare = <A>(
  old: Node<A> | undefined,
  oldShift: number,
  now: Node<A> | undefined,
  nowShift: number,
  shift: number,
  base: number,
  visit: (old: A | undefined, now: A | undefined, index: number) => void
): void => {
  if (old === now && oldShift === nowShift) return
  // Only slots that are taken on either side; one that is lower stands for its own parent, of which it is the first slot.
  const taken = maskAt(old, oldShift, shift) | maskAt(now, nowShift, shift)
  for (let bits = taken; bits !== 0; bits &= bits - 1) {
    const slot = 31 - Math.clz32(bits & -bits)
    if (shift === 0) {
      const a = old?.values[slot]
      const b = now?.values[slot]
      if (a !== b) visit(a, b, base + slot)
      continue
    }
    const a = oldShift === shift ? old?.children[slot] : slot === 0 ? old : undefined
    const b = nowShift === shift ? now?.children[slot] : slot === 0 ? now : undefined
    if (a === b) continue
    const below = shift - slotBits
    compare(a, Math.min(oldShift, below), b, Math.min(nowShift, below), below, base + slot * 2 ** shift, visit)
  }
}

const maskAt = <A>(node: Node<A> | undefined, own: number, shift: number): number =>
  node === undefined ? 0 : own === shift ? node.mask : 1
