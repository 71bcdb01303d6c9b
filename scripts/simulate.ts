/**
 * `npm run simulate`: see packages/simulation/src/node/Arguments.ts, which has the options.
 */
import { main } from "@skein/simulation/node/simulate"

process.exitCode = await main(process.argv.slice(2))
