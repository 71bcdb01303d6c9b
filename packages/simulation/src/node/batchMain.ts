/**
 * A process that runs a batch: told its plan, it tells what it does.
 */
import type { Failure, Job, Tally } from "./Batch.ts"
import { runBatch } from "./Batch.ts"
import { jobsOf, type Plan } from "./Plan.ts"

/** What it tells the process that started it. */
export type Told =
  | { readonly _tag: "Running"; readonly job: Job }
  | { readonly _tag: "Did"; readonly tally: Tally }
  | { readonly _tag: "Failed"; readonly failure: Failure }
  | { readonly _tag: "Done" }

const tell = (told: Told): void => void process.send?.(told)

function* announced(jobs: Iterable<Job>): Generator<Job> {
  for (const job of jobs) {
    tell({ _tag: "Running", job })
    yield job
  }
}

// Whoever started it is gone.
process.on("disconnect", () => process.exit(1))

process.on("message", (plan: Plan) => {
  void runBatch({
    jobs: announced(jobsOf(plan, () => performance.now())),
    tell: (tally) => tell({ _tag: "Did", tally }),
    // Far apart, so that no two processes come to the same seeds.
    reducersFrom: plan.seed + plan.process * 1e9,
    explores: plan.process === 0 && plan.explores
  }).then(
    (failure) => tell(failure === undefined ? { _tag: "Done" } : { _tag: "Failed", failure }),
    (thrown: unknown) => {
      process.stderr.write(`${thrown instanceof Error ? thrown.stack : String(thrown)}\n`)
      process.exit(1)
    }
  )
})
