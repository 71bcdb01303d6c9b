/**
 * The hottest messages as bytes, written and read by hand.
 *
 * What is said of every task (that it is submitted, to be computed, finished, in
 * memory) passes as rows, and encoding a row by its schema cost more than all
 * else that was done about it: a quarter of what a worker that does nothing
 * spends. So rows of these kinds are written here, in one pass and without an
 * object in between, at a third of the price. All other segments are rare, and
 * are written by their schemas as before. The contracts (Graph.ts, ClientRpcs.ts,
 * WorkerRpcs.ts) speak of rows alone; that they travel like this is a property of
 * the schema that stands there.
 *
 * Bytes may come from anybody. Each length is compared with what is left before
 * anything is made of that size, and what makes no sense is an issue of the
 * schema like any other, which ends the session that sent it. Whether a number
 * names anything is the receiver's to say.
 *
 *   tasks      count, then rows in groups of 64
 *   segments   to the end: the kind (1 byte), then
 *              0: length, the segment by its schema
 *              otherwise: count, then rows
 *   a group    of rows with a key begins with the keys: length, UTF-8; each row
 *              has the length of its key, in UTF-16 units
 *
 * Both ends of a session are of one version, for they greet each other with it.
 */
import * as Effect from "effect/Effect"
import * as SchemaBinary from "effect/encoding/SchemaBinary"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaTransformation from "effect/SchemaTransformation"
import type { ClientReport } from "../../ClientRpcs.ts"
import type { AttemptRules, SubmittedTask } from "../../Graph.ts"
import type { Isolation, Key } from "../../Ids.ts"
import type { Assignment, Dependency, Held, Run, WorkerCommand, WorkerReport } from "../../WorkerRpcs.ts"
import { Malformed } from "../value/Source.ts"
import { RowReader, RowWriter, TEXTS_TOGETHER } from "./RowBytes.ts"

type RowOf<Segment extends { readonly _tag: string }, Tag> = Extract<Segment, { readonly _tag: Tag }> extends
  { readonly rows: ReadonlyArray<infer Row> } ? Row : never
type Finished = RowOf<WorkerReport, "Finished">
type InMemory = RowOf<ClientReport, "InMemory">

/** A list whose elements have been checked by who made them: the compiler, or the reader of the bytes. */
type Packed<A> = Schema.Codec<ReadonlyArray<A>, Uint8Array>

/** Submitted tasks, packed. */
export const tasks = (): Packed<SubmittedTask> =>
  packed<SubmittedTask>((writer, all) => writeKeyed(writer, all, writeTask), (reader) => readKeyed(reader, readTask))

/** News from a worker. `schema`: of one segment. */
export const reports = (schema: Schema.Codec<WorkerReport, unknown>): Packed<WorkerReport> => {
  const other = bySchema(schema)
  return packed<WorkerReport>(
    (writer, segments) => {
      for (const segment of segments) {
        switch (segment._tag) {
          case "Finished":
            writer.byte(1)
            writeRows(writer, segment.rows, writeFinished)
            break
          case "ReplicasAdded":
            writer.byte(2)
            writeRows(writer, segment.rows, writeHeld)
            break
          default:
            writer.byte(0)
            writer.blob(other.encode(segment))
        }
      }
    },
    (reader) => {
      const segments: Array<WorkerReport> = []
      while (!reader.isAtEnd()) {
        switch (reader.byte()) {
          case 0:
            segments.push(other.decode(reader.part()))
            break
          case 1:
            segments.push({ _tag: "Finished", rows: readRows(reader, readFinished) })
            break
          case 2:
            segments.push({ _tag: "ReplicasAdded", rows: readRows(reader, readHeld) })
            break
          default:
            throw reader.malformed("a kind of segment")
        }
      }
      return segments
    }
  )
}

