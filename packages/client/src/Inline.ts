/**
 * A client without a cluster: what is submitted runs in this very program, each
 * task in a fiber. For unit tests of programs that submit tasks.
 *
 * It is the client's own machinery, futures and all, over a scheduler of one
 * program (internal/inline). Nothing of it looks at the clock, so virtual time
 * makes no difference to it but where tasks ask for it.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Hex from "effect/encoding/Hex"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { SchedulerLost } from "@skein/protocol/Failure"
import type { InTaskClient } from "@skein/protocol/TaskContext"
import * as Bulk from "@skein/transport/Bulk"
import { Hashing } from "@skein/transport/Hashing"
import { Collecting } from "./Collecting.ts"
import { INLINE } from "./internal/inline/attempt.ts"
import { makeInlineCodes } from "./internal/inline/code.ts"
import { makeInlineScheduler } from "./internal/inline/scheduler.ts"
import type { Core } from "./internal/core.ts"
import * as Outbox from "./internal/outbox.ts"
import { References } from "./internal/references.ts"
import { Platform } from "./Platform.ts"

/** What stands where a scheduler's address would. */
const ADDRESS = "inline://"

/** Its core; tasks that run end with the scope. `around`: the client as bodies find it around them, made of the core. */
export const inlineCore = Effect.fnUntraced(function*(
  around: (core: Core) => { readonly context: Context.Context<never>; readonly client: InTaskClient }
): Effect.fn.Return<Core, never, Platform | Hashing | Scope.Scope> {
  const platform = yield* Platform
  const hashing = yield* Hashing
  const collecting = yield* Collecting
  const unique = Hex.encode(hashing.random(16))
  const client = { id: `${INLINE}-${unique.slice(0, 12)}`, name: INLINE }
  const codes = yield* makeInlineCodes({ sha256: hashing.sha256, packageAt: platform.packageAt, sourceOf: platform.sourceOf })
  const outbox = yield* Outbox.make
  const references = new References(client.name, (ref) => outbox.offer({ _tag: "Release", ref }))
  const end = () => references.end(SchedulerLost.at(ADDRESS))
  const scheduler = yield* makeInlineScheduler({
    client,
    bodyOf: codes.bodyOf,
    report: (segments) => references.report(segments),
    around: () => face,
    end
  })
  const { Detach, Release, Retry, Submit, Want, Watch } = scheduler.client
  yield* outbox.run({
    submit: (graph) => Submit({ graph }),
    release: (refs) => Release({ refs }),
    retry: (refs) => Retry({ refs }),
    detach: (refs) => Detach({ refs }),
    want: (rows) => Want({ rows }),
    watch: (ref, on) => Watch({ ref, on })
  }).pipe(Effect.ensuring(Effect.sync(end)), Effect.forkScoped({ startImmediately: true }))
  let closed = false
  let calls = 0
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      closed = true
      end()
    })
  )
  const core: Core = {
    ...client,
    address: ADDRESS,
    references,
    outbox,
    scheduler: Effect.succeed(scheduler.client),
    connection: Stream.make("connected"),
    bulk: {
      // Values come with their news.
      fetch: (_, wanted) => Effect.succeed(wanted.map(() => Bulk.missing)),
      put: (_, { id }, bytes) => Effect.sync(() => scheduler.put(id, bytes)),
      idle: () => 0
    },
    codeOf: codes.codeOf,
    // What values are of is in this program.
    learn: () => Effect.void,
    digest: (bytes) => hashing.sha256Hex(bytes).slice(0, 32),
    fresh: () => `${unique.slice(12)}-${calls++}`,
    collecting,
    terminal: platform.terminal,
    isClosed: () => closed
  }
  const face = around(core)
  return core
})
