/**
 * What a test needs to start a cluster by its parts.
 */
import { Network as NetworkService } from "@skein/transport/Memory"

export { here as machine } from "@skein/cluster/node/Machine"
export { plan } from "@skein/cluster/Options"
export { layer as NodeProcesses } from "@skein/runtime/node/NodeProcesses"
export { layer as Hashing } from "@skein/transport/node/Hashing"
export const Network = NetworkService.layer
