/**
 * What is started: a cluster on this machine.
 */
export { Cluster, type ClusterService } from "./Cluster.ts"
export { LocalCluster } from "./LocalCluster.ts"
export { type LocalClusterOptions, type Tasks } from "./Options.ts"
