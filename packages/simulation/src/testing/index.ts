/**
 * What "skein/testing" offers.
 */
import * as Live from "./node/Live.ts"
import { Sim as SimTag } from "./Sim.ts"

export { it, type SimTestOptions } from "./it.ts"
export type { Distribution, FaultRates, SimOptions, TaskCost } from "./Options.ts"

/** What a program under simulation may ask of the world around it. */
export class Sim extends SimTag {
  static layer = Live.layer
}
