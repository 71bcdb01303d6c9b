import { assert, describe, it } from "@effect/vitest"
import { Option, Schema } from "effect"
import type { Command } from "@skein/core/nanny/Command"
import type { Event, Of } from "@skein/core/nanny/Event"
import { reduce } from "@skein/core/nanny/Reducer"
import * as State from "@skein/core/nanny/State"
import { RunId } from "@skein/protocol/Ids"
import { firstSeed } from "../utils/seed.ts"

/** A nanny told of one thing after another, whose commands are read in short. */
const makeNanny = (policy: Partial<State.Policy> = {}) => {
  let state = State.make("w", "s", { ...State.defaultPolicy, ...policy })
  const reports: Array<Extract<Command, { _tag: "Report" }>["report"]> = []
  const tell = (...events: ReadonlyArray<Event>) => {
    const step = reduce(state, events)
    state = step.state
    for (const command of step.commands) if (command._tag === "Report") reports.push(command.report)
    return step.commands.map(inShort)
  }
  return { tell, reports, state: () => state, status: () => state.status._tag }
}

const inShort = (command: Command): string => {
  switch (command._tag) {
    case "Spawn":
      return `spawn ${command.process}`
    case "Signal":
      return `${command.signal} ${command.life}`
    case "Report":
      return `report ${command.report.process} ${command.report.ended}: ${command.report.detail}`
    case "Wake":
      return `wake ${command.at}`
  }
}

const start = (at: number): Event => ({ _tag: "StartRequested", at })
const stop = (at: number): Event => ({ _tag: "StopRequested", at })
const end = (at: number, ended: "closed" | "memory-limit" = "closed"): Event =>
  ({ _tag: "EndRequested", at, ended, detail: "because" })
const spawned = (at: number, life: number): Event => ({ _tag: "Spawned", at, life, pid: 100 + life })
const ready = (at: number, life: number): Event => ({ _tag: "ReadyNoticed", at, life })
const began = (life: number, run: number): Event => ({ _tag: "RunStartNoticed", at: 0, life, run: RunId.make(run) })
const ended = (life: number, run: number): Event => ({ _tag: "RunEndNoticed", at: 0, life, run: RunId.make(run) })
const measured = (life: number, bytes: number): Event => ({ _tag: "MemoryMeasured", at: 0, life, bytes })
const tick = (at: number): Event => ({ _tag: "Ticked", at })
const exited = (at: number, life: number, how: Partial<Of<"Exited">> = {}): Event => ({
  _tag: "Exited",
  at,
  life,
  code: 1,
  signal: null,
  peakMemoryBytes: null,
  logTail: [],
  draw: 0.5,
  ...how
})
const killed = { code: null, signal: "SIGKILL" }

describe("starting", () => {
  it("spawns the first life, and runs once it is ready", () => {
    const nanny = makeNanny()
    assert.deepStrictEqual(nanny.tell(start(0)), ["spawn w-s/1", "wake 30000"])
    assert.deepStrictEqual(nanny.tell(spawned(1, 1)), [])
    assert.strictEqual(nanny.status(), "Starting")
    nanny.tell(ready(2, 1))
    assert.deepStrictEqual(nanny.state().status, { _tag: "Running", pid: 101, readyAt: 2 })
    assert.deepStrictEqual(nanny.tell(start(3)), [])
  })

  it("runs also when the child was up before its spawning was answered", () => {
    const nanny = makeNanny()
    nanny.tell(start(0), ready(1, 1))
    assert.strictEqual(nanny.status(), "Starting")
    nanny.tell(spawned(2, 1))
    assert.deepStrictEqual(nanny.state().status, { _tag: "Running", pid: 101, readyAt: 2 })
  })

  it("ends a child that is not ready in time, and counts it as a crash", () => {
    const nanny = makeNanny()
    nanny.tell(start(0), spawned(1, 1))
    assert.deepStrictEqual(nanny.tell(tick(29_999)), [])
    assert.deepStrictEqual(nanny.tell(tick(30_000)), ["SIGKILL 1"])
    assert.deepStrictEqual(nanny.tell(exited(30_001, 1, killed)), [
      "report w-s/1 signal: was not ready within 30 s (signal SIGKILL)",
      "wake 30101"
    ])
    assert.deepStrictEqual(nanny.state().crashes, [30_001])
  })

  it("a process that cannot be spawned is a crash without a report", () => {
    const nanny = makeNanny()
    nanny.tell(start(0))
    assert.deepStrictEqual(nanny.tell({ _tag: "SpawnFailed", at: 5, life: 1, detail: "ENOENT", draw: 0.5 }), ["wake 105"])
    assert.deepStrictEqual(nanny.tell(tick(105)), ["spawn w-s/2", "wake 30105"])
  })
})

