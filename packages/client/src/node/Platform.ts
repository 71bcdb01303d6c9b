/**
 * `Platform` on Node. The one file of this package that knows sockets and files.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Memory from "@skein/transport/Memory"
import * as BulkSocket from "@skein/transport/node/BulkSocket"
import { connectTo } from "@skein/transport/node/Connect"
import * as NodeHashing from "@skein/transport/node/Hashing"
import { inTurns } from "@skein/transport/node/Turns"
import type { Hashing } from "@skein/transport/Hashing"
import { readFileSync } from "node:fs"
import { Platform, type Terminal } from "../Platform.ts"
import { functionSource } from "./functionSource.ts"

/** This process's standard error: results of a program go to its standard output, and may go on to another. */
const terminal: Terminal = {
  isTerminal: process.stderr.isTTY === true,
  columns: () => process.stderr.columns ?? 80,
  write: (text) => Effect.sync(() => {
    process.stderr.write(text)
  })
}

const packageAt = (folder: string): string | undefined => {
  try {
    const { name } = JSON.parse(readFileSync(new URL("package.json", folder), "utf8")) as { readonly name?: unknown }
    return typeof name === "string" ? name : ""
  } catch (thrown) {
    // One that cannot be read as JSON still marks the package's folder.
    return thrown instanceof SyntaxError ? "" : undefined
  }
}

const readText = (path: string) =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(Option.some(readFileSync(path, "utf8")))
    } catch (thrown) {
      if (!(thrown instanceof Error)) throw thrown
      return "code" in thrown && thrown.code === "ENOENT" ? Effect.succeed(Option.none<string>()) : Effect.fail({ message: thrown.message })
    }
  })

/** Loaded already, as a rule: then this costs nothing. */
const exportsOf = (url: string) =>
  Effect.callback<Readonly<Record<string, unknown>>, unknown>((resume) => {
    ;(import(url) as Promise<Readonly<Record<string, unknown>>>).then(
      (exports) => resume(Effect.succeed(exports)),
      (thrown: unknown) => resume(Effect.fail(thrown))
    )
  })

/** Node's; `inproc://` addresses are those of the `Network` in scope, if there is one: so it is built anew at each use. */
export const layer: Layer.Layer<Platform | Hashing> = Layer.fresh(Layer.merge(
  Layer.effect(
    Platform,
    Effect.map(Effect.serviceOption(Memory.Network), (found) => {
      const network = Option.getOrElse(found, Memory.makeNetwork)
      return Platform.of({
        connect: (address) => Effect.provideService(connectTo(address), Memory.Network, network),
        connectBulk: (address, room) => Effect.provideService(BulkSocket.connectTo(address, room), Memory.Network, network),
        packageAt,
        sourceOf: functionSource,
        readText,
        exportsOf,
        terminal,
        scheduled: inTurns
      })
    })
  ),
  NodeHashing.layer
))
