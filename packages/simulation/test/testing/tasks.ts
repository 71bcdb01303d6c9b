/** Tasks of a small nightly report. */
import * as Effect from "effect/Effect"
import { Task } from "@skein/protocol/Task"

export const load = Task.fn("load", (day: number) => Effect.as(Effect.sleep("200 millis"), Array.from({ length: 10 }, (_, n) => day * 10 + n)))
export const sum = Task.fn("sum", (numbers: ReadonlyArray<number>) => numbers.reduce((total, n) => total + n, 0))
export const total = Task.fn("total", (...sums: ReadonlyArray<number>) => Effect.as(Effect.sleep("1 second"), sums.reduce((all, n) => all + n, 0)))
/** Takes the time from the real clock, which no seed determines. */
export const impure = Task.fn("impure", () => Effect.sync(() => Date.now()))
/** Waits for promises, which settle by the event loop. */
export const promises = Task.fn("promises", (n: number) => Effect.promise(async () => n + 1))
export const asynchronous = Task.fn("asynchronous", async (n: number) => n + 1)