describe("crashes", () => {
  it("wait twice as long each time, up to the longest, and start again", () => {
    const nanny = makeNanny({ intensity: 100, periodMs: 1e9, backoffMaxMs: 1_000 })
    nanny.tell(start(0))
    const waits: Array<number> = []
    let at = 0
    for (let life = 1; life <= 6; life++) {
      nanny.tell(spawned(at, life), exited(at, life))
      const { status } = nanny.state()
      assert.ok(status._tag === "BackingOff")
      waits.push(status.until - at)
      assert.deepStrictEqual(nanny.tell(tick(status.until - 1)), [])
      at = status.until
      assert.deepStrictEqual(nanny.tell(tick(at)), [`spawn w-s/${life + 1}`, `wake ${at + 30_000}`])
    }
    assert.deepStrictEqual(waits, [100, 200, 400, 800, 1_000, 1_000])
  })

  it("the wait is spread by the draw, a fifth either way", () => {
    const wait = (draw: number) => {
      const nanny = makeNanny()
      return nanny.tell(start(0), spawned(0, 1), exited(0, 1, { draw })).at(-1)
    }
    assert.deepStrictEqual([wait(0), wait(1)], ["wake 80", "wake 120"])
  })

  it("five within a minute are forgiven, the sixth gives up", () => {
    const nanny = makeNanny()
    nanny.tell(start(0))
    for (let life = 1; life <= 5; life++) {
      nanny.tell(spawned(life * 10_000, life), exited(life * 10_000, life))
      assert.strictEqual(nanny.status(), "BackingOff")
      nanny.tell(tick(life * 10_000 + 9_000))
    }
    nanny.tell(spawned(60_000, 6))
    assert.deepStrictEqual(nanny.tell(exited(60_000, 6)), ["report w-s/6 exit: exit code 1"])
    assert.deepStrictEqual(nanny.state().status, {
      _tag: "GivenUp",
      since: 60_000,
      detail: "crashed 6 times within 60 s, last: exit code 1"
    })
    assert.deepStrictEqual(nanny.tell(tick(1e9), stop(1e9)), [])
    assert.deepStrictEqual(nanny.tell(start(1e9)), ["spawn w-s/7", "wake 1000030000"])
    assert.deepStrictEqual(nanny.state().crashes, [])
  })

  it("one that may not crash at all has no number of times in what is said of it", () => {
    const nanny = makeNanny({ intensity: 0 })
    nanny.tell(start(0), spawned(0, 1), exited(0, 1))
    assert.deepStrictEqual(nanny.state().status, { _tag: "GivenUp", since: 0, detail: "crashed: exit code 1" })
  })

  it("further apart than the period they never add up", () => {
    const nanny = makeNanny({ intensity: 1 })
    nanny.tell(start(0))
    for (let life = 1; life <= 20; life++) {
      nanny.tell(spawned(life * 61_000, life), exited(life * 61_000, life), tick(life * 61_000 + 60_000))
      assert.strictEqual(nanny.status(), "Starting")
    }
  })

  it("a transient child stays away after exit code 0, a temporary one after any end of its own", () => {
    const after = (restart: State.Policy["restart"], code: number) => {
      const nanny = makeNanny({ restart })
      nanny.tell(start(0), spawned(0, 1), exited(1, 1, { code }))
      return nanny.status()
    }
    assert.deepStrictEqual(
      [after("permanent", 0), after("transient", 0), after("transient", 1), after("temporary", 1)],
      ["BackingOff", "Stopped", "BackingOff", "Stopped"]
    )
  })
})

