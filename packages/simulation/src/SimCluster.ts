/**
 * A whole cluster in a simulated run.
 *
 *   owner       the product's own `Processes.start`: nannies and their line
 *   scheduler   a process under a nanny, with the product's program
 *   worker-N    the same
 *   client-N    a process each, with the product's client
 *
 * Nothing of the product is changed or left out: what it takes from its
 * surroundings are services, and here they are simulated ones. Faults are
 * injected from outside, see Faults.ts.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { Client, type ClientService, make as makeClient } from "@skein/client/Client"
import type { ClientOptions } from "@skein/client/ClientOptions"
import { type Collected, Collecting } from "@skein/client/Collecting"
import { Platform } from "@skein/client/Platform"
import * as TaskClient from "@skein/client/TaskClient"
import { Cluster, type Manager, MoreClients } from "@skein/client/Cluster"
import { Directory } from "@skein/cluster/Directory"
import * as Entries from "@skein/cluster/node/Entries"
import { type Plan, plan } from "@skein/cluster/Options"
import * as Processes from "@skein/cluster/Processes"
import type { ClusterError, ConnectError } from "@skein/protocol/Errors"
import { ProcessSpawner } from "@skein/runtime/nanny/ChildProcess"
import { Notices } from "@skein/runtime/nanny/Notices"
import { Journal } from "@skein/runtime/scheduler/Journal"
import * as SchedulerProgram from "@skein/runtime/scheduler/Program"
import type * as SchedulerTree from "@skein/runtime/scheduler/Tree"
import type { Around } from "@skein/runtime/worker/Code"
import { Host } from "@skein/runtime/worker/Host"
import { ModuleFailed, Modules } from "@skein/runtime/worker/Modules"
import * as WorkerProgram from "@skein/runtime/worker/Program"
import { Sockets } from "@skein/runtime/worker/Sockets"
import { TaskClients } from "@skein/runtime/worker/TaskClients"
import { ThreadSpawner } from "@skein/runtime/worker/Threads"
import type * as WorkerTree from "@skein/runtime/worker/Tree"
import { Hashing } from "@skein/transport/Hashing"
import type { Case } from "./Case.ts"
import type { ProcessGone } from "./Errors.ts"
import type { Fault, FaultKind, Part } from "./Fault.ts"
import * as Faults from "./Faults.ts"
import { makeCrossing } from "./internal/crossing.ts"
import { moduleIdOf, packageAt } from "./node/packages.ts"
import { SimDisk } from "./SimDisk.ts"
import { SimNet } from "./SimNet.ts"
import type { Running, SimProcess } from "./SimProcess.ts"
import * as SimSockets from "./SimSockets.ts"
import * as SimSpawner from "./SimSpawner.ts"
import * as SimThreads from "./SimThreads.ts"
import * as World from "./World.ts"

export interface SimClusterOptions {
  readonly workers: number
  /** Fibers, and threads, of each worker. */
  readonly slots: number
  /** Threads of each worker, where they are not as many as fibers. @default slots */
  readonly threads?: number
  /** What each worker offers. @default nothing */
  readonly resources?: Readonly<Record<string, number>>
  /** Processes with a client each. @default 1 */
  readonly clients?: number
  /** Their options, apart from address and token. */
  readonly client?: Omit<ClientOptions, "address" | "token" | "schedulerFile" | "tls">
  readonly network?: Case["network"]
  /** Modules that workers import, by URL, with their exports. @default none */
  readonly modules?: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  /** Contracts that each worker builds. @default none */
  readonly layer?: Layer.Layer<never, unknown>
  /** What is run in the place of bodies, in workers' processes and in their threads. @default they themselves */
  readonly around?: (process: SimProcess) => { readonly inProcess: Around; readonly inThread: Around }
  /** Virtual milliseconds of a plain body that does not say how long it takes, least and greatest. @default 0.1 to 5 */
  readonly bodyMs?: readonly [number, number]
  /** Whether the scheduler writes a journal, on a disk that can be slow, full or failing. @default false */
  readonly journal?: boolean
}

/** A client in a process of its own. */
export interface SimClient {
  readonly name: string
  readonly process: SimProcess
  /** Runs an effect in the client's process, at once. Once the client cannot be had, that is the outcome. */
  readonly run: <A, E>(effect: Effect.Effect<A, E, Client | Cluster | MoreClients | Hashing | Scope.Scope>) => Running<A, E | ConnectError | ProcessGone>
  /** Lets the garbage collector find something of this client's, a future, say: to the program it is gone. */
  readonly collect: (target: object) => void
  /** Ends its session in good order, and the process. */
  readonly leave: Effect.Effect<void>
}

