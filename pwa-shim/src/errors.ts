// The error type of the package. Its code is stable; its message is for developers.

import type { CommandError, StorageFailure } from "./generated/types.ts";

/** The reason of an error: a refusal by the core, or a failure of the browser or the relay. */
export type ErrorCode =
  | CommandError
  /** The change is only in memory; `storageFailure` says why. It is lost if the app ends before storage works again. */
  | "not_stored"
  /** The tab that executed the command was closed. The command may or may not have been executed. */
  | "owner_lost"
  /** The engine was closed. */
  | "closed"
  /** The environment lacks something that the engine needs; the message names it. */
  | "unsupported"
  /** The page is not a secure context: browsers give it neither positions nor keys. */
  | "insecure_context"
  /** The storage of the browser cannot be opened. */
  | "storage_unavailable"
  /** The core stopped because of an internal error. Data on disk is safe. */
  | "core_failed"
  /** The relay cannot be reached or is busy, and there is no cached answer. */
  | "relay_unreachable"
  /** The relay sent an unexpected answer; the message names the field and its value. */
  | "relay_failed"
  /** The relay has nothing there, or this account may not read it. */
  | "not_on_relay"
  /** The relay rejects the token of this device. */
  | "not_allowed";

/** An expected failure. */
export class TourismoError extends Error {
  override readonly name = "TourismoError";
  readonly code: ErrorCode;
  /** The failure of the storage, if `code` is `not_stored`. */
  readonly storageFailure: StorageFailure | undefined;

  constructor(code: ErrorCode, message?: string, storageFailure?: StorageFailure) {
    super(message ?? code);
    this.code = code;
    this.storageFailure = storageFailure;
  }

  /** A `TourismoError` for anything thrown. */
  static from(thrown: unknown, code: ErrorCode): TourismoError {
    return thrown instanceof TourismoError ? thrown : new TourismoError(code, messageOf(thrown));
  }
}

/** The message of anything thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
}