describe("stopping", () => {
  it("asks first, kills after the bound, and stays stopped", () => {
    const nanny = makeNanny()
    nanny.tell(start(0), spawned(0, 1), ready(0, 1))
    assert.deepStrictEqual(nanny.tell(stop(10)), ["SIGTERM 1", "wake 5010"])
    assert.deepStrictEqual(nanny.tell(tick(5_009)), [])
    assert.deepStrictEqual(nanny.tell(tick(5_010), tick(6_000)), ["SIGKILL 1"])
    assert.deepStrictEqual(nanny.tell(exited(6_001, 1, killed)), [
      "report w-s/1 closed: it was stopped, and killed because it had not ended within 5 s (signal SIGKILL)"
    ])
    assert.strictEqual(nanny.status(), "Stopped")
  })

  it("an orderly end blames nobody", () => {
    const nanny = makeNanny()
    nanny.tell(start(0), spawned(0, 1), ready(0, 1), stop(10))
    assert.deepStrictEqual(nanny.tell(exited(20, 1, { code: 0 })), ["report w-s/1 closed: it was stopped (exit code 0)"])
    assert.deepStrictEqual(nanny.state().crashes, [])
  })

  it("before the process is there, the signal goes out as soon as it is", () => {
    const nanny = makeNanny()
    nanny.tell(start(0))
    assert.deepStrictEqual(nanny.tell(stop(1)), ["wake 5001"])
    assert.deepStrictEqual(nanny.tell(spawned(2, 1)), ["SIGTERM 1"])
    const hurried = makeNanny()
    hurried.tell(start(0), stop(1), end(2))
    assert.deepStrictEqual(hurried.tell(spawned(3, 1)), ["SIGKILL 1"])
  })

  it("during the wait after a crash nothing starts any more", () => {
    const nanny = makeNanny()
    nanny.tell(start(0), spawned(0, 1), exited(0, 1), stop(1))
    assert.deepStrictEqual(nanny.tell(tick(1_000)), [])
    assert.strictEqual(nanny.status(), "Stopped")
  })

  it("a start asked for while it is stopping follows its end", () => {
    const nanny = makeNanny()
    nanny.tell(start(0), spawned(0, 1), stop(1), start(2))
    assert.deepStrictEqual(nanny.tell(exited(3, 1, { code: 0 })).at(1), "spawn w-s/2")
  })
})

describe("ending at once", () => {
  it("kills, reports the reason, and starts again without a wait, for it is no crash", () => {
    const nanny = makeNanny({ restart: "temporary" })
    nanny.tell(start(0), spawned(0, 1), ready(0, 1))
    assert.deepStrictEqual(nanny.tell(end(1), end(2)), ["SIGKILL 1"])
    assert.deepStrictEqual(nanny.tell(exited(3, 1, killed)), [
      "report w-s/1 closed: because (signal SIGKILL)",
      "spawn w-s/2",
      "wake 30003"
    ])
    assert.deepStrictEqual(nanny.state().crashes, [])
  })

  it("a death at the memory limit is a crash", () => {
    const nanny = makeNanny()
    nanny.tell(start(0), spawned(0, 1), ready(0, 1), end(1, "memory-limit"))
    assert.deepStrictEqual(nanny.tell(exited(3, 1, killed)), [
      "report w-s/1 memory-limit: because",
      "wake 103"
    ])
  })

  it("the child's own wish to be ended is granted", () => {
    const nanny = makeNanny()
    nanny.tell(start(0), spawned(0, 1), ready(0, 1))
    assert.deepStrictEqual(nanny.tell({ _tag: "EndMeNoticed", at: 1, life: 1, reason: "a thread is stuck" }), ["SIGKILL 1"])
    assert.include(nanny.tell(exited(2, 1, killed))[0], "closed: a thread is stuck")
  })

  it("a child that is being stopped loses its patience, and stays away", () => {
    const nanny = makeNanny()
    nanny.tell(start(0), spawned(0, 1), ready(0, 1), stop(1))
    assert.deepStrictEqual(nanny.tell(end(2)), ["SIGKILL 1"])
    nanny.tell(exited(3, 1, killed))
    assert.strictEqual(nanny.status(), "Stopped")
  })

  it("a stop asked for after it keeps the child away", () => {
    const nanny = makeNanny()
    nanny.tell(start(0), spawned(0, 1), ready(0, 1), end(1), stop(2), exited(3, 1, killed))
    assert.strictEqual(nanny.status(), "Stopped")
  })

  it("means nothing when no process is there", () => {
    const nanny = makeNanny()
    assert.deepStrictEqual(nanny.tell(end(1)), [])
    nanny.tell(start(0), spawned(0, 1), exited(0, 1))
    assert.deepStrictEqual(nanny.tell(end(1)), [])
    assert.strictEqual(nanny.status(), "BackingOff")
  })
})

