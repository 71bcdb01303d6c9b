/**
 * Every kind of connection there is, each with a server of its own.
 */
import * as Memory from "@skein/transport/Memory"
import * as Tcp from "@skein/transport/node/Tcp"
import * as Unix from "@skein/transport/node/Unix"
import * as Effect from "effect/Effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"

/** A directory that goes with the scope. */
export const directory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(`${tmpdir()}/skein-`)),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

export const networks = {
  memory: Effect.gen(function*() {
    const network = Memory.makeNetwork()
    return { server: yield* network.listen("scheduler"), socket: network.connect("scheduler") }
  }),
  unix: Effect.gen(function*() {
    const path = `${yield* directory}/s`
    return { server: yield* Unix.listen(path), socket: yield* Unix.connect(path) }
  }),
  tcp: Effect.gen(function*() {
    const server = yield* Tcp.listen()
    const address = Tcp.addressOf(server)
    if (address._tag !== "Tcp") return yield* Effect.die(new Error("not a TCP address"))
    return { server, socket: yield* Tcp.connect(address) }
  })
}
