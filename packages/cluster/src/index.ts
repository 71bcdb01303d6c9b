/**
 * What is started: a cluster on this machine, or the parts of one.
 */
export { type AdaptOptions, Cluster, type ClusterService } from "@skein/client/Cluster"
export { Client } from "./Client.ts"
export { LocalCluster } from "./LocalCluster.ts"
export { type LocalClusterOptions, type Tasks } from "./Options.ts"
export { Scheduler, type SchedulerService } from "./Scheduler.ts"
export { type SchedulerOptions } from "./SchedulerOptions.ts"
export { Worker, type WorkerLayerOptions, type WorkerService } from "./Worker.ts"
export { type WorkerOptions } from "./WorkerOptions.ts"