describe("reports", () => {
  it("name the runs that began and did not end, the peak of memory and the last twenty lines", () => {
    const nanny = makeNanny()
    nanny.tell(start(0), spawned(0, 1), ready(0, 1), began(1, 7), began(1, 8), began(1, 8), ended(1, 7), ended(1, 9))
    const lines = Array.from({ length: 25 }, (_, i) => `line ${i}`)
    nanny.tell(exited(5, 1, { code: null, signal: "SIGSEGV", peakMemoryBytes: 42, logTail: lines }))
    assert.deepStrictEqual(nanny.reports, [{
      process: State.processId({ ...nanny.state(), life: 1 }),
      ended: "signal",
      detail: "signal SIGSEGV",
      peakMemoryBytes: 42,
      logTail: lines.slice(5),
      started: [RunId.make(8)],
      ranMs: [5]
    }])
  })

  it("say that the memory limit was why, and what it was (test_worker_memory.py::test_nanny_terminate)", () => {
    const nanny = makeNanny({ memoryLimitBytes: 1_000 })
    nanny.tell(start(0), spawned(0, 1), ready(0, 1))
    assert.deepStrictEqual(nanny.tell(measured(1, 950)), [])
    assert.deepStrictEqual(nanny.tell(measured(1, 951)), ["SIGKILL 1"])
    assert.deepStrictEqual(nanny.tell(measured(1, 2_000)), [])
    nanny.tell(exited(5, 1, { code: null, signal: "SIGKILL", peakMemoryBytes: 980 }))
    assert.deepStrictEqual(nanny.reports, [{
      process: State.processId({ ...nanny.state(), life: 1 }),
      ended: "memory-limit",
      detail: "exceeded 95 % of its memory limit, nanny stop",
      peakMemoryBytes: 980,
      memoryLimitBytes: 1_000,
      logTail: [],
      started: []
    }])
    assert.strictEqual(nanny.status(), "BackingOff")
  })

  it("blame no limit where there is none, and none of an earlier life", () => {
    const free = makeNanny()
    free.tell(start(0), spawned(0, 1), ready(0, 1))
    assert.deepStrictEqual(free.tell(measured(1, 1e15)), [])
    const again = makeNanny({ memoryLimitBytes: 1_000 })
    again.tell(start(0), spawned(0, 1), ready(0, 1), exited(5, 1), tick(1_000), spawned(1_000, 2))
    assert.deepStrictEqual(again.tell(measured(1, 2_000)), [])
    assert.strictEqual(again.status(), "Starting")
  })

  it("begin with no runs in each life", () => {
    const nanny = makeNanny()
    nanny.tell(start(0), spawned(0, 1), began(1, 7), exited(5, 1), tick(1_000), spawned(1_000, 2), exited(1_001, 2))
    assert.deepStrictEqual(nanny.reports.map((report) => report.started), [[RunId.make(7)], []])
  })

  it("remember a bounded number of runs, the latest", () => {
    const nanny = makeNanny()
    nanny.tell(start(0), spawned(0, 1), ...Array.from({ length: State.runsBound + 5 }, (_, run) => began(1, run)))
    assert.strictEqual(nanny.state().runs.length, State.runsBound)
    assert.strictEqual(nanny.state().runs[0]?.run, RunId.make(5))
  })
})

