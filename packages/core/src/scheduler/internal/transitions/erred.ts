/**
 * The way out of `Erred`: a retry, or nobody wants to know.
 *
 * Source: dask.distributed `scheduler.py`, `_transition_erred_released`. Which
 * tasks a retry reaches is in on/client.ts.
 */
import { becomeReleased } from "../play.ts"
import type { Edges } from "../edges.ts"

export const erred = { Released: becomeReleased } satisfies Edges
