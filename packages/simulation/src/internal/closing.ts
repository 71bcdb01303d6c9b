/**
 * How a connection's ends are told that it is over.
 */
import * as Socket from "effect/socket/Socket"

/** In good order. */
export const closed = new Socket.SocketError({ reason: new Socket.SocketCloseError({ code: 1000 }) })
/** By a process that is gone. */
export const reset = new Socket.SocketError({
  reason: new Socket.SocketReadError({ cause: Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" }) })
})
/** It never came about. */
export const unopened = (code: string, text: string): Socket.SocketError =>
  new Socket.SocketError({ reason: new Socket.SocketOpenError({ kind: "Unknown", cause: Object.assign(new Error(text), { code }) }) })
