/**
 * Which task runs where, remembered across an async function's awaits too.
 */
import { AsyncLocalStorage } from "node:async_hooks"
import { type CurrentTask, keepWith } from "@skein/protocol/CurrentTask"

/** From now on, in this process or thread. */
export const install = (): void => {
  const storage = new AsyncLocalStorage<CurrentTask>()
  keepWith({ run: (task, f) => storage.run(task, f), get: () => storage.getStore() })
}
