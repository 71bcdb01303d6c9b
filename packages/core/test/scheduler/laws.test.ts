/**
 * Truths of histories, tried on walks.
 *
 * Every state is frozen deeply before the next event. All invariants, which cost
 * more than the event itself, are checked half way and at the end of every walk,
 * and after each event of every 50th.
 */
import { assert, describe, it } from "@effect/vitest"
import type { Command } from "@skein/core/scheduler/Command"
import type { Event } from "@skein/core/scheduler/Event"
import { broken } from "@skein/core/scheduler/Invariants"
import { reduce, type Step } from "@skein/core/scheduler/Reducer"
import { empty, type State } from "@skein/core/scheduler/State"
import * as IntSet from "@skein/core/persistent/IntSet"
import * as Vector from "@skein/core/persistent/Vector"
import { deepFreeze } from "../utils/deepFreeze.ts"
import { config, differs, forAllWalks, World } from "../utils/WalkScheduler.ts"

const length = 200

describe("scheduler laws", { timeout: 600_000 }, () => {
  it("every reachable state keeps every invariant, walks reach far, and most of their events change something", () => {
    let events = 0
    let effective = 0
    let walk = 0
    let far = 0
    forAllWalks(1_000, length, (choices) => {
      const world = new World()
      const isThorough = walk % 50 === 0
      let mostTasks = 0
      let mostWorkers = 0
      choices.forEach((choice, at) => {
        const before = world.state
        deepFreeze(before)
        const { commands } = world.apply([world.next(choice)])
        if (commands.length > 0 || differs(before, world.state)) effective++
        if (isThorough || at === length >> 1) assert.strictEqual(broken(world.state).join(), "")
        mostTasks = Math.max(mostTasks, world.state.tasks.size)
        mostWorkers = Math.max(mostWorkers, world.state.workers.size)
      })
      assert.strictEqual(broken(world.state).join(), "")
      if (choices.length === length) {
        // A few are full for most of the time, and take up little.
        if (mostTasks >= 20) far++
        assert.isAtLeast(mostWorkers, 3, "workers")
      }
      events += choices.length
      walk++
    })
    assert.isAtLeast(far / walk, 0.95, "walks with 20 live tasks")
    assert.isAtLeast(effective / events, 0.6)
  })

  it("a batch is the fold of its single events, the same events give the same step, and no state is ever changed", () => {
    forAllWalks(80, length, (choices) => {
      const { events, steps } = record(choices)
      const commands = steps.flatMap((step) => step.commands)
      const last = deepFreeze(steps.at(-1)?.state ?? empty(config))
      for (const size of [7, events.length]) {
        const batched = replay(events, () => size)
        assert.deepStrictEqual(batched.commands, commands)
        assert.deepStrictEqual(batched.state, last)
      }
    })
  })

  it("what may be told twice means the same as told once", () => {
    forAllWalks(150, length, (choices) => {
      const world = new World()
      for (const choice of choices) {
        const event = world.next(choice)
        const before = world.state
        const once = deepFreeze(world.apply([event]).state)
        if (mayBeRepeated(event, before)) assert.isFalse(differs(once, reduce(once, [event]).state), JSON.stringify(event))
      }
    })
  })

  it("no command names a worker or a client that is gone, and every input is offered by those who have it", () => {
    forAllWalks(200, length, (choices) => {
      const world = new World()
      for (const choice of choices) {
        const { commands, state } = world.apply([world.next(choice)])
        for (const command of commands) assert.isTrue(isAddressed(state, command), JSON.stringify(command))
      }
    })
  })

  it("no run number is given twice, and each rank belongs to one life of a task", () => {
    forAllWalks(100, length, (choices) => {
      const runs = new Set<number>()
      const idOfRank = new Map<number, number>()
      for (const { commands } of record(choices).steps) {
        for (const command of commands) {
          if (command._tag !== "ComputeTask") continue
          assert.isFalse(runs.has(command.run), `run ${command.run}`)
          runs.add(command.run)
          assert.strictEqual(idOfRank.get(command.rank) ?? command.id, command.id)
          idOfRank.set(command.rank, command.id)
        }
      }
    })
  })

  it("ids are given back once each, just when their tasks are gone, so that a replay rebuilds the key table", () => {
    forAllWalks(100, length, (choices) => {
      const world = new World()
      const events: Array<Event> = []
      for (const choice of choices) {
        const event = world.next(choice)
        events.push(event)
        // The world throws at an id that comes back without being given.
        world.apply([event])
        assert.deepStrictEqual([...world.given].sort(ascending), tasksOf(world.state))
      }
      const forgotten = replay(events, () => 5).commands.filter((command) => command._tag === "Forgotten")
      assert.deepStrictEqual(tableAfter(events, forgotten.map(({ id }) => id)), [...world.given].sort(ascending))
    })
  })

  it("once faults stop, every wanted task ends in memory or erred, and every question about cancelled ones is answered", () => {
    forAllWalks(200, length, (choices) => {
      const world = new World()
      for (const choice of choices) world.apply([world.next(choice)])
      world.finish(({ state }) => void (state.tasks.size % 8 === 0 && assert.deepStrictEqual(broken(state), [])))
      assert.strictEqual(broken(world.state).join(), "")
      Vector.forEach(world.state.tasks, ({ id, status, whoWants }) => {
        if (IntSet.size(whoWants) > 0) assert.include(["Memory", "Erred"], status._tag, `task ${id}`)
      })
      Vector.forEach(world.state.asks, (question) => assert.isTrue(question._tag === "Workers" || (question._tag === "Data" && question.workers.length > 0)))
    })
  })

  it("what a client heard last of a task that it wants is always true", () => {
    forAllWalks(150, length, (choices) => {
      const world = new World()
      const heard = new Map<string, string>()
      const listen = ({ commands, state }: Step, events: ReadonlyArray<Event>) => {
        for (const command of commands) {
          if (command._tag === "ReportInMemory") heard.set(`${command.client}/${command.id}`, "Memory")
          if (command._tag === "ReportErred") heard.set(`${command.client}/${command.id}`, "Erred")
          if (command._tag === "ReportPending") heard.delete(`${command.client}/${command.id}`)
          // What was submitted with inputs that are gone is reported as lost, and its id is another's afterwards.
          if (command._tag === "Forgotten") Vector.forEach(state.clients, ({ id }) => heard.delete(`${id}/${command.id}`))
        }
        // A key that is released means nothing to the client.
        for (const event of events) {
          if (event._tag === "KeysReleased") for (const id of event.ids) heard.delete(`${event.client}/${id}`)
        }
        Vector.forEach(state.tasks, ({ id, status, whoWants }) => {
          const news = status._tag === "Memory" || status._tag === "Erred" ? status._tag : undefined
          IntSet.forEach(whoWants, (client) => assert.strictEqual(heard.get(`${client}/${id}`), news, `task ${id}`))
        })
      }
      for (const choice of choices) {
        const event = world.next(choice)
        listen(world.apply([event]), [event])
      }
      world.finish(listen)
    })
  })

  it("a full scheduler takes up nothing new, says so of each, keeps all it has, and takes tasks again once there is room", () => {
    let refused = 0
    let reopened = 0
    forAllWalks(200, length, (choices) => {
      const world = new World()
      for (const choice of choices) {
        const { full, tasks } = world.state
        const event = world.next(choice)
        const { commands, state } = world.apply([event])
        if (full && !state.full) reopened++
        if (event._tag !== "TasksSubmitted" || !full || Vector.get(state.clients, event.client) === undefined) continue
        const told = commands.flatMap((command) => command._tag === "ReportRefused" && command.client === event.client ? [command.id] : [])
        const strangers = event.tasks.map(({ id }) => id).filter((id) => Vector.get(tasks, id) === undefined && id >= 0 && Number.isSafeInteger(id))
        assert.deepStrictEqual(told.filter((id) => strangers.includes(id)), strangers)
        for (const id of tasksOf(state)) assert.isDefined(Vector.get(tasks, id as never), `task ${id} is new`)
        refused += told.length
      }
    })
    assert.isAbove(refused, 50)
    assert.isAbove(reopened, 20)
  })

  it("when everybody has left, nothing is left", () => {
    forAllWalks(200, length, (choices) => {
      const world = new World()
      for (const choice of choices) world.apply([world.next(choice)])
      world.leave(({ state }) => assert.isAtMost(state.tasks.size, 1_000))
      const { log, nextAsk, nextDemand, nextRank, nextRun, remembered, turn, ...rest } = world.state
      assert.deepStrictEqual({ ...empty(config), log, nextAsk, nextDemand, nextRank, nextRun, remembered, turn }, {
        ...rest,
        log,
        nextAsk,
        nextDemand,
        nextRank,
        nextRun,
        remembered,
        turn
      })
      assert.strictEqual(world.given.size, 0)
    })
  })
})

