/**
 * What a client needs of the machine it runs on; `node/Platform.ts` has Node's.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Socket from "effect/socket/Socket"
import type { Room } from "@skein/transport/Bulk"

/** Where progress is shown. */
export interface Terminal {
  /** Whether a line can be written over; otherwise lines follow each other. */
  readonly isTerminal: boolean
  /** Characters in a line. */
  readonly columns: () => number
  /** Writes text as it is. */
  readonly write: (text: string) => Effect.Effect<void>
}

/** Where a function stands in the program's source. */
export interface FunctionSource {
  /** The file, as the user would call it. */
  readonly file: string
  /** Of the function's first character, from 1. */
  readonly line: number
  readonly column: number
  /** Of the file. */
  readonly lines: ReadonlyArray<string>
  /** The lines are what a compiler made of the file, for that has moved what it wrote. */
  readonly isCompiled: boolean
}

export class Platform extends Context.Service<Platform, {
  /** A socket that makes a new connection to this address each time its reader is acquired. */
  readonly connect: (address: string) => Effect.Effect<Socket.Socket, { readonly message: string }>
  /** The same for `BulkClient` alone, which says where what comes is to be read to. @default `connect` */
  readonly connectBulk?: (address: string, room: Room) => Effect.Effect<Socket.Socket, { readonly message: string }>
  /** The name in the package.json of this folder, by URL; "" if it has none, undefined if there is no such file. */
  readonly packageAt: (folder: string) => string | undefined
  /** What a file holds; none if there is no such file. */
  readonly readText: (path: string) => Effect.Effect<Option.Option<string>, { readonly message: string }>
  readonly terminal: Terminal
  /** Has the client's own fibers scheduled in a way that suits its messages. @default as those of the program */
  readonly scheduled?: <A, E, R>(fibers: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /**
   * The exports of a module of this program, by URL. One that is still being evaluated may never complete, for it may wait for us.
   * @default modules cannot be looked at
   */
  readonly exportsOf?: (url: string) => Effect.Effect<Readonly<Record<string, unknown>>, unknown>
  /** Where a function stands, if anybody knows. Costs milliseconds. @default nobody knows */
  readonly sourceOf?: (f: Function) => FunctionSource | undefined
}>()("@skein/client/Platform") {}