/** Commands for a worker. `schema`: of one segment. */
export const commands = (schema: Schema.Codec<WorkerCommand, unknown>): Packed<WorkerCommand> => {
  const other = bySchema(schema)
  return packed<WorkerCommand>(
    (writer, segments) => {
      for (const segment of segments) {
        switch (segment._tag) {
          case "Compute":
            writer.byte(1)
            writeKeyed(writer, segment.rows, writeAssignment)
            break
          case "Free":
            writer.byte(2)
            writeRows(writer, segment.rows, writeRun)
            break
          case "Cancel":
            writer.byte(3)
            writeRows(writer, segment.rows, writeRun)
            break
          case "TakeBack":
            writer.byte(4)
            writeRows(writer, segment.rows, writeRun)
            break
          default:
            writer.byte(0)
            writer.blob(other.encode(segment))
        }
      }
    },
    (reader) => {
      const segments: Array<WorkerCommand> = []
      while (!reader.isAtEnd()) {
        switch (reader.byte()) {
          case 0:
            segments.push(other.decode(reader.part()))
            break
          case 1:
            segments.push({ _tag: "Compute", rows: readKeyed(reader, readAssignment) })
            break
          case 2:
            segments.push({ _tag: "Free", rows: readRows(reader, readRun) })
            break
          case 3:
            segments.push({ _tag: "Cancel", rows: readRows(reader, readRun) })
            break
          case 4:
            segments.push({ _tag: "TakeBack", rows: readRows(reader, readRun) })
            break
          default:
            throw reader.malformed("a kind of segment")
        }
      }
      return segments
    }
  )
}

/** News for a client. `schema`: of one segment. */
export const news = (schema: Schema.Codec<ClientReport, unknown>): Packed<ClientReport> => {
  const other = bySchema(schema)
  return packed<ClientReport>(
    (writer, segments) => {
      for (const segment of segments) {
        if (segment._tag === "InMemory") {
          writer.byte(1)
          writeRows(writer, segment.rows, writeInMemory)
        } else {
          writer.byte(0)
          writer.blob(other.encode(segment))
        }
      }
    },
    (reader) => {
      const segments: Array<ClientReport> = []
      while (!reader.isAtEnd()) {
        switch (reader.byte()) {
          case 0:
            segments.push(other.decode(reader.part()))
            break
          case 1:
            segments.push({ _tag: "InMemory", rows: readRows(reader, readInMemory) })
            break
          default:
            throw reader.malformed("a kind of segment")
        }
      }
      return segments
    }
  )
}

// ---- rows: each is read as it is written

const writeTask = (writer: RowWriter, task: SubmittedTask): void => {
  const { args, code, dependencies, isolation, priority, ref, retries, rules, terms } = task
  writer.number(ref)
  writer.number(code)
  writer.byte((isolation === "fiber" ? 0 : THREAD) | (rules === undefined ? 0 : RULES) | (terms === undefined ? 0 : TERMS))
  writer.number(priority)
  writer.number(retries)
  writer.numbers(dependencies)
  writer.blob(args)
  if (rules !== undefined) writeRules(writer, rules)
  if (terms !== undefined) writer.number(terms)
}
const readTask = (reader: RowReader, key: Key): SubmittedTask => {
  const ref = reader.number<SubmittedTask["ref"]>()
  const code = reader.number<SubmittedTask["code"]>()
  const flags = flagsOf(reader, THREAD | RULES | TERMS)
  const isolation = isolationOf(flags)
  const priority = reader.number()
  const retries = reader.number()
  const dependencies = reader.numbers<SubmittedTask["ref"]>()
  const task = { ref, key, code, args: reader.blob(), dependencies, priority, retries, isolation }
  if ((flags & (RULES | TERMS)) === 0) return task
  const rules = (flags & RULES) === 0 ? undefined : readRules(reader)
  const terms = (flags & TERMS) === 0 ? undefined : reader.number()
  return { ...task, ...(rules === undefined ? {} : { rules }), ...(terms === undefined ? {} : { terms }) }
}