/** The events of a walk, each with the step it led to. Every state is frozen before it is built upon. */
const record = (choices: ReadonlyArray<number>) => {
  const world = new World()
  const events: Array<Event> = []
  const steps: Array<Step> = []
  for (const choice of choices) {
    const event = world.next(choice)
    events.push(event)
    steps.push(world.apply([event]))
    deepFreeze(world.state)
  }
  return { events, steps }
}

/** The same events in batches of other sizes. */
const replay = (events: ReadonlyArray<Event>, size: () => number): Step => {
  let state: State = empty(config)
  const commands: Array<Command> = []
  for (let at = 0; at < events.length;) {
    const to = at + size()
    const step = reduce(state, events.slice(at, to))
    state = deepFreeze(step.state)
    commands.push(...step.commands)
    at = to
  }
  return { state, commands }
}

/** Not those that carry a part of a graph, nor those that ask for an answer or for a retry, which are counted. */
const mayBeRepeated = (event: Event, state: State): boolean =>
  event._tag === "TasksSubmitted"
    // What follows the last part of a refused graph is another graph.
    ? event.last && Vector.get(state.clients, event.client)?.refusing !== true && !meetsConflict(event, state)
    : event._tag === "Ticked"
    // At each tick a little more is given up.
    ? IntSet.size(state.justRefused) === 0 && [...Vector.values(state.clients)].every(({ conflicts, refused }) => refused.size === 0 && conflicts.size === 0)
    : !["RetryAsked", "CancelAsked", "WorkersAwaited", "AskAbandoned", "TakeBacksAnswered", "DataAnnounced"].includes(event._tag)

