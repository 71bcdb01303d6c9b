/**
 * The versions of what this process is made of.
 */
import * as Layer from "effect/Layer"
import { Versions } from "../scheduler/Versions.ts"

/** With Node's. */
export const layer: Layer.Layer<never> = Layer.succeed(Versions, { ...Versions.defaultValue(), node: process.versions.node })
