/**
 * The floor's scheduler: the least that a scheduler of tasks with dependencies
 * does, in tables that are changed in place.
 *
 * It knows who needs what, gives each worker a window of tasks, prefers the
 * holder of an input, tells the client what is in memory, and forgets what is
 * released and needed by nobody. There is no failure that it survives, nothing
 * that it could explain, and no word from outside that it doubts.
 *
 * Arguments: the sockets for workers and for the client.
 */
import { createServer, type Server } from "node:net"
import { type Connection, connection, FromClient, FromWorker, ToClient, ToWorker } from "./connection.ts"

interface Task {
  readonly id: number
  readonly key: string
  readonly call: Uint8Array
  readonly needs: ReadonlyArray<Task>
  readonly neededBy: Array<Task>
  /** Inputs that are not there yet. */
  waiting: number
  /** Tasks that are not done yet and need this one. */
  waiters: number
  isWanted: boolean
  isDone: boolean
  run: number
  worker: Worker | undefined
}

interface Worker {
  readonly index: number
  readonly say: Connection<typeof ToWorker.Type>
  /** Tasks that were given to it and are not done. */
  given: number
}

/** Tasks that a worker may have at a time, as zero workers have. */
const WINDOW = 64

const tasks = new Map<number, Task>()
const workers: Array<Worker> = []
let client: Connection<typeof ToClient.Type> | undefined
let ready: Array<Task> = []
let firstReady = 0
let nextWorker = 0
let runs = 0

/** Gives out what is ready, as far as there is room. */
const give = () => {
  for (; firstReady < ready.length; firstReady++) {
    const task = ready[firstReady]!
    const worker = holderWithRoom(task) ?? anyWithRoom()
    if (worker === undefined) break
    task.worker = worker
    task.run = ++runs
    worker.given++
    worker.say.turn().compute.push({
      id: task.id,
      key: task.key,
      run: task.run,
      needs: task.needs.map(({ id, worker }) => ({ id, worker: worker!.index })),
      call: task.call
    })
  }
  if (firstReady < ready.length) return
  ready = []
  firstReady = 0
}

const hasRoom = (worker: Worker) => worker.given < WINDOW
const holderWithRoom = ({ needs }: Task) => needs.length === 0 || needs.length > WINDOW ? undefined : needs.find(({ worker }) => hasRoom(worker!))?.worker
const anyWithRoom = (): Worker | undefined => {
  for (let tried = 0; tried < workers.length; tried++) {
    const worker = workers[nextWorker]!
    nextWorker = (nextWorker + 1) % workers.length
    if (hasRoom(worker)) return worker
  }
  return undefined
}

const heardClient = ({ release, submit }: typeof FromClient.Type) => {
  for (const { call, id, key, needs } of submit) {
    const inputs = needs.map((need) => tasks.get(need)!)
    const task: Task = { id, key, call, needs: inputs, neededBy: [], waiting: 0, waiters: 0, isWanted: true, isDone: false, run: 0, worker: undefined }
    for (const input of inputs) {
      input.neededBy.push(task)
      input.waiters++
      if (!input.isDone) task.waiting++
    }
    tasks.set(id, task)
    if (task.waiting === 0) ready.push(task)
  }
  for (const id of release) {
    const task = tasks.get(id)!
    task.isWanted = false
    forgetUnneeded(task)
  }
  give()
}

const heardWorker = (worker: Worker, { done }: typeof FromWorker.Type) => {
  for (const { id, run, value } of done) {
    const task = tasks.get(id)
    if (task === undefined || task.run !== run) continue
    worker.given--
    task.isDone = true
    for (const dependent of task.neededBy) if (--dependent.waiting === 0) ready.push(dependent)
    for (const input of task.needs) {
      input.waiters--
      forgetUnneeded(input)
    }
    client?.turn().done.push({ id, worker: worker.index, value })
  }
  give()
}

const forgetUnneeded = (task: Task) => {
  if (task.isWanted || task.waiters > 0 || !task.isDone) return
  tasks.delete(task.id)
  task.worker?.say.turn().free.push(task.id)
}

const [workersAt, clientAt] = process.argv.slice(2)
const listening = (server: Server, path: string | undefined) => new Promise<void>((resolve) => server.listen(path, resolve))
const ends = () => process.exit(0)

await listening(
  createServer((socket) => {
    const say = connection(socket, FromWorker, ToWorker, () => ({ compute: [], free: [] }), (message) => heardWorker(worker, message))
    const worker: Worker = { index: workers.length, say, given: 0 }
    workers.push(worker)
    socket.on("error", ends)
  }),
  workersAt
)
await listening(
  createServer((socket) => {
    client = connection(socket, FromClient, ToClient, () => ({ done: [] }), heardClient)
    socket.on("error", ends).on("close", ends)
  }),
  clientAt
)
console.log("up")
