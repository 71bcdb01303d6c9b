/**
 * What makes each kind of fault happen, and stops it.
 *
 * A fault reaches the cluster from outside, as it would a real one: by the end
 * of a process, the network, the disk, the clocks. None is told to the product.
 */
import type { Fault, FaultKind, Part } from "./Fault.ts"
import type { SimDisk } from "./SimDisk.ts"
import type { Harm, SimNet } from "./SimNet.ts"
import type { SimProcess } from "./SimProcess.ts"
import type { SimSpawner } from "./SimSpawner.ts"
import type { World } from "./World.ts"

export interface Options {
  readonly world: World
  readonly net: SimNet
  /** The one disk that anything is written to; undefined: nothing is. */
  readonly disk: SimDisk | undefined
  readonly spawner: SimSpawner
  /** The latest process of a part. */
  readonly process: (part: Part) => SimProcess | undefined
}

export interface Faults {
  /** Injects a fault now. False: its target is gone, so nothing happened. */
  readonly inject: (fault: Fault) => boolean
  /** Ends all that stand, and forgets what has not come about yet. */
  readonly heal: () => void
  readonly injected: ReadonlyMap<FaultKind, number>
}

/** What a process has when the kernel ends it for want of memory. */
const TOO_MUCH = 16 * 2 ** 30

export const make = ({ disk, net, process, spawner, world }: Options): Faults => {
  const injected = new Map<FaultKind, number>()
  const standing = new Set<() => void>()
  /** How many partitions lie on each direction. */
  const holes = new Map<string, number>()

  /** Ends by itself after a time, or when all is healed. */
  const stands = (forMs: number, undo: () => void) => {
    const end = () => {
      if (!standing.delete(end)) return
      undo()
      net.changed()
    }
    standing.add(end)
    world.at(world.now + forMs, end)
  }
  const alive = (part: Part): SimProcess | undefined => {
    const found = process(part)
    return found === undefined || found.status === "ended" ? undefined : found
  }
  const nameOf = (part: Part): string => process(part)?.name ?? part
  const crash = (part: Part): boolean => {
    const found = alive(part)
    found?.crash()
    return found !== undefined
  }
  const block = (directions: ReadonlyArray<string>, by: 1 | -1) => {
    for (const direction of directions) {
      const count = (holes.get(direction) ?? 0) + by
      holes.set(direction, count)
      if (count > 0) net.blocked.add(direction)
      else net.blocked.delete(direction)
    }
  }
  const harm = (a: Part, b: Part, afterBytes: number, what: Harm["what"]): boolean => {
    if (alive(a) === undefined || alive(b) === undefined) return false
    const link = `${nameOf(a)}->${nameOf(b)}`
    net.harms.add({ link, at: (net.written.get(link) ?? 0) + afterBytes, what })
    return true
  }
  const happens = (fault: Fault): boolean => {
    switch (fault._tag) {
      case "WorkerCrash":
        return crash(fault.worker)
      case "NannyCrash":
        return alive("owner") !== undefined && spawner.breakNanny(fault.worker)
      case "ClientCrash":
        return crash(fault.client)
      case "SchedulerCrash":
        return crash("scheduler")
      case "Pause":
        alive(fault.part)?.pause(fault.forMs)
        return alive(fault.part) !== undefined
      case "Partition": {
        const pairs = fault.a.flatMap((a) => fault.b.map((b) => [nameOf(a), nameOf(b)] as const)).filter(([a, b]) => a !== b)
        const directions = pairs.flatMap(([a, b]) => fault.oneWay ? [`${a}->${b}`] : [`${a}->${b}`, `${b}->${a}`])
        block(directions, 1)
        stands(fault.forMs, () => block(directions, -1))
        return directions.length > 0
      }
      case "Latency":
        net.extraLatency += fault.addMs
        stands(fault.forMs, () => void (net.extraLatency = Math.max(0, net.extraLatency - fault.addMs)))
        return true
      case "ConnectionLoss":
        return harm(fault.a, fault.b, fault.afterBytes, "cut")
      case "Duplicate":
        return harm(fault.a, fault.b, fault.afterBytes, "drop")
      case "SlowReader": {
        if (alive(fault.part) === undefined) return false
        const name = nameOf(fault.part)
        net.slow.set(name, fault.rate)
        stands(fault.forMs, () => void net.slow.delete(name))
        return true
      }
      case "ClockJump":
        alive(fault.part)?.jump(fault.byMs)
        return alive(fault.part) !== undefined
      case "ClockSkew": {
        const found = alive(fault.part)
        found?.skew(fault.rate)
        if (found !== undefined) standing.add(() => found.skew(1))
        return found !== undefined
      }
      case "SpawnFailure":
        spawner.failing.set(fault.worker, (spawner.failing.get(fault.worker) ?? 0) + fault.times)
        return fault.times > 0
      case "MemoryPressure": {
        const found = alive(fault.worker)
        if (found === undefined) return false
        found.memoryBytes = Math.max(found.memoryBytes, TOO_MUCH)
        found.crash()
        return true
      }
      case "Disk": {
        if (disk === undefined || fault.part !== "scheduler" || alive(fault.part) === undefined) return false
        disk.how = fault.how
        stands(fault.forMs, () => void (disk.how = "well"))
        return true
      }
    }
  }
  return {
    inject: (fault) => {
      const happened = happens(fault)
      world.note("faults", `${happened ? "" : "in vain: "}${JSON.stringify(fault)}`)
      if (happened) injected.set(fault._tag, (injected.get(fault._tag) ?? 0) + 1)
      return happened
    },
    heal: () => {
      world.note("faults", "all is healed")
      for (const end of [...standing]) end()
      standing.clear()
      for (const each of world.processes) each.resume()
      net.harms.clear()
      spawner.failing.clear()
      net.changed()
    },
    injected
  }
}
