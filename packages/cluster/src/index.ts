/**
 * What is started: a cluster on this machine.
 */
export { type AdaptOptions, Cluster, type ClusterService } from "@skein/client/Cluster"
export { LocalCluster } from "./LocalCluster.ts"
export { type LocalClusterOptions, type Tasks } from "./Options.ts"
