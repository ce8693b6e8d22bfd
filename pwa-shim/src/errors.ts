// The error type of the package. Its code is stable; its message is for developers.

import type { Command, CommandError, StorageFailure } from "./generated/types.ts";

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
  /** This device was removed from its account. It keeps its data, and reads of the account fail. */
  | "revoked"
  /** The user did not agree, or the browser showed no passkey. */
  | "passkey_cancelled"
  /** The browser or the passkey gives no secrets (WebAuthn extension `prf`). */
  | "passkey_unsupported"
  /** The relay sent an unexpected answer; the message names the field and its value. */
  | "relay_failed"
  /** The relay has nothing there, or this account may not read it. */
  | "not_on_relay"
  /** The relay rejects the token of this device. */
  | "not_allowed"
  /** The invitation is wrong, used, expired or revoked. */
  | "bad_invitation"
  /** The relay accepts no new accounts. */
  | "registration_closed"
  /** This account, or this address without an account, reported too much today. */
  | "too_many_reports";

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

/** Why the core refuses a command, and what to do. */
const REFUSALS: Record<CommandError, string> = {
  already_recording: "a drive is being recorded, paused or unfinished; finish or resume it first",
  not_recording: "no drive is being recorded; start one first",
  not_finished: "the drive is not finished; finish it first",
  not_found: "no document of this kind has this id, or there is nothing to undo; read the view again",
  invalid: "a text is too long or a value is out of range; the type of the argument has the limits",
  nothing_left_to_publish: "too little of the drive is left once its private places are hidden; see changePlace",
  too_long_to_publish: "the drive is too long to publish, even with fewer positions",
  track_not_here: "the track is not on this device; try again when it is connected to the relay",
  unreadable: "the stored data of the document is damaged",
  bad_grant: "the grant cannot be read; pass all bytes that grantDevice returned",
  foreign_grant: "the grant is for another device; make one for the device() of this engine",
  other_account: "this device holds data of its account; only a device without data can join another one",
  bad_handle: "a handle has 2 to 30 letters of one script or digits, with dots, dashes or underscores between them",
  too_many: "the maximum number is reached; remove one first",
  recovery_key_needed: "only a recovery key can remove a recovery key, or a device with all that it let in; pass its secret",
  not_a_recovery_key: "the secret is not that of an effective recovery key of this account",
  relay_unknown: "this device was never connected to its relay; wait until status.link is upToDate",
  nothing_to_import: "fewer than two positions of the drive can be used",
};

/** The error for a command that the core refused. */
export function refusalOf(command: Command, code: CommandError): TourismoError {
  return new TourismoError(code, `${command.type} was refused: ${REFUSALS[code]}`);
}

/** The error for a command with an invalid field. Its message has the size of the value: a text or a position is personal data. */
export function invalidField(command: Command, field: string, expected: string): TourismoError {
  const size = sizeOf(fieldIn(command, field));
  const got = size === undefined ? "" : `, got ${size}`;
  return new TourismoError("invalid", `${command.type} was refused: ${field}: ${expected}${got}`);
}

/** The value of a field of a command, or of the objects in it. */
function fieldIn(value: object, field: string): unknown {
  if (Object.hasOwn(value, field)) return (value as Record<string, unknown>)[field];
  const inner = Object.values(value).filter((one) => typeof one === "object" && one !== null && !Array.isArray(one));
  return inner.map((one: object) => fieldIn(one, field)).find((found) => found !== undefined);
}

function sizeOf(value: unknown): string | undefined {
  if (typeof value === "string") return `${value.length} characters`;
  return typeof value === "number" ? String(value) : undefined;
}

/** The message of anything thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
}
