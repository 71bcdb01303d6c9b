import { assert, describe, it } from "@effect/vitest"
import { Exit, Schema } from "effect"
import { SchemaBinary } from "effect/encoding"
import type { Rpc } from "effect/rpc"
import { ClientReport, ClientReportRpcs } from "@skein/protocol/ClientRpcs"
import { Graph, SubmittedTask } from "@skein/protocol/Graph"
import { WorkerCommand, WorkerCommandRpcs, WorkerReport, WorkerRpcs } from "@skein/protocol/WorkerRpcs"

/** What travels, as the duplex makes bytes of it: a value of this schema. */
const wire = <A>(schema: Schema.Codec<A, unknown>) => {
  const codec = SchemaBinary.toCodec(schema)
  const { encode } = SchemaBinary.encoder(schema)
  return {
    bytes: (value: A): Uint8Array => encode(value).slice(),
    value: Schema.decodeUnknownSync(codec),
    exit: Schema.decodeUnknownExit(codec)
  }
}
const segmentsOf = ({ requests }: { readonly requests: ReadonlyMap<string, Rpc.Any> }, tag: string) =>
  (requests.get(tag) as Rpc.AnyWithProps).payloadSchema as unknown as Schema.Struct<{ segments: Schema.Codec<ReadonlyArray<unknown>, unknown> }> // as its contract says
const schemas = {
  graph: Graph,
  reports: segmentsOf(WorkerRpcs, "Report"),
  commands: segmentsOf(WorkerCommandRpcs, "Command"),
  news: segmentsOf(ClientReportRpcs, "Report")
}
const graphs = wire(schemas.graph)
const reports = wire(schemas.reports)
const commands = wire(schemas.commands)
const news = wire(schemas.news)
/** What arrives if each segment travels by its schema. */
const bySchema = <A>(schema: Schema.Codec<A, unknown>) => {
  const { bytes, value } = wire(Schema.Struct({ segments: Schema.Array(schema) }))
  return (segments: ReadonlyArray<A>) => value(bytes({ segments }))
}

/** The packed bytes themselves, without what stands around them. */
const packed = (schema: Schema.Codec<unknown, unknown>) => ({
  bytes: (value: unknown): Uint8Array => (Schema.encodeUnknownSync(schema)(value) as Uint8Array).slice(),
  exit: Schema.decodeUnknownExit(schema)
})
const lists = {
  tasks: packed(schemas.graph.fields.tasks),
  reports: packed(schemas.reports.fields.segments),
  commands: packed(schemas.commands.fields.segments),
  news: packed(schemas.news.fields.segments)
}

const odd = [0, -0, 1, 127, 128, 2 ** 31 - 1, 2 ** 31, 2 ** 53, -1, 1.5, NaN, Infinity, -Infinity]
const id = <A extends number>(n: number) => n as A // any number may be sent; which of them is an id is for the receiver to say
const task = (n: number, key: string, more: Partial<SubmittedTask> = {}): SubmittedTask => ({
  ref: id(n),
  key: key as SubmittedTask["key"],
  code: id(0),
  args: new Uint8Array([n]),
  dependencies: [],
  priority: 0,
  retries: 0,
  isolation: "fiber",
  ...more
})
const samples = {
  tasks: [task(1, "a", { dependencies: [id(7), id(300)] }), task(200, "", { isolation: "thread", priority: -0.5 }), task(3, "日本-😀"), task(4, "t", { terms: 0 }), task(5, "u", { terms: 300, rules: { timeoutMs: Infinity, delayMs: 1, factor: 2, maxDelayMs: 3 } })],
  reports: [
    { _tag: "Finished", rows: [{ id: 1, run: 2, nbytes: 3, ms: 0.25, value: new Uint8Array([5, 6]) }, { id: 1e6, run: 1e10, nbytes: 0, ms: 1, value: new Uint8Array() }] },
    { _tag: "ReplicasAdded", rows: [{ id: 4, run: 5, nbytes: 6 }] },
    { _tag: "Failed", rows: [{ id: 1, run: 2, ms: 3, failure: new Uint8Array([4]), retryable: true }] },
    { _tag: "Load", memoryBytes: 1, managedBytes: 2 }
  ],
  commands: [
    { _tag: "Peers", peers: [{ worker: 1, address: "unix:/x" }] },
    {
      _tag: "Compute",
      rows: [{
        id: 1, run: 2, key: "k", code: 3, args: new Uint8Array([1]), isolation: "thread", priority: 1, rank: 2, attempt: 3, alone: true, decisive: true,
        dependencies: [{ id: 4, run: 5, nbytes: 6, whoHas: [7, 8] }]
      }]
    },
    { _tag: "Free", rows: [{ id: 1, run: 2 }] },
    { _tag: "Cancel", rows: [{ id: 3, run: 4 }] },
    { _tag: "TakeBack", rows: [{ id: 5, run: 6 }] }
  ],
  news: [
    { _tag: "InMemory", rows: [{ ref: 1, id: 2, run: 3, nbytes: 4, worker: 5, value: new Uint8Array([6]) }] },
    { _tag: "Pending", refs: [1] }
  ]
} as const

