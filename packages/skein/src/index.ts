/**
 * What is installed: the public names.
 */
export {
  type CancelOptions, type ClientOptions, type ClientService, type Completed, type Completions, type ErrorsOf, Future, type FutureStatus,
  FutureTypeId, type Gathered, type Input, type Inspect, type MapItems, type MapOptions, type MapStream, type MapStreamOptions, type ScatterOptions, type Submit, type TaskInfo, type TaskProgress, type TlsOptions, type WorkerInfo
} from "@skein/client"
export {
  type AdaptOptions, Client, Cluster, type ClusterService, LocalCluster, type LocalClusterOptions, Scheduler, type SchedulerOptions, type Tasks, Worker,
  type WorkerOptions
} from "@skein/cluster"
export {
  AwaitedInBatch, BadOption, ClientClosed, ClusterError, ConnectError, ForeignFuture, FutureReleased, NameUnknown, NotShippable, Overloaded, PayloadInvalid, SubmitError,
  TooLarge, Unauthorized, Unreachable
} from "@skein/protocol/Errors"
export {
  Attempt, DataLost, KeyConflict, KilledWorker, NoEligibleWorker, ResultInvalid, SchedulerLost, TaskCancelled, TaskDefect, TaskError, TaskOrigin,
  TaskTimeout
} from "@skein/protocol/Failure"
export { Portable } from "@skein/protocol/Portable"
export { type CurrentTask, TaskContext, type TaskContextService } from "@skein/protocol/TaskContext"
export { type FnOptions, type FnTask, type SubmitOptions, Task, type TaskDefaults, type TaskServices } from "@skein/protocol/Task"
