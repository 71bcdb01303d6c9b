/**
 * What a client does: holds futures under numbers of its own, says what it wants,
 * and takes the news.
 *
 * Follows client/internal: references and submission. A number is never used
 * again, so that news of a key that was released meets nobody.
 */
import type { Ref } from "@skein/protocol/Ids"
import type { Client, Future, News, Saying } from "./Parts.ts"
import { breaks, type World } from "./World.ts"

/** Submits tasks with all that they depend on, as far as it does not hold them. `parts`: in how many messages. */
export const submit = (world: World, client: Client, places: ReadonlyArray<number>, parts: number): void => {
  if (client.left) return
  const rows: Array<Extract<Saying, { readonly _tag: "Submit" }>["rows"][number]> = []
  for (const place of withAncestors(world, client, places)) {
    const dependencies = (world.tasks.dependencies[place] ?? []).map((dependency) =>
      client.byTask.get(dependency)?.ref ?? breaks("the simulation submits dependencies first", `task ${place}`))
    const future: Future = { ref: client.nextRef++ as Ref, task: place, dependencies, status: pending } // this counter alone gives these numbers
    client.futures.set(future.ref, future)
    client.byTask.set(place, future)
    rows.push({ task: place, ref: future.ref, dependencies })
  }
  if (rows.length === 0) return
  const size = Math.ceil(rows.length / parts)
  for (let from = 0; from < rows.length; from += size) {
    say(world, client, { _tag: "Submit", rows: rows.slice(from, from + size), last: from + size >= rows.length })
  }
}

export const release = (world: World, client: Client, places: ReadonlyArray<number>): void => {
  const refs = held(client, places).map((future) => {
    client.futures.delete(future.ref)
    client.byTask.delete(future.task)
    return future.ref
  })
  if (refs.length > 0) say(world, client, { _tag: "Release", refs })
}

export const cancel = (world: World, client: Client, places: ReadonlyArray<number>, force: boolean): void => {
  const refs = held(client, places).map(({ ref }) => ref)
  if (refs.length > 0) say(world, client, { _tag: "Cancel", refs, force })
}

export const retry = (world: World, client: Client, places: ReadonlyArray<number>): void => {
  const refs = held(client, places).map((future) => {
    client.renewed.add(future.task)
    return future.ref
  })
  if (refs.length > 0) say(world, client, { _tag: "Retry", refs })
}

/** It ends its session in good order. */
export const leaveSession = (world: World, client: Client): void => {
  if (client.left) return
  say(world, client, { _tag: "Leave" })
  endClient(client)
}

/** It hears nothing more, and says nothing: it has left, or its process has ended. */
export const endClient = (client: Client): void => {
  client.left = true
  client.futures = new Map()
  client.byTask = new Map()
  client.down.queue = []
}

/** The next news arrive. Of keys that it has let go there is nothing to be told. */
export const takeNews = (world: World, client: Client): void => {
  const news = client.down.queue.shift()
  if (news === undefined || client.left) return
  for (const row of news) {
    const future = client.futures.get(row.ref)
    if (future !== undefined) change(world, client, future, row)
  }
}

const pending: Future["status"] = { _tag: "Pending" }

const change = (world: World, client: Client, future: Future, row: News): void => {
  switch (row._tag) {
    case "Pending":
      future.status = pending
      return
    case "Erred":
      future.status = { _tag: "Erred", failure: row.failure, origin: row.origin }
      return
    case "InMemory": {
      const { status } = future
      if (status._tag === "InMemory" && status.run === row.run && !client.renewed.has(future.task)) {
        breaks("C6 a client hears of each result once", `${client.name} of run ${row.run} of task ${future.task}`)
      }
      if (world.produced.get(row.run) !== future.task) {
        breaks("C2 the value of a future is its task's", `${client.name} is told of run ${row.run} for task ${future.task}`)
      }
      future.status = { _tag: "InMemory", run: row.run }
    }
  }
}

const held = (client: Client, places: ReadonlyArray<number>): ReadonlyArray<Future> =>
  client.left ? [] : places.map((place) => client.byTask.get(place)).filter((future) => future !== undefined)

/** Dependencies first; without what the client holds. A list and not recursion, for chains may be long. */
const withAncestors = (world: World, client: Client, places: ReadonlyArray<number>): ReadonlyArray<number> => {
  const seen = new Set<number>()
  const order: Array<number> = []
  for (const first of places) {
    const path: Array<{ readonly place: number; next: number }> = [{ place: first, next: 0 }]
    for (let visit = path.at(-1); visit !== undefined; visit = path.at(-1)) {
      const { place } = visit
      const dependency = seen.has(place) || client.byTask.has(place) ? undefined : world.tasks.dependencies[place]?.[visit.next++]
      if (dependency !== undefined) path.push({ place: dependency, next: 0 })
      else {
        if (!seen.has(place) && !client.byTask.has(place)) order.push(place)
        seen.add(place)
        path.pop()
      }
    }
  }
  return order
}

const say = (world: World, client: Client, saying: Saying): void => {
  if (client.left) return
  client.up.queue.push(saying)
  world.observer.fromClient(client)
}
