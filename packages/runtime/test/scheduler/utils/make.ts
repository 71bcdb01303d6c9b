/** Short names for what these tests are made of. */
import { createHash } from "node:crypto"
import { type CodeDef, digestOf } from "@skein/protocol/Code"
import type { SubmittedTask } from "@skein/protocol/Graph"
import { CodeRef, Key, ProcessId, Ref, TaskId } from "@skein/protocol/Ids"
import type { Registration } from "@skein/protocol/WorkerRpcs"

export const sha256 = (bytes: Uint8Array): Uint8Array => new Uint8Array(createHash("sha256").update(bytes).digest())

export const key = (name: string) => Key.make(name)
export const ref = (n: number) => Ref.make(n)
export const id = (n: number) => TaskId.make(n)
export const process = (name: string) => ProcessId.make(name)

/** A function that says everything in its text. */
export const code = (name: string, text = `() => "${name}"`): CodeDef => ({
  digest: digestOf({ name, module: null, text, version: 1 }, sha256),
  name,
  kind: "function",
  text,
  module: null,
  moduleFirst: false,
  body: "effect",
  isolation: "fiber",
  version: 1
})

const noArgs = new Uint8Array(0)

/** A task that the code 0 computes. */
export const task = (n: number, name: string, dependencies: ReadonlyArray<number> = [], more: Partial<SubmittedTask> = {}): SubmittedTask => ({
  ref: ref(n),
  key: key(name),
  code: CodeRef.make(0),
  args: noArgs,
  dependencies: dependencies.map(ref),
  priority: 0,
  retries: 0,
  isolation: "fiber",
  ...more
})

export const declared = (def: CodeDef, n = 0) => ({ ref: CodeRef.make(n), def })

export const registration = (name: string, more: Partial<Registration> = {}): Registration => ({
  name,
  process: process(`${name}/1`),
  pid: 1,
  host: "localhost",
  dataAddress: `inproc://${name}`,
  nthreads: 1,
  nfibers: 4,
  memoryLimitBytes: null,
  resources: {},
  nanny: null,
  localDirectory: "/nowhere",
  holds: [],
  ...more
})
