/**
 * The network as the product's services see it, from one simulated process.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Socket from "effect/socket/Socket"
import * as Address from "@skein/transport/Address"
import { Sockets, SocketsFailed } from "@skein/runtime/worker/Sockets"
import type { SimNet } from "./SimNet.ts"
import type { SimProcess } from "./SimProcess.ts"

/** The first port that is given out where any free one is wanted. */
const FIRST_PORT = 40_000

/** Makes the sockets of processes on one network. */
export const make = (net: SimNet) => {
  let nextPort = FIRST_PORT
  const parsed = (address: string): Effect.Effect<Address.Address, SocketsFailed> => {
    const found = Address.parse(address)
    return Result.isSuccess(found) ? Effect.succeed(found.success) : Effect.fail(new SocketsFailed({ address, detail: found.failure.message }))
  }
  return (process: SimProcess): Sockets["Service"] => ({
    connect: (address) => Effect.map(parsed(address), (found) => net.socket(process.name, Address.print(found))),
    connectBulk: (address) => Effect.map(parsed(address), (found) => scribbling(net.socket(process.name, Address.print(found)))),
    listen: (address) =>
      Effect.gen(function*() {
        const found = yield* parsed(address)
        const own = Address.print(found._tag === "Tcp" && found.port === 0 ? Address.tcp(found.host, nextPort++) : found)
        const server = yield* Effect.mapError(net.listen(own, process.name), (error) => new SocketsFailed({ address, detail: String(error.reason.cause) }))
        return { server, address: own }
      })
  })
}

/** A socket for bulk data reads into one buffer again and again: what a pull brought is gone at the next, and here it looks it. */
const scribbling = (socket: Socket.Socket): Socket.Socket =>
  Socket.make({
    reader: Effect.map(socket.reader, (reader) => {
      let last: ReadonlyArray<Uint8Array | string> = []
      const pull = Effect.suspend(() => {
        for (const chunk of last) if (typeof chunk !== "string") chunk.fill(0xdd)
        return Effect.tap(reader.pull, (chunks) => Effect.sync(() => void (last = chunks)))
      })
      return { ...reader, pull }
    }),
    writer: socket.writer
  })