/** The same rows each time. */
const fixed = { arbitrary: { seed: 1 } }

describe("rows that travel packed", () => {
  /** A text without lone surrogates, which UTF-8 cannot say. */
  const wellFormed = <Text extends string>(text: Text): Text => Buffer.from(text).toString() as Text
  const keyed = <Row extends { readonly key: SubmittedTask["key"] }>(rows: ReadonlyArray<Row>) => rows.map((row) => ({ ...row, key: wellFormed(row.key) }))

  it.prop("tasks arrive as they were sent", [Schema.Array(SubmittedTask)], ([some]) => {
    const graph = { codes: [], tasks: keyed(some), last: true }
    assert.deepStrictEqual(graphs.value(graphs.bytes(graph)), graph)
  }, fixed)

  it.prop("reports of workers arrive as their schema says", [Schema.Array(WorkerReport)], ([segments]) => {
    assert.deepStrictEqual(reports.value(reports.bytes({ segments })), bySchema(WorkerReport)(segments))
  }, fixed)

  it.prop("commands for workers arrive as their schema says", [Schema.Array(WorkerCommand)], ([some]) => {
    const segments = some.map((segment) => segment._tag === "Compute" ? { ...segment, rows: keyed(segment.rows) } : segment)
    assert.deepStrictEqual(commands.value(commands.bytes({ segments })), bySchema(WorkerCommand)(segments))
  }, fixed)

  it.prop("news for clients arrive as their schema says", [Schema.Array(ClientReport)], ([segments]) => {
    assert.deepStrictEqual(news.value(news.bytes({ segments })), bySchema(ClientReport)(segments))
  }, fixed)

  it("keep every number, also those that name nothing", () => {
    const rows = odd.map((n) => ({ id: id<never>(n), run: id<never>(n), nbytes: n, ms: n, value: new Uint8Array() }))
    const segments = [{ _tag: "Finished" as const, rows }]
    assert.deepStrictEqual(reports.value(reports.bytes({ segments })), { segments })
    const graph = { codes: [], tasks: odd.map((n) => task(n, "k", { priority: n, retries: n, dependencies: [id(n)] })), last: false }
    assert.deepStrictEqual(graphs.value(graphs.bytes(graph)), graph)
  })

  it("keep keys of every length, and of all scripts, across the columns they stand in", () => {
    const keys = Array.from({ length: 200 }, (_, n) => ["", "a", "ä", "日本", "😀", "x".repeat(n)][n % 6] + `${n}`)
    const graph = { codes: [], tasks: [...keys, "y".repeat(100_000)].map((key, n) => task(n, key)), last: true }
    assert.deepStrictEqual(graphs.value(graphs.bytes(graph)), graph)
  })

  it("do not keep the frame that they came in", () => {
    const bytes = graphs.bytes({ codes: [], tasks: Array.from({ length: 1_000 }, (_, n) => task(n, `k${n}`)), last: true })
    const { tasks: [first] } = graphs.value(bytes)
    assert.isBelow(first!.args.buffer.byteLength, 100)
    bytes.fill(0)
    assert.deepStrictEqual(first!.args, new Uint8Array([0]))
  })

  it("values of one byte arrive as they were, each time", () => {
    const rows = Array.from({ length: 512 }, (_, n) => ({ id: id<never>(n), run: id<never>(n), nbytes: 1, ms: 0, value: Uint8Array.of(n & 255) }))
    const segments = [{ _tag: "Finished" as const, rows }]
    const bytes = reports.bytes({ segments })
    const arrived = reports.value(bytes)
    bytes.fill(0)
    assert.deepStrictEqual(arrived, { segments })
    assert.deepStrictEqual(reports.value(reports.bytes({ segments })), { segments })
  })

  it("long bytes go through, and leave no long buffer behind for the next message", () => {
    const args = new Uint8Array(5 << 20).fill(7)
    const graph = { codes: [], tasks: [task(1, "big", { args })], last: true }
    assert.deepStrictEqual(graphs.value(graphs.bytes(graph)), graph)
    assert.isBelow(graphs.bytes({ ...graph, tasks: [task(1, "small")] }).buffer.byteLength, 1_000)
  })
})

