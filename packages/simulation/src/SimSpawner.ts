/**
 * Child processes under simulation: what a nanny needs of the operating system.
 *
 * A child runs the product's own program, found by the entry that the nanny
 * names, in a simulated process. It ends as a real one does: with code 0 when
 * its program is done or was asked to end, 1 when that failed, what it says
 * itself, or a signal. Its lines reach the nanny in order, and before its end.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Hashing } from "@skein/transport/Hashing"
import { type ChildProcess, type ProcessExit, ProcessSpawner, SpawnFailed } from "@skein/runtime/nanny/ChildProcess"
import { format, type Notices } from "@skein/runtime/nanny/Notices"
import { ChildInput } from "@skein/runtime/node/NodeChild"
import { makeCrossing, makeOrdered } from "./internal/crossing.ts"
import type { SimProcess } from "./SimProcess.ts"
import type { World } from "./World.ts"

/** What a child runs in its process. */
export type Program = (input: ChildInput, process: SimProcess, notices: Notices["Service"]) => Effect.Effect<unknown, unknown, Hashing>

export interface Options {
  readonly world: World
  /** The process that the nannies are in. */
  readonly owner: SimProcess
  /** The program of an entry. */
  readonly program: (entry: string) => Program | undefined
}

export interface SimSpawner {
  readonly service: ProcessSpawner["Service"]
  /** The latest process of this name. */
  readonly process: (name: string) => SimProcess | undefined
  /** The next starts of this name fail. */
  readonly failing: Map<string, number>
  /** Lets the nanny that waits for this name's end die of a defect. False: none does. */
  readonly breakNanny: (name: string) => boolean
}

/** Milliseconds until a process has been started, and until the nanny hears that it was not. */
const START_MS = [20, 150] as const

const decodeInput = Schema.decodeUnknownSync(Schema.fromJsonString(ChildInput))

export const make = ({ owner, program, world }: Options): SimSpawner => {
  const failing = new Map<string, number>()
  const children = new Map<string, Child>()
  const stream = world.stream("spawn")

  const spawn: ProcessSpawner["Service"]["spawn"] = (spec, onLine) =>
    Effect.acquireRelease(
      Effect.gen(function*() {
        const input = decodeInput(spec.input)
        const found = program(spec.entry)
        const refused = (detail: string) => Effect.fail(new SpawnFailed({ entry: spec.entry, detail }))
        yield* Effect.sleep(stream.between(...START_MS))
        const times = failing.get(input.name) ?? 0
        if (times > 0) {
          failing.set(input.name, times - 1)
          return yield* refused("spawn EAGAIN")
        }
        if (found === undefined) return yield* refused("no such module")
        const child = begin(world, owner, input, found, onLine)
        children.set(input.name, child)
        return child.handle
      }),
      (child) => Effect.andThen(child.signal("SIGKILL"), Effect.asVoid(child.exit))
    )
  return {
    service: ProcessSpawner.of({ spawn, ownPid: Effect.succeed(owner.pid) }),
    process: (name) => children.get(name)?.process,
    failing,
    breakNanny: (name) => children.get(name)?.breakNanny() ?? false
  }
}

interface Child {
  readonly process: SimProcess
  readonly handle: ChildProcess
  readonly breakNanny: () => boolean
}

const begin = (world: World, owner: SimProcess, input: ChildInput, program: Program, onLine: Parameters<ProcessSpawner["Service"]["spawn"]>[1]): Child => {
  const process = world.begin(input.name)
  const toNanny = makeOrdered(world.enqueue, owner)
  const ended = makeCrossing<ProcessExit>(world.enqueue)
  const broken = makeCrossing<void>(world.enqueue)
  process.onLine = (line) => toNanny(() => onLine("stderr", line))
  process.onEnd((ending) => toNanny(() => ended.settle(ending)))
  const notices: Notices["Service"] = {
    write: (notice) => Effect.sync(() => toNanny(() => onLine("notices", format(notice).trimEnd())))
  }
  const main = process.run(Effect.onExit(program(input, process, notices), (exit) =>
    Effect.sync(() => process.end({ code: Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause) ? 0 : 1, signal: null }))))
  let awaited = 0
  return {
    process,
    handle: {
      pid: process.pid,
      signal: (signal) => Effect.sync(() => signal === "SIGKILL" ? process.crash() : main.interrupt()),
      exit: Effect.raceFirst(
        ended.settled,
        Effect.andThen(broken.settled, Effect.suspend(() => process.status === "ended" ? Effect.never : Effect.die(new Error("a fault ends this nanny"))))
      ).pipe(
        Effect.onExit(() => Effect.sync(() => void awaited--)),
        (exit) => Effect.suspend(() => {
          awaited++
          return exit
        })
      ),
      memory: Effect.sync(() =>
        process.status === "ended" ? Option.none() : Option.some({ bytes: process.memoryBytes, peakBytes: process.memoryBytes }))
    },
    breakNanny: () => {
      if (process.status === "ended" || awaited === 0 || broken.poll() !== undefined) return false
      broken.settle(undefined)
      return true
    }
  }
}
