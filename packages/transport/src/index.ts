/**
 * How words are carried: sessions, RPC over them, bulk data. Knows nothing of
 * tasks. What needs Node is in `@skein/transport/node/…`.
 */
export * as Address from "./Address.ts"
export * as Bulk from "./Bulk.ts"
export { BulkClient } from "./BulkClient.ts"
export * as BulkServer from "./BulkServer.ts"
export * as Duplex from "./Duplex.ts"
export * as Handshake from "./Handshake.ts"
export { Hashing } from "./Hashing.ts"
export * as Memory from "./Memory.ts"
export * as Outbox from "./Outbox.ts"
export * as Session from "./Session.ts"
