/**
 * What both ends of a session start from.
 */
import type { Greeting, Hello, Welcome } from "../Handshake.ts"
import type { SessionOptions } from "../Session.ts"

/** The options with every default filled in. */
export const withDefaults = (options: SessionOptions) => ({
  window: options.window ?? 1024 * 1024,
  frameLimit: options.frameLimit ?? 16 * 1024 * 1024,
  beatMs: options.beatMs ?? 1000,
  handshakeMs: options.handshakeMs ?? 5000,
  closeMs: options.closeMs ?? 1000
})

/** What the other side said of itself, without its token. */
export const peerOf = ({ epoch, name, role }: Hello | Welcome): Greeting => ({ role, name, epoch })
