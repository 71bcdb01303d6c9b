/**
 * The changes of status of Dask's worker (reference/dask.md §2.3,
 * `worker_state_machine.py`, `_TRANSITIONS_TABLE`), each with what it is here:
 * an edge of ours, or the reason why there is none.
 *
 * Names are Dask's on the left. Ours: `error` is passed through, `forgotten` is
 * absence, `cancelled` is `Stopping`.
 */
export interface DaskEdge {
  /** "from → to". */
  readonly dask: string
  /** The same change here; undefined if there is none. */
  readonly ours?: string
  /** Why there is none, or why it is another. */
  readonly because?: string
}

const noResources = "resources are another issue's: nothing is constrained"
const noCancelled = "what runs can be stopped, and what flies is waited for: nothing is cancelled or resumed"

export const daskEdges: ReadonlyArray<DaskEdge> = [
  { dask: "released → waiting", ours: "Released → Waiting" },
  { dask: "released → fetch", ours: "Released → Fetch" },
  { dask: "released → missing", ours: "Released → Missing" },
  { dask: "released → memory", ours: "Released → Memory", because: "for results of an earlier incarnation; nothing is scattered yet" },
  { dask: "released → error", because: "a task that fails before it runs fails in the shell, as an executing one" },
  { dask: "released → forgotten", ours: "Released → Forgotten" },
  { dask: "waiting → ready", ours: "Waiting → Ready" },
  { dask: "waiting → constrained", because: noResources },
  { dask: "waiting → released", ours: "Waiting → Released" },
  { dask: "ready → executing", ours: "Ready → Executing" },
  { dask: "ready → released", ours: "Ready → Released" },
  { dask: "constrained → executing", because: noResources },
  { dask: "constrained → released", because: noResources },
  { dask: "executing → memory", ours: "Executing → Memory" },
  { dask: "executing → error", ours: "Executing → Error" },
  { dask: "executing → long-running", ours: "Executing → LongRunning" },
  { dask: "executing → rescheduled", ours: "Executing → Released", because: "rescheduled is a word to the scheduler, not a status" },
  { dask: "executing → released", ours: "Executing → Stopping", because: "Dask cannot stop it and calls it cancelled" },
  { dask: "long-running → memory", ours: "LongRunning → Memory" },
  { dask: "long-running → error", ours: "LongRunning → Error" },
  { dask: "long-running → rescheduled", ours: "LongRunning → Released", because: "rescheduled is a word to the scheduler, not a status" },
  { dask: "long-running → released", ours: "LongRunning → Stopping", because: "Dask cannot stop it and calls it cancelled" },
  { dask: "fetch → flight", ours: "Fetch → Flight" },
  { dask: "fetch → missing", ours: "Fetch → Missing" },
  { dask: "fetch → released", ours: "Fetch → Released" },
  { dask: "flight → memory", ours: "Flight → Memory" },
  { dask: "flight → fetch", ours: "Flight → Fetch" },
  { dask: "flight → missing", ours: "Flight → Missing" },
  { dask: "flight → error", because: "a result is bytes here, and decoded when a task that needs it runs" },
  { dask: "flight → released", ours: "Flight → Released", because: "when the answer has come: until then it stays in flight" },
  { dask: "missing → fetch", ours: "Missing → Fetch" },
  { dask: "missing → waiting", ours: "Missing → Released", because: "it goes on to waiting from there, as every task that is asked for" },
  { dask: "missing → released", ours: "Missing → Released" },
  { dask: "missing → error", because: "a task that fails before it runs fails in the shell, as an executing one" },
  { dask: "memory → released", ours: "Memory → Released" },
  { dask: "error → released", ours: "Error → Released" },
  { dask: "cancelled → released", ours: "Stopping → Released" },
  { dask: "cancelled → executing", because: noCancelled },
  { dask: "cancelled → long-running", because: noCancelled },
  { dask: "cancelled → flight", because: noCancelled },
  { dask: "cancelled → resumed", because: noCancelled },
  { dask: "resumed → memory", because: noCancelled },
  { dask: "resumed → fetch", because: noCancelled },
  { dask: "resumed → waiting", because: noCancelled },
  { dask: "resumed → cancelled", because: noCancelled }
]

/** Edges that Dask does not have. */
export const ownEdges: Readonly<Record<string, string>> = {
  "Released → Ready": "all inputs are here already: Dask passes through waiting within the same step",
  "Ready → Waiting": "an input was freed: Dask refuses that, or passes through released",
  "LongRunning → Executing": "a body has waited for a slot and got it: Dask's rejoin concerns its thread pool only"
}
