/** Another world in the same state, sharing with the first what neither changes. */
import type { Process, Session } from "../reducers/Parts.ts"
import { breaks, type Observer, World } from "../reducers/World.ts"
import { Keys, References, Store } from "./Tables.ts"

/** A copy that hears through `observer`. Events under way are not changed any more, so lists of them are shared. */
export const copyWorld = (world: World, observer: Observer): World => {
  const sessions = new Map<Session, Session>()
  const session = (of: Session): Session => {
    let copy = sessions.get(of)
    if (copy === undefined) {
      copy = { ...of, up: { ...of.up, queue: of.up.queue.slice() }, down: { ...of.down, queue: of.down.queue.slice() } }
      sessions.set(of, copy)
    }
    return copy
  }
  const copy = new World(world.setup, world.tables, observer, world)
  copy.mailbox = world.mailbox.slice()
  copy.keys = world.keys instanceof Keys ? world.keys.copy() : breaks("the explorer copies tables", "keys")
  copy.sessions = world.sessions.map(session)
  copy.workers = new Map([...world.workers].map(([id, of]) => [id, session(of)]))
  copy.processes = world.processes.map((process) => copyProcess(process, session))
  copy.clients = world.clients.map((client) => ({
    ...client,
    futures: new Map([...client.futures].map(([ref, future]) => [ref, { ...future }])),
    byTask: new Map(),
    renewed: new Set(client.renewed),
    up: { ...client.up, queue: client.up.queue.slice() },
    down: { ...client.down, queue: client.down.queue.slice() },
    refs: client.refs instanceof References ? client.refs.copy() : breaks("the explorer copies tables", "references")
  }))
  for (const client of copy.clients) for (const future of client.futures.values()) client.byTask.set(future.task, future)
  copy.exited = new Set(world.exited)
  copy.lives = world.lives.slice()
  copy.asks = new Map(world.asks)
  copy.produced = new Map(world.produced)
  copy.begun = world.begun.slice()
  return copy
}

const copyProcess = (process: Process, session: (of: Session) => Session): Process => ({
  ...process,
  store: process.store instanceof Store ? process.store.copy() : breaks("the explorer copies tables", "store"),
  mailbox: process.mailbox.slice(),
  bodies: new Map([...process.bodies].map(([run, body]) => [run, { ...body }])),
  gathers: new Map([...process.gathers].map(([peer, gathering]) => [peer, { ...gathering }])),
  noted: new Set(process.noted),
  session: process.session === undefined ? undefined : session(process.session),
  contact: process.contact === undefined ? undefined : session(process.contact),
  reports: []
})
