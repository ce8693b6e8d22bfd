// Messages between tabs, and between a page and its worker. They are sent by structured clone.

import type { Views } from "./core.ts";
import { type ErrorCode, TourismoError } from "./errors.ts";
import type { Command, CommandOutcome, DriveQuery, FoundDrives, Input, StorageFailure, Topic } from "./generated/types.ts";

/** A request of a page to the owner. */
export type PageRequest =
  | { type: "command"; command: Command }
  | { type: "read"; topic: Topic }
  | { type: "findDrives"; query: DriveQuery }
  /** The public key of this device. */
  | { type: "device" }
  /** Everything that is stored of every document. */
  | { type: "documents" }
  /** An event of a page: of its sensor, its visibility or its network. */
  | { type: "tell"; input: PageInput };

/** The inputs that come from pages. All others come from the environment of the owner. */
export type PageInput = Extract<Input, { type: "fix" | "sensorFailed" | "hidden" | "shown" | "network" }>;

/** The result of a request: the outcome of a command, a view, found drives, documents, a key, or nothing. */
export type RequestResult = CommandOutcome | Views[Topic] | FoundDrives | StoredDocument[] | Uint8Array | null;

/** A document as this device stores it. */
export interface StoredDocument {
  /** Its id, hyphenated. */
  id: string;
  /** Automerge chunks, concatenated: what `load` of Automerge reads. */
  automerge: Uint8Array;
}

/** A result or an error, as it is sent. */
export type Reply =
  | { ok: true; result: RequestResult }
  | { ok: false; code: ErrorCode; message: string; storageFailure: StorageFailure | undefined };

/** Messages of a page to its worker. */
export type ToWorker =
  | { type: "open"; options: WorkerOptions }
  | { type: "ask"; request: number; ask: PageRequest }
  | { type: "close" };

/** Messages of a worker to its page. */
export type FromWorker =
  | { type: "reply"; request: number; reply: Reply }
  | { type: "changed"; topics: readonly Topic[] }
  | { type: "failed"; code: ErrorCode; message: string };

/** The options of a worker. */
export interface WorkerOptions {
  /** The name of the database, the lock and the channel. */
  name: string;
  /** The WebSocket address of the relay. */
  relay: string;
  /** The URL of the WASM; `undefined` if it is beside the package's JavaScript. */
  wasm: string | undefined;
}

/** Messages between tabs. `to` and `from` are ids of peers. */
export type PeerMessage =
  | { type: "who"; from: string }
  | { type: "opens"; from: string }
  | { type: "owns"; from: string }
  | { type: "ask"; from: string; to: string; request: number; ask: PageRequest }
  | { type: "reply"; from: string; to: string; request: number; reply: Reply }
  | { type: "ping"; from: string; to: string }
  | { type: "pong"; from: string; to: string }
  | { type: "changed"; from: string; topics: readonly Topic[] };

/** The reply for an error. */
export function failedReply(error: TourismoError): Reply {
  return { ok: false, code: error.code, message: error.message, storageFailure: error.storageFailure };
}

/** The error of a reply. */
export function errorOf(reply: Extract<Reply, { ok: false }>): TourismoError {
  return new TourismoError(reply.code, reply.message, reply.storageFailure);
}
