/**
 * Which task runs where, remembered across an async function's awaits too.
 *
 * To enter a storage anew costs several times as much as a small body. So what
 * is entered is a cell, and all bodies that end in one step share it, one after
 * the other; a body that gives a promise keeps the cell, for what follows from
 * it finds that, and those after it get another.
 */
import { AsyncLocalStorage } from "node:async_hooks"
import { types } from "node:util"
import { type CurrentTask, keepWith } from "@skein/protocol/CurrentTask"

interface Cell {
  task: CurrentTask | undefined
}

let isInstalled = false

/** From now on, in this process or thread. Done again, it changes nothing: bodies may be running. */
export const install = (): void => {
  if (isInstalled) return
  isInstalled = true
  const storage = new AsyncLocalStorage<Cell>()
  let shared: Cell = { task: undefined }
  keepWith({
    run: (task, f) => {
      const cell = shared
      const before = cell.task
      const entered = storage.getStore()
      if (entered !== cell) storage.enterWith(cell)
      cell.task = task
      let isAsync = false
      try {
        const given = f()
        isAsync = types.isPromise(given)
        return given
      } finally {
        if (isAsync) shared = { task: before }
        else cell.task = before
        // Nobody is in the cell of the body that keeps it but that body; and whoever was in one of his own is in it again.
        if (entered !== cell && entered !== undefined) storage.enterWith(entered)
        else if (isAsync) storage.enterWith(shared)
      }
    },
    get: () => storage.getStore()?.task
  })
}
