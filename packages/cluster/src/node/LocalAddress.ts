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
import * as Result from "effect/Result"
import { ConnectError } from "@skein/protocol/Errors"
import * as Address from "@skein/transport/Address"

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
      // Where there is no way, Node says so here and not by an event, and the socket's address is that of nobody: 0.0.0.0.
      socket.connect(port, address, (error?: Error) => settle(error instanceof Error ? Effect.fail(error) : Effect.succeed(socket.address().address)))
    })
    return Effect.sync(() => {
      if (!isOver) close()
      isOver = true
    })
  })

/** The address at which the scheduler sees this machine; it is dialled at `address`. */
export const seenBy = ({ host, port }: { readonly host: string; readonly port: number }, address: string): Effect.Effect<string, ConnectError> =>
  Effect.mapError(towards(host, port), ({ message }) => ConnectError.because("Dns", address, message))

/** As others dial what listens here: who listens at all addresses is found at the one that leads out of this machine, if any does. */
export const dialled = (address: string): Effect.Effect<string> =>
  Effect.suspend(() => {
    const parsed = Result.getOrThrow(Address.parse(address))
    const outside = parsed._tag === "Tcp" ? everywhere[parsed.host] : undefined
    if (parsed._tag !== "Tcp" || outside === undefined) return Effect.succeed(address)
    const own = Effect.orElseSucceed(towards(outside.host, 80), () => outside.loopback)
    return Effect.map(own, (host) => Address.print(Address.tcp(host, parsed.port)))
  })

/** What stands for all addresses of a machine, and a host outside of each, to which nothing is sent. Dask asks for the way to the same. */
const everywhere: Readonly<Record<string, { readonly host: string; readonly loopback: string }>> = {
  "0.0.0.0": { host: "8.8.8.8", loopback: "127.0.0.1" },
  "::": { host: "2001:4860:4860::8888", loopback: "::1" }
}
