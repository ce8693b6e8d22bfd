// The one error type of the package. Its code is stable; its message is for people who read logs.

import type { CommandError, StorageFailure } from "./generated/types.ts";

/** Why something could not be done: what the core refuses, and what the browser or the relay does. */
export type ErrorCode =
  | CommandError
  /** Done in memory only; `storageFailure` says why. It is lost if the app ends before storage works again. */
  | "not_stored"
  /** The tab that did the work is gone. The command may or may not have been done. */
  | "owner_lost"
  /** The engine was closed. */
  | "closed"
  /** This browser lacks something that Tourismo cannot do without; the message names it. */
  | "unsupported"
  /** The page came over plain http: browsers give it neither positions nor keys. */
  | "insecure_context"
  /** The phone's storage cannot be opened. */
  | "storage_unavailable"
  /** The core stopped because of an error of its own. What was on disk is safe. */
  | "core_failed"
  /** The relay cannot be reached, or cannot answer at the moment. */
  | "relay_unreachable"
  /** The relay answered with something else than expected. */
  | "relay_failed"
  /** The relay has nothing of that name, or keeps it from you. */
  | "not_on_relay"
  /** The relay does not believe that this device reads for its account. */
  | "not_allowed";

/** An expected refusal. */
export class TourismoError extends Error {
  override readonly name = "TourismoError";
  readonly code: ErrorCode;
  /** Why storage refused, if `code` is `not_stored`. */
  readonly storageFailure: StorageFailure | undefined;

  constructor(code: ErrorCode, message?: string, storageFailure?: StorageFailure) {
    super(message ?? code);
    this.code = code;
    this.storageFailure = storageFailure;
  }

  /** The error that stands for anything thrown. */
  static from(thrown: unknown, code: ErrorCode): TourismoError {
    return thrown instanceof TourismoError ? thrown : new TourismoError(code, messageOf(thrown));
  }
}

/** What a thrown value says of itself. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
}
