// The public surface of @tourismo/client.

export { type AccountExport, type ExportOptions, exportAccount } from "./account-export.ts";
export { openTourismo, type Tourismo, type TourismoOptions } from "./client.ts";
export type { Status, Views } from "./core.ts";
export { type ErrorCode, TourismoError } from "./errors.ts";
export type * from "./generated/types.ts";
export {
  ArchiveFile,
  type DriveFixes,
  type DriveToImport,
  Importer,
  type ImporterOptions,
  type ReadOptions,
  type ReadProgress,
} from "./importer.ts";
export { type CollectorOptions, collectInbox, type InboxCollector } from "./inbox-collector.ts";
export type { StoredDocument } from "./messages.ts";
export { createPasskey, mayHavePasskeys, type PasskeyRecovery, readPasskey } from "./passkey.ts";
export { type Persistence, requestPersistence } from "./persistence.ts";
export { BrowserReadCache, MemoryReadCache, type ReadCache } from "./read-cache.ts";
export type * from "./relay-answers.ts";
export { type MeetsWanted, type PageOf, type QueryMeta, type Reader, RelayReads, type RoadsWanted } from "./relay-reads.ts";
export type { Evidence, Road, RoadPage, RoadWithDrives } from "./road-answers.ts";
export { RoadAtlas, type RoadExtract, type Square, squaresAround, squaresIn } from "./road-atlas.ts";
