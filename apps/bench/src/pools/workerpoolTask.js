/** What workerpool's threads run. */
import workerpool from "workerpool"

workerpool.worker({ inc: (n) => n + 1 })
