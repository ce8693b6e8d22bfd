// The public surface of @tourismo/client.

export { openTourismo, type Tourismo, type TourismoOptions } from "./client.ts";
export type { Views } from "./core.ts";
export { type ErrorCode, TourismoError } from "./errors.ts";
export type * from "./generated/types.ts";
export { type Persistence, requestPersistence } from "./persistence.ts";
export { type FeedDrive, type FeedPage, type PublishedDrive, type PublishedTrack, RelayReads } from "./relay-reads.ts";
