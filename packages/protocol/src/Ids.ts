/**
 * The names of things: what is addressed, counted and reported.
 *
 * Inside and between processes things are small integers, given by the scheduler
 * and used again once a task is forgotten; strings appear where people read.
 * A run number is never used twice, so (task, run) is unique for ever and a
 * late report can never be taken for a new one.
 *
 * The schemas carry no checks, for they stand in the hottest messages: whoever
 * receives an id from outside looks it up, and what is not found is refused.
 */
import * as Schema from "effect/Schema"

/** Names one task and its result, cluster-wide; chosen by the client, or a digest of what is computed. */
export const Key = Schema.String.pipe(Schema.brand("Key"))
export type Key = typeof Key.Type

/** The scheduler's small integer for a key; used again after the task is forgotten. */
export const TaskId = Schema.Number.pipe(Schema.brand("TaskId"))
export type TaskId = typeof TaskId.Type

/** One attempt at computing a task, numbered once for ever. */
export const RunId = Schema.Number.pipe(Schema.brand("RunId"))
export type RunId = typeof RunId.Type

/** The scheduler's small integer for one incarnation of a worker. */
export const WorkerId = Schema.Number.pipe(Schema.brand("WorkerId"))
export type WorkerId = typeof WorkerId.Type

/** The scheduler's small integer for one session of a client. */
export const ClientId = Schema.Number.pipe(Schema.brand("ClientId"))
export type ClientId = typeof ClientId.Type

/** The scheduler's small integer for one piece of code. */
export const CodeId = Schema.Number.pipe(Schema.brand("CodeId"))
export type CodeId = typeof CodeId.Type

/** The client's own number for a key it holds; means something in its session only. */
export const Ref = Schema.Number.pipe(Schema.brand("Ref"))
export type Ref = typeof Ref.Type

/** The client's own number for a piece of code it has told the scheduler of; means something in its session only. */
export const CodeRef = Schema.Number.pipe(Schema.brand("CodeRef"))
export type CodeRef = typeof CodeRef.Type

/** The number of a question to the scheduler, from the asker's own counter: asking twice is asking once. */
export const AskId = Schema.Number.pipe(Schema.brand("AskId"))
export type AskId = typeof AskId.Type

/** One life of a child process, drawn by its nanny; its exit report is about this. */
export const ProcessId = Schema.String.pipe(Schema.brand("ProcessId"))
export type ProcessId = typeof ProcessId.Type

/** Milliseconds since 1970. */
export const Millis = Schema.Number
export type Millis = number

/** Where a body runs: in the worker's event loop, or in a thread that can be ended. */
export const Isolation = Schema.Literals(["fiber", "thread"])
export type Isolation = typeof Isolation.Type