export interface SimCluster {
  readonly world: World.World
  readonly net: SimNet
  readonly disk: SimDisk
  /** Where the scheduler listens. */
  readonly address: string
  /** By number. A client that was started again is another. */
  readonly clients: ReadonlyArray<SimClient>
  /** Starts one in the place of one that has ended, in a new process of the same name. */
  readonly restartClient: (index: number) => SimClient
  /** The latest process of this part; a nanny's is the owner's. */
  readonly process: (part: Part) => SimProcess | undefined
  /** The product's own, while its process runs. */
  readonly scheduler: () => SchedulerTree.Tree | undefined
  /** The product's own, by name, while their processes run. */
  readonly workers: () => ReadonlyMap<string, WorkerTree.Tree>
  readonly scale: (workers: number) => Effect.Effect<Exit.Exit<void, unknown>>
  readonly logs: Effect.Effect<ReadonlyMap<string, ReadonlyArray<string>>>
  /** Ends workers, scheduler and owner in good order; clients that have not left leave first. */
  readonly shutdown: Effect.Effect<void>
  /** Injects a fault now, whatever its time. False: its target is gone, so nothing happened. */
  readonly inject: (fault: Fault) => boolean
  /** Ends all faults that stand. */
  readonly heal: () => void
  /** How many faults have been injected, by kind. */
  readonly injected: ReadonlyMap<FaultKind, number>
  /** Calls back when a process of the cluster has ended, however it did. */
  readonly onCrash: (f: (process: SimProcess) => void) => void
  /** What is still there of the cluster's processes, in words; after `shutdown` that is nothing. */
  readonly leftovers: () => ReadonlyArray<string>
}

/** Where its sockets would be. */
const DIRECTORY = "/simulated"
/** Bytes that a connection takes before its writer waits, as a unix socket of Linux does. */
const WINDOW = 208 * 1024

/** Starts a cluster, and clients. Returns when all workers are up; clients may still be connecting. */
export const make = Effect.fnUntraced(function*(options: SimClusterOptions): Effect.fn.Return<SimCluster, ClusterError | ProcessGone> {
  const world = World.current()
  const net = new SimNet()
  const [least, most] = options.network?.latency ?? [0.1, 2]
  net.latency = [least, most]
  net.fragment = options.network?.fragment ?? 0
  net.tail = 500
  net.window = WINDOW
  net.retransmit = 0.5
  world.onEnded((process) => net.ended(process))
  const disk = new SimDisk(world.stream("disk/scheduler"))
  const trees = { scheduler: new Map<SimProcess, SchedulerTree.Tree>(), workers: new Map<SimProcess, WorkerTree.Tree>() }
  world.onEnded((process) => {
    trees.scheduler.delete(process)
    trees.workers.delete(process)
  })
  const surroundings = makeSurroundings(world, net, disk, options, trees)
  const owner = world.begin("owner")
  const spawner = SimSpawner.make({ world, owner, program: surroundings.program })
  const started = yield* startOwner(world, owner, yield* planOf(options), surroundings.sockets(owner), spawner)

  const clients: Array<SimClient> = []
  const startClient = (index: number): SimClient =>
    clients[index] = makeSimClient(world, `client-${index}`, { ...options.client, address: started.address, token: started.token }, surroundings.sockets, started.manager)
  for (let index = 0; index < (options.clients ?? 1); index++) startClient(index)

  const process = (part: Part): SimProcess | undefined => {
    const [, role, index] = /^(client|nanny)-(\d+)$/.exec(part) ?? []
    if (role === "client") return clients[Number(index)]?.process
    return part === "owner" || role === "nanny" ? owner : spawner.process(part)
  }
  const faults = Faults.make({ world, net, disk: options.journal === true ? disk : undefined, spawner, process })
  const watched: Array<(process: SimProcess) => void> = []
  world.onEnded((process) => watched.forEach((f) => f(process)))
  return {
    world,
    net,
    disk,
    address: started.address,
    clients,
    restartClient: startClient,
    process,
    scheduler: () => trees.scheduler.values().next().value,
    workers: () => new Map(Array.from(trees.workers, ([process, tree]) => [process.name, tree])),
    scale: (workers) => started.inOwner(started.parts.scale(workers)),
    logs: Effect.map(started.inOwner(started.parts.logs), (exit) => Exit.isSuccess(exit) ? exit.value : new Map()),
    shutdown: Effect.gen(function*() {
      yield* Effect.forEach(clients, ({ leave }) => leave, { concurrency: "unbounded", discard: true })
      yield* started.inOwner(started.parts.shutdown)
      yield* started.stop
    }),
    inject: faults.inject,
    heal: faults.heal,
    injected: faults.injected,
    onCrash: (f) => void watched.push(f),
    leftovers: () => world.processes.filter(({ name }) => name !== World.DRIVER).flatMap((process) => leftoversOf(world, net, process))
  }
})

