/** Histories to be read aloud; `vitest -u` writes them anew. */
import { describe, expect, it } from "@effect/vitest"
import type { Event } from "@skein/core/worker/Event"
import type { Config } from "@skein/core/worker/State"
import {
  assignment,
  busy,
  cancel,
  compute,
  exited,
  failed,
  free,
  gathered,
  held,
  holders,
  input,
  received,
  rejoined,
  Script,
  seceded,
  started,
  stopped,
  succeeded,
  takeBack,
  ticked,
  unreachable
} from "./script.ts"

const story = (title: string, events: ReadonlyArray<Event>, config: Partial<Config> = {}): void =>
  it(title, async () => {
    const script = new Script(config)
    for (const event of events) script.tell(event)
    const file = title.replaceAll(/[^a-z]+/gi, "-").toLowerCase()
    await expect(`# ${title}\n${script.story()}`).toMatchFileSnapshot(`./stories/${file}.txt`)
  })

describe("worker stories", () => {
  story("scattered data is kept, used, and dropped when it is outdated", [
    started(),
    received(held([3, 1])),
    compute(assignment([7, 2], { dependencies: [input([3, 1], [1])] })),
    received(held([3, 1])),
    received(held([3, 0])),
    succeeded([7, 2]),
    received(held([3, 4])),
    free([3, 4])
  ])

  story("scattered data comes where a body still has its record, or the same is on its way", [
    started(),
    compute(assignment([3, 1])),
    received(held([3, 2])),
    stopped([3, 1]),
    compute(assignment([8, 4], { dependencies: [input([5, 3], [2])] })),
    received(held([5, 3])),
    gathered(2, [held([5, 3])]),
    compute(assignment([9, 6])),
    received(held([9, 6]))
  ])

  story("a task is computed and its result freed", [
    started(),
    compute(assignment([7, 1])),
    succeeded([7, 1]),
    free([7, 1])
  ])

  story("a task waits for an input that a peer has", [
    started(),
    compute(assignment([7, 2], { dependencies: [input([3, 1], [2])] })),
    gathered(2, [held([3, 1])]),
    succeeded([7, 2]),
    free([3, 1], [7, 2])
  ])

  story("a result of an older run comes back with its worker while the newer is being stopped here", [
    started(),
    compute(assignment([3, 9])),
    cancel([3, 9]),
    compute(assignment([7, 10], { dependencies: [input([3, 1], [2])] })),
    stopped([3, 9]),
    gathered(2, [held([3, 1])]),
    succeeded([7, 10])
  ])

  story("a busy peer is asked again after a while", [
    started(),
    compute(assignment([7, 2], { dependencies: [input([3, 1], [2])] })),
    busy(2),
    ticked(150),
    gathered(2, [held([3, 1])]),
    succeeded([7, 2])
  ])

  story("a result is fetched from its other holder when the first cannot be reached", [
    started(),
    compute(assignment([7, 2], { dependencies: [input([3, 1], [2, 5])] })),
    unreachable(2),
    gathered(5, [held([3, 1])])
  ])

  story("nobody has an input until the scheduler finds one who has", [
    started(),
    compute(assignment([7, 2], { dependencies: [input([3, 1], [2])] })),
    gathered(2, [], [3, 1]),
    ticked(1_000),
    holders([3, 1], 4),
    gathered(4, [held([3, 1])])
  ])

  story("a running body is interrupted, then loses its thread, then its process", [
    started(),
    compute(assignment([7, 1], { isolation: "thread" }), assignment([8, 2], { isolation: "thread" })),
    cancel([7, 1]),
    ticked(99),
    ticked(100),
    ticked(1_099),
    ticked(1_100),
    ticked(5_000),
    stopped([7, 1])
  ])

  story("a result that comes while its body is being stopped is dropped", [
    started(),
    compute(assignment([7, 1])),
    cancel([7, 1]),
    succeeded([7, 1])
  ])

  story("a task that is asked for again runs once its cancelled run has ended", [
    started(),
    compute(assignment([7, 1])),
    cancel([7, 1]),
    compute(assignment([7, 2])),
    stopped([7, 1]),
    succeeded([7, 2])
  ])

  story("a suspect runs alone, and its start and end are noted", [
    started({ nfibers: 2 }),
    compute(assignment([1, 1]), assignment([2, 2], { alone: true }), assignment([3, 3])),
    succeeded([1, 1]),
    exited([2, 2]),
    succeeded([3, 3])
  ])

  story("what has not started is given back", [
    started(),
    compute(assignment([1, 1]), assignment([2, 2]), assignment([3, 4], { dependencies: [input([9, 3], [2])] })),
    takeBack([1, 1], [2, 2], [3, 4]),
    gathered(2, [held([9, 3])]),
    free([9, 3]),
    failed([1, 1])
  ])

  story("a body gives its slot to another and takes it back", [
    started(),
    compute(assignment([1, 1]), assignment([2, 2]), assignment([3, 3])),
    seceded([1, 1]),
    rejoined([1, 1]),
    succeeded([2, 2]),
    succeeded([1, 1])
  ])

  story("a suspect starts beside a body that gave up its slot to wait for it", [
    started(),
    compute(assignment([1, 1])),
    seceded([1, 1]),
    compute(assignment([2, 2], { alone: true }), assignment([3, 3])),
    rejoined([1, 1]),
    succeeded([2, 2]),
    succeeded([1, 1]),
    succeeded([3, 3])
  ])

  story("a suspect that gave up its slot lets another start, and is noted again when it goes on", [
    started(),
    compute(assignment([1, 1], { alone: true })),
    seceded([1, 1]),
    compute(assignment([2, 2], { alone: true })),
    succeeded([2, 2]),
    rejoined([1, 1]),
    succeeded([1, 1])
  ])

  story("an input that is freed under a waiting task is fetched again", [
    started(),
    compute(assignment([1, 1]), assignment([2, 2], { dependencies: [input([3, 3], [])] })),
    holders([3, 3], 2),
    gathered(2, [held([3, 3])]),
    free([3, 3]),
    holders([3, 3], 4)
  ])

  story("a new incarnation keeps what the scheduler was told of and stops the rest", [
    started(),
    compute(assignment([1, 1])),
    succeeded([1, 1]),
    compute(assignment([2, 2]), assignment([3, 3])),
    started({ holds: [held([1, 1])] }),
    compute(assignment([4, 4])),
    stopped([2, 2])
  ])
})
