/**
 * `npm run simulate`: see packages/simulation/src/node/Arguments.ts, which has the options.
 */
import { endUnread } from "@skein/runtime/node/endUnread"
import { main } from "@skein/simulation/node/simulate"

// Its processes end with it.
endUnread(() => process.exit())
process.exitCode = await main(process.argv.slice(2))
