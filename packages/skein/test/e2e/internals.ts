/**
 * What a test needs to start a cluster by its parts.
 */
import * as Layer from "effect/Layer"
import * as NodeSockets from "@skein/runtime/worker/node/NodeSockets"
import { Network } from "@skein/transport/Memory"

export { here as machine } from "@skein/cluster/node/Machine"
export { plan } from "@skein/cluster/Options"
export { layer as NodeProcesses } from "@skein/runtime/node/NodeProcesses"
export { layer as Directory } from "@skein/cluster/node/PrivateDirectory"
export { layer as Hashing } from "@skein/transport/node/Hashing"
export const Sockets = Layer.provide(NodeSockets.layer, Network.layer)