const writeRules = (writer: RowWriter, { delayMs, factor, maxDelayMs, timeoutMs }: AttemptRules): void => {
  writer.number(timeoutMs)
  writer.number(delayMs)
  writer.number(factor)
  writer.number(maxDelayMs)
}
const readRules = (reader: RowReader): AttemptRules => {
  const timeoutMs = reader.number()
  const delayMs = reader.number()
  const factor = reader.number()
  return { timeoutMs, delayMs, factor, maxDelayMs: reader.number() }
}

const writeAssignment = (writer: RowWriter, row: Assignment): void => {
  writer.number(row.id)
  writer.number(row.run)
  writer.number(row.code)
  writer.byte((row.isolation === "fiber" ? 0 : THREAD) | (row.alone ? ALONE : 0) | (row.timeoutMs === undefined ? 0 : TIMEOUT) | (row.decisive === true ? DECISIVE : 0))
  writer.number(row.priority)
  writer.number(row.rank)
  writer.number(row.attempt)
  if (row.timeoutMs !== undefined) writer.number(row.timeoutMs)
  writer.blob(row.args)
  writeRows(writer, row.dependencies, writeDependency)
}
const readAssignment = (reader: RowReader, key: Key): Assignment => {
  const id = reader.number<Assignment["id"]>()
  const run = reader.number<Assignment["run"]>()
  const code = reader.number<Assignment["code"]>()
  const flags = flagsOf(reader, THREAD | ALONE | TIMEOUT | DECISIVE)
  const isolation = isolationOf(flags)
  const priority = reader.number()
  const rank = reader.number()
  const attempt = reader.number()
  const timeoutMs = (flags & TIMEOUT) === 0 ? undefined : reader.number()
  const args = reader.blob()
  const row = { id, run, key, code, args, isolation, priority, rank, attempt, alone: (flags & ALONE) !== 0, dependencies: readRows(reader, readDependency) }
  const timed = timeoutMs === undefined ? row : { ...row, timeoutMs }
  return (flags & DECISIVE) === 0 ? timed : { ...timed, decisive: true }
}

const writeDependency = (writer: RowWriter, row: Dependency): void => {
  writeHeld(writer, row)
  writer.numbers(row.whoHas)
}
const readDependency = (reader: RowReader): Dependency => {
  const { id, nbytes, run } = readHeld(reader)
  return { id, run, nbytes, whoHas: reader.numbers() }
}

const writeFinished = (writer: RowWriter, row: Finished): void => {
  writeHeld(writer, row)
  writer.number(row.ms)
  writer.blob(row.value)
}
const readFinished = (reader: RowReader): Finished => {
  const { id, nbytes, run } = readHeld(reader)
  const ms = reader.number()
  return { id, run, nbytes, ms, value: reader.blob() }
}

const writeInMemory = (writer: RowWriter, row: InMemory): void => {
  writer.number(row.ref)
  writeHeld(writer, row)
  writer.number(row.worker)
  writer.blob(row.value)
}
const readInMemory = (reader: RowReader): InMemory => {
  const ref = reader.number<InMemory["ref"]>()
  const { id, nbytes, run } = readHeld(reader)
  const worker = reader.number<InMemory["worker"]>()
  return { ref, id, run, nbytes, worker, value: reader.blob() }
}

const writeHeld = (writer: RowWriter, row: Held): void => {
  writer.number(row.id)
  writer.number(row.run)
  writer.number(row.nbytes)
}
const readHeld = (reader: RowReader): Held => {
  const id = reader.number<Held["id"]>()
  const run = reader.number<Held["run"]>()
  return { id, run, nbytes: reader.number() }
}

const writeRun = (writer: RowWriter, row: Run): void => {
  writer.number(row.id)
  writer.number(row.run)
}
const readRun = (reader: RowReader): Run => {
  const id = reader.number<Run["id"]>()
  return { id, run: reader.number() }
}

/** What a byte says of a submitted task or an assignment: its isolation, and which of the seldom fields are there. */
const THREAD = 1
const RULES = 2
const TERMS = 4
const ALONE = 2
const TIMEOUT = 4
const DECISIVE = 8

