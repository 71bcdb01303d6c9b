/**
 * How to stop what runs.
 *
 * A body is interrupted first; what is still there after `terminateMs` loses its
 * thread, and after `endProcessMs` the whole process goes, whose other tasks
 * the scheduler places again. What is being stopped holds its slot until it has
 * ended, so that nothing starts beside a body that may still use everything.
 *
 * Dask cannot stop what runs: its statuses `cancelled` and `resumed` are not here.
 */
import * as IntSet from "../../persistent/IntSet.ts"
import type { Task } from "../State.ts"
import type { Draft, Owned } from "./draft.ts"
import { transition } from "./transition.ts"

/** Asks for the end of a body that runs. It keeps its slot until nothing of it runs any more. */
export const interrupt = (draft: Draft, task: Owned<Task>): void => {
  const { assignment, run, status } = task
  if (assignment === undefined) return
  if (status._tag !== "Executing" && status._tag !== "LongRunning") return
  transition(draft, task, {
    _tag: "Stopping",
    run,
    since: draft.at,
    isolation: assignment.isolation,
    alone: assignment.alone,
    slot: status._tag === "Executing",
    terminated: false
  })
  task.assignment = undefined
  draft.send({ _tag: "Interrupt", id: task.id, run })
}

/** Does what is due about bodies that were interrupted and still run. */
export const stopOverdue = (draft: Draft): void => {
  const { config } = draft.next
  IntSet.forEach(draft.next.stopping, (id) => {
    const task = draft.task(id)
    if (task?.status._tag !== "Stopping") return
    const { run, since, isolation, terminated } = task.status
    if (isolation === "thread" && !terminated && draft.at >= since + config.terminateMs) {
      draft.own(task).status = { ...task.status, terminated: true }
      draft.send({ _tag: "Terminate", id, run })
    }
    if (!draft.next.ending && draft.at >= since + config.endProcessMs) {
      draft.next.ending = true
      draft.send({ _tag: "EndProcess", reason: `run ${run} was interrupted ${draft.at - since} ms ago and still runs` })
    }
  })
}