/** As the product reads its options, but for what only a cluster inside one process may be told. */
const planOf = ({ modules, resources = {}, slots, threads, workers }: SimClusterOptions): Effect.Effect<Plan, ClusterError> =>
  Effect.map(
    Effect.fromResult(plan(
      { workers, threadsPerWorker: threads ?? slots, fibersPerWorker: slots, tasks: Object.keys(modules ?? {}), memoryLimit: null, resources },
      // Simulated processes take as much memory as they are told to, and nobody watches.
      { cores: 1, memoryBytes: Infinity, interfaces: {}, folder: "file:///simulated/" }
    )),
    (planned) => ({ ...planned, layer: undefined })
  )

/** What processes of the cluster find around them. */
const makeSurroundings = (
  world: World.World,
  net: SimNet,
  disk: SimDisk,
  options: SimClusterOptions,
  trees: { readonly scheduler: Map<SimProcess, SchedulerTree.Tree>; readonly workers: Map<SimProcess, WorkerTree.Tree> }
) => {
  const sockets = SimSockets.make(net)
  const modules = Modules.of({
    load: (url) => {
      const exports = options.modules?.[url]
      return exports === undefined ? Effect.fail(new ModuleFailed({ url, cause: new Error("the simulation was not given this module") })) : Effect.succeed(exports)
    },
    idOf: moduleIdOf,
    // Every machine of a simulation has the same files.
    locate: ({ url }) => options.modules?.[url] === undefined ? undefined : url
  })
  const journal = options.journal === true ? Layer.succeed(Journal, disk.journal) : Journal.layerNoop
  const scheduler: SimSpawner.Program = ({ config }, process, notices) =>
    SchedulerProgram.program(config, (tree) => void trees.scheduler.set(process, tree)).pipe(
      Effect.provideService(Sockets, sockets(process)),
      Effect.provideService(Notices, notices),
      Effect.provide(journal)
    )
  const worker: SimSpawner.Program = (input, process, notices) =>
    Effect.gen(function*() {
      const own = yield* Effect.context<Hashing>()
      const clients = yield* onPlatform(TaskClient.maker, process, sockets(process), makeCollector())
      const services = Context.make(Sockets, sockets(process)).pipe(
        Context.add(Notices, notices),
        Context.add(Hashing, Context.get(own, Hashing)),
        Context.add(Modules, modules),
        Context.add(TaskClients, clients),
        Context.add(Host, { pid: process.pid, memoryBytes: Effect.sync(() => process.memoryBytes), cpuMs: undefined }),
        Context.add(ThreadSpawner, SimThreads.spawner(world, process, { bodyMs: options.bodyMs ?? [0.1, 5], around: options.around?.(process).inThread }))
      )
      return yield* WorkerProgram.program(input, () => Layer.succeedContext(services), {
        ...(options.layer === undefined ? {} : { tasks: options.layer }),
        around: options.around?.(process).inProcess,
        onStarted: (tree) => void trees.workers.set(process, tree)
      })
    })
  return {
    sockets,
    program: (entry: string): SimSpawner.Program | undefined => entry === Entries.scheduler ? scheduler : entry === Entries.worker ? worker : undefined
  }
}