const flagsOf = (reader: RowReader, known: number): number => {
  const flags = reader.byte()
  if ((flags & ~known) !== 0) throw reader.malformed("flags that are known")
  return flags
}

const isolationOf = (flags: number): Isolation => (flags & THREAD) === 0 ? "fiber" : "thread"

// ---- lists of rows

const writeRows = <Row>(writer: RowWriter, rows: ReadonlyArray<Row>, write: (writer: RowWriter, row: Row) => void): void => {
  writer.count(rows.length)
  for (const row of rows) write(writer, row)
}

/** The count is believed as far as there are bytes for so many. */
const readRows = <Row>(reader: RowReader, read: (reader: RowReader) => Row): ReadonlyArray<Row> => {
  const count = reader.count()
  if (count === 0) return []
  const rows: Array<Row> = []
  for (let i = 0; i < count; i++) rows.push(read(reader))
  return rows
}

const writeKeyed = <Row extends { readonly key: Key }>(
  writer: RowWriter,
  rows: ReadonlyArray<Row>,
  write: (writer: RowWriter, row: Row) => void
): void => {
  writer.count(rows.length)
  for (let from = 0; from < rows.length; from += TEXTS_TOGETHER) {
    const to = Math.min(from + TEXTS_TOGETHER, rows.length)
    let keys = ""
    for (let i = from; i < to; i++) keys += rows[i]!.key
    writer.column(keys)
    for (let i = from; i < to; i++) {
      const row = rows[i]!
      writer.count(row.key.length)
      write(writer, row)
    }
  }
}

const readKeyed = <Row>(reader: RowReader, read: (reader: RowReader, key: Key) => Row): ReadonlyArray<Row> => {
  const count = reader.count()
  const rows: Array<Row> = []
  while (rows.length < count) {
    const keys = reader.column()
    let at = 0
    for (let n = Math.min(TEXTS_TOGETHER, count - rows.length); n > 0; n--) {
      const end = at + reader.count()
      if (end > keys.length) throw reader.malformed("a key that ends where the keys do")
      rows.push(read(reader, keys.slice(at, end) as Key)) // a text that its sender calls one
      at = end
    }
    if (at !== keys.length) throw reader.malformed("no more keys than rows")
  }
  return rows
}

// ---- as schemas

const packed = <A>(
  write: (writer: RowWriter, all: ReadonlyArray<A>) => void,
  read: (reader: RowReader) => ReadonlyArray<A>
): Packed<A> =>
  Schema.Uint8Array.pipe(
    Schema.decodeTo(
      Schema.declare((value): value is ReadonlyArray<A> => Array.isArray(value)),
      SchemaTransformation.transformEffect({
        decode: (bytes: Uint8Array, options) => {
          const reader = new RowReader(bytes)
          try {
            const all = read(reader)
            if (!reader.isAtEnd()) throw reader.malformed("nothing after the rows")
            return Effect.succeed(all)
          } catch (thrown) {
            const at = thrown instanceof Malformed ? thrown : reader.malformed("other bytes")
            return Effect.fail(new SchemaIssue.InvalidValue({ expected: `${at.expected} at byte ${at.at}` }, bytes, options))
          }
        },
        encode: (all: ReadonlyArray<A>) => Effect.succeed(RowWriter.bytes(all, write))
      })
    )
  )

/** What has no form of its own here. Compiled at first use, for a process that starts has better to do. */
const bySchema = <A>(schema: Schema.Codec<A, unknown>) => {
  let encode: ((value: unknown) => Uint8Array<ArrayBuffer>) | undefined
  let decode: ((bytes: unknown) => A) | undefined
  return {
    encode: (value: A) => (encode ??= SchemaBinary.encoder(schema).encode)(value),
    decode: (bytes: Uint8Array): A => (decode ??= Schema.decodeUnknownSync(SchemaBinary.toCodec(schema)))(bytes)
  }
}
