/**
 * Which code has which number.
 *
 * Code is named by its digest everywhere, and by a small integer here. What has
 * its text with it is digested again when it arrives: a client that could put a
 * text under another's digest could have its code run in that one's name. Without
 * a text there is nothing to check and nothing that could run: a worker then
 * finds the digest among the modules it knows itself, or not at all.
 *
 * Nothing here is kept for ever: of the codes that no task calls, the 1,024 that
 * were called last stay, for the next submission may well call them again. A
 * client that calls one forgotten later need not know: its number leads to the
 * definition, which is then given a new id. Ids are not used twice.
 */
import { CODE_LIMIT, type CodeDef, digestOf, identityOf } from "@skein/protocol/Code"
import type { CodeId } from "@skein/protocol/Ids"
import { refuse } from "./Violation.ts"

/** Codes that are kept though no task calls them. */
export const UNUSED_KEPT = 1_024

/** One piece of code that has an id. */
export interface Code {
  readonly code: CodeId
  readonly def: CodeDef
}

export interface CodeTable {
  /** Checks the definition and gives it an id, or finds the one it has. Refuses what is not what its digest says. */
  readonly declare: (def: CodeDef) => Code
  /** The id of a definition that was declared before: a new one, if it has been forgotten since. */
  readonly again: (known: Code) => Code
  readonly defOf: (code: CodeId) => CodeDef | undefined
  /**
   * Drops what nobody calls and has not been called for longest, beyond those that are kept; the ids that mean nothing any more.
   * `callers`: how many tasks call a code. Looks at all codes only when enough new ones have come since it last did.
   */
  readonly trim: (callers: (code: CodeId) => number) => ReadonlyArray<CodeId>
  /** The codes that got an id, or a better definition, since this was last asked: to be journalled. */
  readonly takeDeclared: () => ReadonlyArray<Code>
  /** Gives a definition the id it had before, and drops what was dropped: replay. */
  readonly restore: (known: Code) => void
  readonly forget: (codes: ReadonlyArray<CodeId>) => void
  readonly size: () => number
}

interface Entry {
  readonly code: CodeId
  def: CodeDef
}

export const make = (sha256: (bytes: Uint8Array) => Uint8Array): CodeTable => {
  const byDigest = new Map<string, Entry>()
  /** Least recently called first. */
  const byId = new Map<CodeId, Entry>()
  let latest: Entry | undefined
  /** At how many codes it is worth looking for those to be dropped. */
  let crowded = UNUSED_KEPT
  let declared: Array<Code> = []
  let next = 0

  const add = (def: CodeDef, code: CodeId): Entry => {
    const entry: Entry = { code, def }
    byDigest.set(def.digest, entry)
    byId.set(code, entry)
    declared.push({ code, def })
    return entry
  }
  const drop = (code: CodeId): void => {
    const entry = byId.get(code)
    byId.delete(code)
    if (entry !== undefined && byDigest.get(entry.def.digest) === entry) byDigest.delete(entry.def.digest)
  }
  const enter = (def: CodeDef): Entry => {
    const known = byDigest.get(def.digest)
    // The cast makes a number that this table alone hands out an id.
    if (known === undefined) return add(def, next++ as CodeId)
    // A text says more than none, and it has been checked.
    if (known.def.text === null && def.text !== null) {
      known.def = def
      declared.push({ code: known.code, def })
    }
    return known
  }
  return {
    declare: (def) => {
      check(def, sha256)
      const { code } = enter(def)
      return { code, def }
    },
    again: (known) => {
      const entry = byId.get(known.code)
      if (entry === undefined) return { code: enter(known.def).code, def: known.def }
      if (entry !== latest) {
        latest = entry
        byId.delete(entry.code)
        byId.set(entry.code, entry)
      }
      return known
    },
    defOf: (code) => byId.get(code)?.def,
    trim: (callers) => {
      if (byId.size <= crowded) return none
      const unused = [...byId.keys()].filter((code) => callers(code) === 0)
      const gone = unused.slice(0, Math.max(0, unused.length - UNUSED_KEPT))
      gone.forEach(drop)
      crowded = byId.size + UNUSED_KEPT / 4
      return gone
    },
    takeDeclared: () => {
      // An empty list stays ours: codes will be added to it.
      if (declared.length === 0) return nothingDeclared
      const taken = declared
      declared = []
      return taken
    },
    restore: ({ code, def }) => {
      const known = byId.get(code)
      if (known === undefined) add(def, code)
      else known.def = def
      next = Math.max(next, code + 1)
      declared = []
    },
    forget: (codes) => codes.forEach(drop),
    size: () => byId.size
  }
}

const none: ReadonlyArray<CodeId> = []
const nothingDeclared: ReadonlyArray<Code> = []

const check = (def: CodeDef, sha256: (bytes: Uint8Array) => Uint8Array): void => {
  if (!/^[0-9a-f]{32}$/.test(def.digest)) refuse("a code's digest is 32 hexadecimal digits, and one is not")
  if (!Number.isSafeInteger(def.version) || def.version < 0) refuse(`${def.version} is no version of a code`)
  if (def.text === null) return
  if (def.text.length > CODE_LIMIT) refuse(`the text of a code has ${def.text.length} characters; ${CODE_LIMIT} are the limit`)
  if ((def.captures?.length ?? 0) > CODE_LIMIT) refuse(`the values that a code captures take ${def.captures?.length} bytes; ${CODE_LIMIT} are the limit`)
  if (digestOf(identityOf(def, def.text), sha256) !== def.digest) refuse("a code is not what its digest says")
}
