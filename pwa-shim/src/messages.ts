// What tabs say to each other and a page to its worker. All of it crosses by structured clone.

import type { Views } from "./core.ts";
import { type ErrorCode, TourismoError } from "./errors.ts";
import type { Command, Input, Outcome, StorageFailure, Topic } from "./generated/types.ts";

/** Something that a page asks of the owner. */
export type Ask =
  | { type: "command"; command: Command }
  | { type: "read"; topic: Topic }
  /** The public key of this device. */
  | { type: "device" }
  /** Something that happened on a page: to its sensor, its visibility, its network. */
  | { type: "tell"; input: PageInput };

/** The inputs that come from pages. All others come from the owner's own surroundings. */
export type PageInput = Extract<Input, { type: "fix" | "sensorFailed" | "hidden" | "shown" | "network" }>;

/** What an ask may be answered with: how a command ended, a view, a key, or nothing. */
export type Answer = Outcome | Views[Topic] | Uint8Array | null;

/** An answer or an error, as it crosses. */
export type Reply =
  | { ok: true; answer: Answer }
  | { ok: false; code: ErrorCode; message: string; storageFailure: StorageFailure | undefined };

/** What a page says to its worker. */
export type ToWorker = { type: "open"; options: WorkerOptions } | { type: "ask"; request: number; ask: Ask } | { type: "close" };

/** What a worker says to its page. */
export type FromWorker =
  | { type: "reply"; request: number; reply: Reply }
  | { type: "changed"; topics: readonly Topic[] }
  | { type: "failed"; code: ErrorCode; message: string };

/** What a worker needs to know to begin. */
export interface WorkerOptions {
  /** Names the database, the lock and the channel. */
  name: string;
  /** The WebSocket address of the relay. */
  relay: string;
  /** Where the WASM is, unless beside the package's JavaScript. */
  wasm: string | undefined;
}

/** What tabs say to each other. `to` and `from` are names of peers. */
export type PeerMessage =
  | { type: "who"; from: string }
  | { type: "opens"; from: string }
  | { type: "owns"; from: string }
  | { type: "ask"; from: string; to: string; request: number; ask: Ask }
  | { type: "reply"; from: string; to: string; request: number; reply: Reply }
  | { type: "ping"; from: string; to: string }
  | { type: "pong"; from: string; to: string }
  | { type: "changed"; from: string; topics: readonly Topic[] };

/** Wraps an error so that it can cross. */
export function failedReply(error: TourismoError): Reply {
  return { ok: false, code: error.code, message: error.message, storageFailure: error.storageFailure };
}

/** The error that crossed. */
export function errorOf(reply: Extract<Reply, { ok: false }>): TourismoError {
  return new TourismoError(reply.code, reply.message, reply.storageFailure);
}
