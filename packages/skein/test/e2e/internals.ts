/**
 * What a test needs to start a cluster by its parts.
 */
import * as Layer from "effect/Layer"
import * as NodeSockets from "@skein/runtime/worker/node/NodeSockets"
import * as Entries from "@skein/cluster/node/Entries"
import * as Image from "@skein/runtime/node/Image"
import { Network } from "@skein/transport/Memory"

export { here as machine } from "@skein/cluster/node/Machine"
export { plan } from "@skein/cluster/Options"
export { layer as NodeProcesses } from "@skein/runtime/node/NodeProcesses"
export { layer as Directory } from "@skein/cluster/node/PrivateDirectory"
export { layer as Hashing } from "@skein/transport/node/Hashing"
/** The image of what children run. It is made beside the first cluster that finds none, by a process that may outlive that: whoever counts processes has it made before. */
export const image = Image.make(Entries.all)
export const Sockets = Layer.provide(NodeSockets.layer, Network.layer)
