/**
 * What differs between two versions of a persistent vector, at the cost of what
 * differs: parts that both share are not looked at.
 *
 * Several checks look at the same changes of a step, so they are found once and
 * kept in lists, which the next step uses again.
 */
import type { Node, Vector } from "@skein/core/persistent/Vector"

/** The changes of a step, by position up to `count`: one record as it was and as it is. Absent is undefined. */
export class Changes<A> {
  count = 0
  readonly olds: Array<A | undefined> = []
  readonly nows: Array<A | undefined> = []
  private readonly note = (old: A | undefined, now: A | undefined): void => {
    this.olds[this.count] = old
    this.nows[this.count++] = now
  }

  /** Writes over those of the step before: to empty the lists would be to make them again. */
  find(before: Vector<A>, after: Vector<A>): void {
    this.count = 0
    forEachChange(before, after, this.note)
  }
}

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
const slots = 1 << slotBits

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
  if (old !== undefined && now !== undefined && oldShift === nowShift && oldShift === shift) {
    if (shift === 0) compareLeaves(old, now, base, visit)
    else compareBranches(old, now, shift, base, visit)
    return
  }
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

/** Two nodes of one height, as nearly all are. */
const compareBranches = <A>(
  old: Node<A>,
  now: Node<A>,
  shift: number,
  base: number,
  visit: (old: A | undefined, now: A | undefined, index: number) => void
): void => {
  const { children } = old
  const { children: others } = now
  const below = shift - slotBits
  for (let slot = 0; slot < slots; slot++) {
    const a = children[slot]
    const b = others[slot]
    if (a !== b) compare(a, below, b, below, below, base + slot * 2 ** shift, visit)
  }
}

const compareLeaves = <A>(
  old: Node<A>,
  now: Node<A>,
  base: number,
  visit: (old: A | undefined, now: A | undefined, index: number) => void
): void => {
  const { values } = old
  const { values: others } = now
  for (let slot = 0; slot < slots; slot++) {
    const a = values[slot]
    const b = others[slot]
    if (a !== b) visit(a, b, base + slot)
  }
}

const maskAt = <A>(node: Node<A> | undefined, own: number, shift: number): number =>
  node === undefined ? 0 : own === shift ? node.mask : 1
