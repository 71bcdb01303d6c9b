/**
 * Another world in the same state, sharing with the first what neither changes.
 *
 * This is done for every way out of every state, so collections are copied as
 * they are, and what is in them after that.
 */
import type { Body, Client, Future, Gathering, Line, Process, Session } from "../reducers/Parts.ts"
import { breaks, type Observer, World } from "../reducers/World.ts"
import { Keys, References, Store } from "./Tables.ts"

/** A copy that hears through `observer`. Events under way are not changed any more, so lists of them are shared. */
export const copyWorld = (world: World, observer: Observer): World => {
  const copy = new World(world.setup, world.tables, observer, world)
  const { sessions } = world
  copy.sessions = sessions.map(copySession)
  // Those that are over on both sides stand in no list; whoever still has one keeps it as it is.
  const session = (of: Session): Session => copy.sessions[sessions.indexOf(of)] ?? of
  copy.mailbox = world.mailbox.slice()
  copy.keys = world.keys instanceof Keys ? world.keys.copy() : breaks("the explorer copies tables", "keys")
  copy.workers = new Map(world.workers)
  for (const [id, of] of copy.workers) copy.workers.set(id, session(of))
  copy.processes = world.processes.map((process) => copyProcess(process, session))
  copy.clients = world.clients.map(copyClient)
  copy.exited = new Set(world.exited)
  copy.lives = world.lives.slice()
  copy.asks = new Map(world.asks)
  copy.produced = new Map(world.produced)
  copy.begun = world.begun.slice()
  return copy
}

const copyLine = <Message>({ arrivesAt, number, queue }: Line<Message>): Line<Message> => ({ number, queue: queue.slice(), arrivesAt })

const copySession = (session: Session): Session => ({ ...session, up: copyLine(session.up), down: copyLine(session.down) })

const copyProcess = (process: Process, session: (of: Session) => Session): Process => {
  const bodies = new Map<Body["run"], Body>()
  for (const [run, body] of process.bodies) bodies.set(run, { ...body })
  const gathers = new Map<Gathering["peer"], Gathering>()
  for (const [peer, gathering] of process.gathers) gathers.set(peer, { ...gathering })
  return {
    ...process,
    store: process.store instanceof Store ? process.store.copy() : breaks("the explorer copies tables", "store"),
    mailbox: process.mailbox.slice(),
    bodies,
    gathers,
    noted: new Set(process.noted),
    session: process.session === undefined ? undefined : session(process.session),
    contact: process.contact === undefined ? undefined : session(process.contact),
    reports: []
  }
}

const copyClient = (client: Client): Client => {
  const futures = new Map<Future["ref"], Future>()
  const byTask = new Map<number, Future>()
  for (const [ref, of] of client.futures) {
    const future = { ...of }
    futures.set(ref, future)
    byTask.set(future.task, future)
  }
  return {
    ...client,
    futures,
    byTask,
    renewed: new Set(client.renewed),
    up: copyLine(client.up),
    down: copyLine(client.down),
    refs: client.refs instanceof References ? client.refs.copy() : breaks("the explorer copies tables", "references")
  }
}
