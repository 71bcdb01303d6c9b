/**
 * How often those who are connected say that they are there.
 *
 * What every worker says over and over costs the scheduler in proportion to their
 * number, though nothing may be happening. So the more there are, the more seldom
 * each of them speaks, and what the scheduler hears in all stays the same.
 *
 * Source: Nomad, `server/heartbeat.go` (at most 50 heartbeats a second in a
 * cluster); dask.distributed `scheduler.py`, `heartbeat_interval`.
 */

/** Signs of life that a scheduler hears in a second at most, of all together. */
const PER_SECOND = 50
/** Silence is noticed after three beats, and at worst after nearly four. */
const BEATS_OF_SILENCE = 4

/**
 * Milliseconds between two signs of life of each session: one second for up to 50 of them, a second more for each 50 beyond. But
 * never so long that somebody silent for `ttlMs` would not have been noticed, however many there are.
 */
export const beatMs = (sessions: number, ttlMs: number): number =>
  Math.max(1, Math.min(Math.floor(ttlMs / BEATS_OF_SILENCE), 1_000 * Math.max(1, Math.ceil(sessions / PER_SECOND))))

/** What a process says of its memory now and then. Bytes. */
export interface MemoryUse {
  readonly memoryBytes: number
  readonly managedBytes: number
}

/** Whether memory has changed so much since it was last told of that it is worth telling again: by more than a sixteenth. */
export const isNotable = (told: MemoryUse | undefined, now: MemoryUse): boolean =>
  told === undefined || differs(told.memoryBytes, now.memoryBytes) || differs(told.managedBytes, now.managedBytes)

const differs = (told: number, now: number): boolean => Math.abs(now - told) > told / 16
