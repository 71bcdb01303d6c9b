/**
 * Freezes a state with all that it leads to, so that a later edit in place of
 * what its batch does not own throws where it happens. Nothing else finds such
 * an edit: the state changed looks as good as any other.
 */

const frozen = new WeakSet<object>()

/**
 * Freezes `state` and whatever its own properties lead to: objects, arrays and
 * class instances. Functions, prototypes and getters are left alone, and so are
 * the contents of typed arrays and buffers, which JavaScript cannot freeze.
 * Throws a TypeError at a native `Map`, `Set` or `Date`, which would stay
 * changeable after `Object.freeze`.
 *
 * It stops at what it has frozen before, so that freezing after every batch
 * costs what the batch changed and not what the state holds. That is sound: the
 * first time it went on until everything below was frozen, and a frozen object
 * cannot be given anything new since. `Object.isFrozen` would not do in place
 * of remembering: others freeze the top of a thing alone, and an empty object
 * that cannot be extended counts as frozen.
 */
export const deepFreeze = <A>(state: A): A => {
  // A list and not recursion: a linked list as long as the state would overflow the stack.
  const rest: Array<unknown> = [state]
  while (rest.length > 0) {
    const value = rest.pop()
    if (typeof value !== "object" || value === null || frozen.has(value)) continue
    frozen.add(value)
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) continue
    if (value instanceof Map || value instanceof Set || value instanceof Date) {
      throw new TypeError(`A ${value.constructor.name} cannot be frozen: a state needs persistent data in its place`)
    }
    Object.freeze(value)
    if (Array.isArray(value)) {
      for (let at = 0; at < value.length; at++) rest.push(value[at])
    } else {
      for (const key of Reflect.ownKeys(value)) rest.push(Object.getOwnPropertyDescriptor(value, key)?.value)
    }
  }
  return state
}