describe("packed bytes from anybody", () => {
  for (const [name, list] of Object.entries(lists)) {
    const good = list.bytes(samples[name as keyof typeof samples])

    it(`${name}: noise gives rows or an issue of the schema, never anything else`, () => {
      let state = 1
      const next = () => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) / 2 ** 32
      let read = 0
      for (let i = 0; i < 5_000; i++) {
        const bytes = i % 2 === 0 ? Uint8Array.from({ length: Math.floor(next() * 60) }, () => next() * (i % 4 === 0 ? 256 : 6)) : good.slice()
        if (i % 2 === 1) for (let n = 0; n < 2; n++) bytes[Math.floor(next() * bytes.length)] = next() * 256
        const exit = list.exit(bytes)
        if (Exit.isSuccess(exit)) read++
        else assert.isTrue(exit.cause.reasons.every(({ _tag }) => _tag === "Fail"), String(exit.cause))
      }
      assert.isAbove(read, 10)
    })

    it(`${name}: no part of them is taken for the whole, and nothing may follow`, () => {
      for (let length = 1; length < good.length; length++) {
        const exit = list.exit(good.subarray(0, length))
        // Segments stand one behind another: less of them may be whole ones, but never what was sent.
        if (Exit.isSuccess(exit)) assert.isBelow((exit.value as ReadonlyArray<unknown>).length, samples[name as keyof typeof samples].length)
      }
      assert.isTrue(Exit.isFailure(list.exit(new Uint8Array([...good, 99]))))
    })
  }

  it("a count that the bytes cannot hold makes no long list", () => {
    const huge = [0xff, 0xff, 0xff, 0xff, 0x0f]
    const claims: ReadonlyArray<readonly [keyof typeof lists, ReadonlyArray<number>]> = [
      ["tasks", huge],
      ["tasks", [1, ...huge]],
      ["tasks", [1, 1, 97, 1, 128, 128, 0, 128, 128, ...huge]],
      ["reports", [1, ...huge]],
      ["reports", [0, ...huge]],
      ["commands", [2, ...huge, 128, 128]],
      ["news", [1, ...huge, 128]]
    ]
    for (const [name, bytes] of claims) {
      const before = process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed
      assert.isTrue(Exit.isFailure(lists[name].exit(new Uint8Array(bytes))), `${name} ${bytes}`)
      assert.isBelow(process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed - before, 4 << 20)
    }
  })

  it("keys that are longer or shorter together than their rows say are refused", () => {
    const bytes = lists.tasks.bytes([task(1, "ab")])
    assert.deepStrictEqual([...bytes.subarray(0, 5)], [1, 2, 97, 98, 2])
    for (const length of [0, 1, 3]) {
      const other = bytes.slice()
      other[4] = length
      assert.isTrue(Exit.isFailure(lists.tasks.exit(other)), `${length}`)
    }
  })

  it("keys that are no UTF-8 are refused", () => {
    const bytes = lists.tasks.bytes([task(1, "ab")])
    bytes[3] = 0xff
    assert.isTrue(Exit.isFailure(lists.tasks.exit(bytes)))
  })
})
