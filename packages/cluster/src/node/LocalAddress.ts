/**
 * Which address of this machine others see when it speaks to them.
 *
 * A datagram socket is told to connect, which sends nothing: the system looks up
 * the way there, and with it the address that it would speak from. So nobody
 * need listen there yet.
 *
 * Source: dask.distributed `utils.py`, `get_ip`.
 */
import { createSocket } from "node:dgram"
import { lookup } from "node:dns"
import * as Effect from "effect/Effect"

/** The address from which this machine would speak to that host; fails with what the system says. */
export const towards = (host: string, port: number): Effect.Effect<string, Error> =>
  Effect.callback((resume) => {
    let isOver = false
    let close = () => {}
    lookup(host, (error, address, family) => {
      if (isOver) return
      if (error !== null) return resume(Effect.fail(error))
      const socket = createSocket(family === 6 ? "udp6" : "udp4")
      close = () => socket.close()
      const settle = (how: Effect.Effect<string, Error>) => {
        if (!isOver) socket.close()
        isOver = true
        resume(how)
      }
      socket.once("error", (error) => settle(Effect.fail(error)))
      socket.connect(port, address, () => settle(Effect.succeed(socket.address().address)))
    })
    return Effect.sync(() => {
      if (!isOver) close()
      isOver = true
    })
  })
