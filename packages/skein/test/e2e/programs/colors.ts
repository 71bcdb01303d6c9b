/** What Node cannot import: it strips types, and an enum is more. */
import { Task } from "skein"

// @ts-expect-error the compiler says so too
enum Color { Red = "red" }

export const paint = Task.fn("paint", (n: number) => `${Color.Red} ${n}`)