/**
 * Whether a client submits something else under a key. It does not want that any more, nor may it build on it: so what stands before it in this
 * message, or was under its key, may be another's or nobody's the second time. That a conflict alone, told twice, changes nothing is a story's to show.
 */
const meetsConflict = (event: Event, state: State): boolean => reduce(state, [event]).commands.some(({ _tag }) => _tag === "ReportConflict")

/** Whether all that a command names is there, after the step that it is from. */
const isAddressed = (state: State, command: Command): boolean => {
  const isWorker = (id: number) => Vector.get(state.workers, id) !== undefined
  const isClient = (id: number) => Vector.get(state.clients, id) !== undefined
  switch (command._tag) {
    case "ComputeTask":
      return isWorker(command.worker) && command.dependencies.every(({ id, run, whoHas }) => {
        const status = Vector.get(state.tasks, id)?.status
        return status?._tag === "Memory" && status.run === run && whoHas.length > 0 &&
          whoHas.every((holder) => IntSet.has(status.whoHas, holder))
      })
    case "ReportInMemory":
      return isClient(command.client) && isWorker(command.worker)
    case "ReportErred":
    case "ReportPending":
    case "ReportConflict":
    case "ReportRefused":
    case "ReportUnknown":
    case "Reply":
      return isClient(command.client)
    case "TellHolders":
      return isWorker(command.worker) && command.whoHas.every(isWorker)
    case "CancelTask":
    case "TakeBack":
    case "FreeKey":
    case "EndWorker":
      return isWorker(command.worker)
    case "Forgotten":
    case "WarnLacking":
    case "TellDetachedFailed":
    case "Wake":
      return true
  }
}

/** The ids that a key table has after these submissions and returns, each drawn when it is first named. */
const tableAfter = (events: ReadonlyArray<Event>, forgotten: ReadonlyArray<number>): ReadonlyArray<number> => {
  const drawn = new Map<number, number>()
  // How often an id was drawn is one more than how often it had come back; so many draws less so many returns are left.
  for (const id of forgotten) drawn.set(id, (drawn.get(id) ?? 0) - 1)
  let state: State = empty(config)
  for (const event of events) {
    if (event._tag === "TasksSubmitted" || event._tag === "DataAnnounced") {
      const known = new Set(tasksOf(state))
      for (const { id } of event.tasks) {
        if (known.has(id)) continue
        known.add(id)
        drawn.set(id, (drawn.get(id) ?? 0) + 1)
      }
    }
    state = reduce(state, [event]).state
  }
  return [...drawn].filter(([, count]) => count > 0).map(([id]) => id).sort(ascending)
}

const tasksOf = (state: State): ReadonlyArray<number> => Array.from(Vector.entries(state.tasks), ([id]) => id)

const ascending = (a: number, b: number): number => a - b