describe("laws", () => {
  /** Each number picks one of the events that are possible, or that may come late. */
  const Walk = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1_000 })))
  const pick = (state: State.State, at: number, choice: number): Event => {
    const life = choice % 7 === 0 ? Math.max(0, state.life - 1) : state.life
    const options: ReadonlyArray<Event> = [
      spawned(at, life),
      ready(at, life),
      exited(at, life, choice % 2 === 0 ? killed : { code: choice % 3 }),
      tick(at + (choice % 5 === 0 ? 40_000 : 0)),
      start(at),
      stop(at),
      end(at, choice % 2 === 0 ? "closed" : "memory-limit"),
      began(life, choice % 4),
      ended(life, choice % 4),
      { _tag: "EndMeNoticed", at, life, reason: "r" },
      { _tag: "SpawnFailed", at, life, detail: "d", draw: 0.1 }
    ]
    return options[choice % options.length]!
  }
  const walk = (choices: ReadonlyArray<number>) => {
    let state = freeze(State.make("w", "s", { ...State.defaultPolicy, intensity: 1 }))
    let at = 0
    const steps: Array<{ event: Event; before: State.State; after: State.State; commands: ReadonlyArray<Command> }> = []
    for (const choice of choices) {
      at += choice % 3 === 0 ? choice * 5 : choice % 20
      const event = pick(state, at, choice)
      const step = freeze(reduce(state, [event]))
      steps.push({ event, before: state, after: step.state, commands: step.commands })
      state = step.state
    }
    return steps
  }
  const options = { arbitrary: { seed: firstSeed, runs: 2_000, size: 60 } }

  it.prop("a batch is the fold of its single events", [Walk], ([choices]) => {
    const steps = walk(choices)
    const all = reduce(State.make("w", "s", { ...State.defaultPolicy, intensity: 1 }), steps.map((step) => step.event))
    assert.deepStrictEqual(all.commands, steps.flatMap((step) => step.commands))
    if (steps.length > 0) assert.deepStrictEqual(all.state, steps.at(-1)!.after)
  }, options)

  it.prop("no life is spawned while another may live, and each that lived is reported at most once", [Walk], ([choices]) => {
    let alive: number | undefined
    const reported = new Set<string>()
    for (const { event, before, commands } of walk(choices)) {
      if ((event._tag === "Exited" || event._tag === "SpawnFailed") && event.life === alive && before.life === event.life) {
        alive = undefined
      }
      for (const command of commands) {
        if (command._tag === "Spawn") {
          assert.isUndefined(alive)
          alive = command.life
        }
        if (command._tag === "Report") {
          assert.isFalse(reported.has(command.report.process))
          reported.add(command.report.process)
        }
        if (command._tag === "Signal") assert.strictEqual(command.life, before.life)
      }
    }
  }, options)

  it.prop("whoever waits for the clock has asked to be woken, and bounds hold", [Walk], ([choices]) => {
    let wake = -1
    for (const { after, commands } of walk(choices)) {
      for (const command of commands) if (command._tag === "Wake") wake = command.at
      const { status } = after
      const due = status._tag === "BackingOff"
        ? status.until
        : status._tag === "Starting"
        ? status.readyBy
        : status._tag === "Stopping"
        ? Option.getOrUndefined(status.killAt)
        : undefined
      if (due !== undefined) assert.strictEqual(wake, due)
      assert.isAtMost(after.crashes.length, after.policy.intensity + 1)
    }
  }, options)

  it("walks visit every status", () => {
    const seen = new Set<string>()
    for (let seed = 1; seed <= 50; seed++) {
      let x = seed
      const choices = Array.from({ length: 200 }, () => x = (x * 48_271) % 2_147_483_647).map((n) => n % 1_001)
      for (const { after } of walk(choices)) seen.add(after.status._tag)
    }
    assert.deepStrictEqual([...seen].sort(), ["BackingOff", "GivenUp", "Running", "Starting", "Stopped", "Stopping"])
  })
})

const freeze = <A>(value: A): A => {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const inner of Object.values(value)) freeze(inner)
  }
  return value
}
