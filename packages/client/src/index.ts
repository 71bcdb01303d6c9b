/**
 * What is offered: clients and futures.
 */
export { type Completed, type Completions } from "./AsCompleted.ts"
export { Client, type ClientService } from "./Client.ts"
export { type ClientOptions, type TlsOptions } from "./ClientOptions.ts"
export { type CancelOptions, Future, type FutureStatus, FutureTypeId, type TaskProgress } from "./Future.ts"
export { type ErrorsOf, type Gathered, type Input } from "./Input.ts"
export { type Inspect, type TaskInfo, type WorkerInfo } from "./Inspect.ts"
export { type ScatterOptions } from "./Scatter.ts"
export { type MapItems, type MapOptions, type MapStream, type MapStreamOptions, type Submit } from "./Submit.ts"
