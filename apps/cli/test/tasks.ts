/**
 * A module that workers import.
 */
import { Task } from "skein"

export const inc = Task.fn("inc", (n: number) => n + 1)