/** The owner's process: the product's cluster, in a scope that `stop` closes. */
const startOwner = Effect.fnUntraced(function*(world: World.World, owner: SimProcess, plan: Plan, sockets: Sockets["Service"], spawner: SimSpawner.SimSpawner) {
  const ready = makeCrossing<Exit.Exit<Effect.Success<ReturnType<typeof Processes.start>>, ClusterError | ProcessGone>>(world.enqueue)
  const program = owner.run(
    Effect.scoped(Effect.flatMap(Processes.start(plan), (parts) => {
      ready.settle(Exit.succeed(parts))
      return Effect.never
    })).pipe(
      Effect.provideService(Sockets, sockets),
      Effect.provideService(ProcessSpawner, spawner.service),
      Effect.provideService(Directory, { make: Effect.succeed(DIRECTORY), ensure: () => Effect.void, keepFile: () => Effect.void }),
      Effect.onExit((exit) => Effect.sync(() => Exit.isFailure(exit) ? ready.settle(exit) : undefined))
    )
  )
  const parts = yield* Effect.flatten(ready.settled)
  const inOwner = <A, E>(effect: Effect.Effect<A, E>) => Effect.suspend(() => owner.run(effect).exit)
  /** As clients have it; to be run in any process. */
  const manager: Manager = {
    scale: (workers) => Effect.flatMap(inOwner(parts.scale(workers)), (exit) => Effect.catchTag(exit, "ProcessGone", Effect.die)),
    logs: Effect.flatMap(inOwner(parts.logs), (exit) => Effect.catchTag(exit, "ProcessGone", Effect.die)),
    revive: Effect.flatMap(inOwner(parts.revive), (exit) => Effect.catchTag(exit, "ProcessGone", Effect.die)),
    shutdown: Effect.asVoid(inOwner(parts.shutdown))
  }
  return {
    parts,
    address: parts.address,
    token: parts.token,
    manager,
    inOwner,
    stop: Effect.suspend(() => {
      program.interrupt()
      return Effect.andThen(program.exit, Effect.sync(() => owner.end({ code: 0, signal: null })))
    })
  }
})

/** What clients find in a process. Of collected futures they never hear. */
const onPlatform = <A, E, R>(effect: Effect.Effect<A, E, R>, process: SimProcess, sockets: Sockets["Service"], collecting: Collecting) =>
  effect.pipe(
    Effect.provideService(Platform, Platform.of({
      connect: sockets.connect,
      packageAt,
      // Simulated processes have no files.
      readText: () => Effect.succeed(Option.none()),
      terminal: { isTerminal: false, columns: () => 80, write: (text) => Effect.sync(() => process.onLine(text)) }
    })),
    Effect.provideService(Collecting, collecting)
  )

const makeSimClient = (
  world: World.World,
  name: string,
  options: ClientOptions,
  sockets: (process: SimProcess) => Sockets["Service"],
  manager: Manager
): SimClient => {
  const process = world.begin(name)
  const collector = makeCollector()
  const ready = makeCrossing<Exit.Exit<ClientService, ConnectError>>(world.enqueue)
  const connecting = onPlatform(makeClient(options, Effect.never, manager), process, sockets(process), collector)
  const session = process.run(Effect.scoped(Effect.flatMap(Effect.exit(connecting), (exit) => {
    ready.settle(exit)
    return Exit.isSuccess(exit) ? Effect.never : Effect.void
  })))
  return {
    name,
    process,
    run: (effect) =>
      process.run(Effect.gen(function*() {
        const client = yield* Effect.flatten(ready.settled)
        const more = Effect.provideService(connecting, Hashing, yield* Hashing)
        return yield* Effect.scoped(effect).pipe(
          Effect.provideService(Client, client),
          Effect.provideService(Cluster, client.cluster),
          Effect.provideService(MoreClients, more)
        )
      })),
    collect: (target) => world.enqueue(process, () => collector.collect(target)),
    leave: Effect.suspend(() => {
      session.interrupt()
      return Effect.andThen(session.exit, Effect.sync(() => process.end({ code: 0, signal: null })))
    })
  }
}

/**
 * A garbage collector that finds what it is told to: when a real one runs follows from no seed.
 *
 * What is to be called does not point to its object, as `Collecting` asks for, so real collections go on as ever.
 */
const makeCollector = (): Collecting & { readonly collect: (target: object) => void } => {
  const watched = new WeakMap<object, Array<Collected>>()
  return {
    watch: (target, collected) => {
      const known = watched.get(target)
      if (known === undefined) watched.set(target, [collected])
      else known.push(collected)
    },
    collect: (target) => {
      const told = watched.get(target) ?? []
      watched.delete(target)
      for (const collected of told) collected.onCollected()
    }
  }
}

const leftoversOf = (world: World.World, net: SimNet, process: SimProcess): ReadonlyArray<string> => {
  if (process.status === "ended") return []
  const fibers = process.liveFibers().length
  const timers = world.timersOf(process)
  return [
    `${process.name} (process ${process.pid}) runs`,
    ...(fibers === 0 ? [] : [`${process.name}: ${fibers} fibers`]),
    ...(timers === 0 ? [] : [`${process.name}: ${timers} timers`]),
    ...(process.threads.size === 0 ? [] : [`${process.name}: ${process.threads.size} threads`]),
    ...net.openEnds(process).map((end) => `${process.name}: ${end}`)
  ]
}
