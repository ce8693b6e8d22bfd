// Messages for states and codes. Each function handles every code: a code that Rust adds fails to compile until it has a message.

import {
  type Answer,
  type ByeCode,
  type DriveSync,
  type DriveView,
  type ErrorCode,
  type FileError,
  type InboxDrive,
  type LinkStatus,
  type LogKind,
  type LookView,
  type MeetFields,
  type NackCode,
  type Persistence,
  type PlaceKind,
  type PlaceView,
  type RecordingView,
  type Refusal,
  type ReportReason,
  type SensorFailure,
  type Signal,
  type Status,
  type StorageFailure,
  type StorageStatus,
  TourismoError,
  type Units,
  type Visibility,
  type WrongWords,
} from "@tourismo/client";

import { bytes, height } from "./format.ts";

/** How serious a state is. */
export type Tone = "good" | "busy" | "warn" | "bad" | "plain";

export interface Message {
  tone: Tone;
  text: string;
  /** An explanation, or what to do. */
  detail?: string;
}

/** From this inaccuracy, metres, the phone's settings allow only the approximate location. */
const APPROXIMATE_M = 1000;

export function describeSignal(signal: Signal): Message {
  switch (signal.type) {
    case "waiting":
      return { tone: "busy", text: "Searching for satellites" };
    case "good":
      return { tone: "good", text: signal.accuracyM === null ? "Position" : `Position ± ${Math.round(signal.accuracyM)} m` };
    case "inaccurate":
      return signal.accuracyM >= APPROXIMATE_M
        ? {
            tone: "bad",
            text: "Approximate location only",
            detail: "Allow the precise location in the phone's settings.",
          }
        : { tone: "warn", text: `Weak signal ± ${Math.round(signal.accuracyM)} m` };
    case "lost":
      return { tone: "warn", text: "Signal lost", detail: "Recording continues, with a gap until the signal is back." };
    case "failed":
      return describeSensorFailure(signal.reason);
    default:
      return signal satisfies never;
  }
}

function describeSensorFailure(reason: SensorFailure): Message {
  switch (reason) {
    case "denied":
      return {
        tone: "bad",
        text: "Location not allowed",
        detail: "Allow this site to use the location in the browser's and the phone's settings.",
      };
    case "unavailable":
      return { tone: "bad", text: "No position", detail: "Check that location is switched on in the phone's settings." };
    case "timedOut":
      return { tone: "warn", text: "Still searching", detail: "A free view of the sky helps." };
    default:
      return reason satisfies never;
  }
}

/** The state of a drive in the inbox. */
export function describeInboxDrive({ isFinished }: Pick<InboxDrive, "isFinished">): Message {
  return isFinished ? { tone: "busy", text: "Saving" } : { tone: "busy", text: "Still driving" };
}

/** The reason for which positions were refused: a short name and an explanation. */
export function describeRefusal(refusal: Refusal): { name: string; meaning: string } {
  switch (refusal) {
    case "tooInaccurate":
      return { name: "Too inaccurate", meaning: "The phone's position was too inaccurate." };
    case "outlier":
      return { name: "Jumped", meaning: "No car covers the distance from the position before in that time." };
    case "notLater":
      return { name: "Time did not advance", meaning: "Their time is not after the time of the position before." };
    case "inTheFuture":
      return { name: "Time in the future", meaning: "Their time is ahead of the phone's clock." };
    case "beforeStart":
      return { name: "Time before the start", meaning: "Their time is before the start of the drive, or before it was resumed." };
    case "invalid":
      return { name: "Not a position", meaning: "Their coordinates are invalid. Only their number is kept." };
    default:
      return refusal satisfies never;
  }
}

/** Why positions arrive but are not recorded, and what helps; `undefined` while they are recorded. */
export function describeNotRecording({
  notRecording,
  signal,
}: Pick<RecordingView, "notRecording" | "signal">): string | undefined {
  switch (notRecording) {
    case null:
      return undefined;
    case "tooInaccurate":
      return signal.type === "inaccurate" && signal.accuracyM >= APPROXIMATE_M
        ? "The phone reports only its approximate location. Allow the precise location in the phone's settings."
        : `The position is too inaccurate${signal.type === "inaccurate" ? `, ± ${Math.round(signal.accuracyM)} m` : ""}. A free view of the sky helps.`;
    case "outlier":
      return "The position jumps from place to place. A free view of the sky helps.";
    case "notLater":
      return "The time of the positions does not advance. Check the date and time in the phone's settings.";
    case "inTheFuture":
      return "The time of the positions is in the future. Check the date and time in the phone's settings.";
    case "beforeStart":
      return "The time of the positions is before the start of the drive, or before it was resumed. Check the date and time in the phone's settings.";
    case "invalid":
      return "The phone reports invalid positions. Switch location off and on in the phone's settings.";
    default:
      return notRecording satisfies never;
  }
}

/** The state of the drive that is not finished. */
export function describeRecording(view: Pick<RecordingView, "state" | "notRecording">): string {
  switch (view.state) {
    case "recovering":
      return "Restoring your drive";
    case "unfinished":
      return "Unfinished drive";
    case "active":
      return view.notRecording === null ? "Recording now" : "Nothing is being recorded";
    case "paused":
      return "Paused drive";
    default:
      return view.state satisfies never;
  }
}

/** Whether the recorded positions are saved on the disk. */
export function describeSafety(recording: Pick<RecordingView, "unsaved" | "notRecording">, storage: StorageStatus): Message {
  if (storage.type === "failing") {
    const unsaved = recording.unsaved === 1 ? "1 fix is" : `${recording.unsaved} fixes are`;
    return { ...describeStorage(storage), detail: `${unsaved} only in memory. Keep the app open: it retries.` };
  }
  if (recording.notRecording === "invalid") return { tone: "bad", text: "Nothing to keep" };
  if (recording.notRecording !== null) return { tone: "warn", text: "Kept, not counted" };
  // Up to two fixes are always being written.
  if (recording.unsaved <= 2) return { tone: "good", text: "Saved" };
  return { tone: "busy", text: `${recording.unsaved} fixes not saved yet` };
}

export function describeStorage(storage: StorageStatus): Message {
  switch (storage.type) {
    case "saved":
      return { tone: "good", text: "Everything is saved on this phone" };
    case "saving":
      return { tone: "good", text: "Saving" };
    case "failing":
      return { tone: "bad", text: describeStorageFailure(storage.failure) };
    default:
      return storage satisfies never;
  }
}

function describeStorageFailure(failure: StorageFailure): string {
  switch (failure) {
    case "quotaExceeded":
      return "This phone's storage is full";
    case "aborted":
      return "This phone's storage aborted a write";
    case "unavailable":
      return "This phone's storage does not respond";
    default:
      return failure satisfies never;
  }
}

export function describeSync(sync: DriveSync): Message {
  switch (sync.type) {
    case "saving":
      return { tone: "busy", text: "Saving" };
    case "onPhone": {
      if (sync.sentBytes > 0) return { tone: "busy", text: `Sending ${share(sync.sentBytes, sync.bytes)}` };
      const some = sync.ackedChanges > 0 ? "Part of it is on the server; " : "";
      return { tone: "plain", text: "On this phone only", detail: `${some}${bytes(sync.bytes)} wait for a connection.` };
    }
    case "onRelay":
      return { tone: "good", text: "On the server" };
    case "fetching":
      return { tone: "busy", text: `Downloading its track, ${count(sync.changes, "change")} left` };
    case "refused":
      return { tone: "bad", text: "Refused by the server", detail: `It is safe on this phone. ${describeNackCode(sync.code)}` };
    default:
      return sync satisfies never;
  }
}

/** The progress of sync in one line. */
export function describeProgress(status: Status, drives: readonly DriveView[]): Message {
  const { link, refusal } = status;
  if (link.type === "rejected" || status.isPageRefused) return describeConnection(status);
  if (refusal !== null) {
    const refused = drives.filter(({ sync }) => sync.type === "refused").length;
    const what = refused > 0 ? count(refused, "drive") : "something";
    return { tone: "bad", text: `The server refuses ${what}`, detail: `It is safe on this phone. ${describeNackCode(refusal)}` };
  }
  if (status.sentBytes > 0) return { tone: "busy", text: `Sending ${share(status.sentBytes, status.unsentBytes)}` };
  if (status.unsentChanges > 0) {
    const waiting = drives.filter(({ sync }) => sync.type === "onPhone" || sync.type === "saving").length;
    const what = waiting > 0 ? count(waiting, "drive") : count(status.unsentChanges, "change");
    const words: Message = { tone: "plain", text: `${what} on this phone only, ${bytes(status.unsentBytes)}` };
    return link.type === "offline" ? { ...words, detail: "Uploads when there is signal." } : words;
  }
  if (status.fetchingDocuments > 0) {
    return { tone: "busy", text: `Downloading ${count(status.fetchingChanges, "change")}` };
  }
  return { tone: "good", text: "Everything is on the server" };
}

function describeNackCode(code: NackCode): string {
  switch (code) {
    case "too_large":
      return "It is larger than the server accepts. Shorten its notes, or ask the operator.";
    case "unavailable":
      return "The server cannot store anything at the moment. The app retries.";
    case "over_quota":
      return "The account has used its space on the server. Ask the operator for more; then the app retries.";
    case "foreign_actor":
      return "Another device made it, and the server accepts it only from that device for now. The app retries. If this device made it, add it to the account again.";
    case "not_your_document":
      return "The server runs an earlier version, which reserves this id for another account. Ask the operator to update it; then the app retries.";
    case "malformed":
    case "unknown_deps":
    case "duplicate_seq":
    case "seq_gap":
    case "kind_mismatch":
      return `The server cannot read it (${code}). Reload the app. If that does not help, tell the operator.`;
    default:
      return code satisfies never;
  }
}

/** Why something is reported. */
export function describeReportReason(reason: ReportReason): string {
  switch (reason) {
    case "spam":
      return "Advertising or nonsense";
    case "harassment":
      return "It harasses or threatens somebody";
    case "danger":
      return "It calls for dangerous driving";
    case "private":
      return "It shows somebody's private data";
    case "illegal":
      return "It is against the law";
    case "other":
      return "Another reason";
    default:
      return reason satisfies never;
  }
}

/** The state of the connection to the server. */
export function describeConnection({ link, isPageRefused }: Pick<Status, "link" | "isPageRefused">): Message {
  if (isPageRefused) {
    const detail =
      `The server answers, but accepts no sync connection from ${location.origin}. Its operator can allow this address with ` +
      "--public-url or --allow-origin. A proxy before the server must pass on WebSockets.";
    return { tone: "bad", text: "Refused by the server", detail };
  }
  return describeLinkStatus(link);
}

function describeLinkStatus(link: LinkStatus): Message {
  switch (link.type) {
    case "offline":
      return { tone: "plain", text: "Offline", detail: "Everything works. Changes upload when there is signal." };
    case "connecting":
      return { tone: "busy", text: "Connecting" };
    case "syncing":
      return { tone: "busy", text: "Syncing" };
    case "upToDate":
      return { tone: "good", text: "Up to date" };
    case "rejected":
      return { tone: "bad", text: "Rejected by the server", detail: describeByeCode(link.code) };
    default:
      return link satisfies never;
  }
}

function describeByeCode(code: ByeCode): string {
  switch (code) {
    case "unknown_protocol":
      return "App and server have incompatible versions. Reload the app. If that does not help, the server needs an update.";
    case "not_authentic":
      return "The server does not accept this device for the account. Add it again on another device of yours: You, Your devices.";
    case "revoked":
      return "Another device of yours removed this device from the account. Everything on it stays here. You can download it: You, Your devices.";
    case "wrong_origin":
      return (
        "The server is not configured for the address that this app uses. Its operator can add it with --public-url. " +
        "If this is not the address of your server, do not use it: someone may be intercepting your messages."
      );
    case "over_quota":
      return "This account has the maximum number of devices on this server. Ask the operator for more.";
    case "not_invited":
      return "This server accepts new accounts by invitation only. Enter one on the page Record, or under You. Your drives stay on this phone until then.";
    case "registration_closed":
      return "This server accepts no new accounts. Ask its operator. Your drives stay on this phone.";
    case "going_away":
    case "overloaded":
    case "too_slow":
      return "The server is busy. The app retries.";
    case "malformed":
    case "too_large":
    case "out_of_order":
      return `App and server disagree about the protocol (${code}). Reload the app, then try again.`;
    default:
      return code satisfies never;
  }
}

/** "64 of 214 kB" */
function share(part: number, whole: number): string {
  const [some, all] = [bytes(part), bytes(whole)];
  if (part >= whole) return all;
  const unit = all.slice(all.indexOf(" "));
  return `${some.endsWith(unit) ? some.slice(0, -unit.length) : some} of ${all}`;
}

function count(number: number, what: string): string {
  return number === 1 ? `1 ${what}` : `${number} ${what}s`;
}

/** What is wrong with recovery words. */
export function describeWrongWords(wrong: WrongWords): string {
  switch (wrong.type) {
    case "count":
      return `There are ${wrong.words} words; twelve are needed.`;
    case "unknown": {
      const similar = wrong.similar.length > 0 ? ` Perhaps it is ${wrong.similar.join(" or ")}.` : "";
      return `Word ${wrong.place + 1}, “${wrong.word}”, is not a recovery word.${similar}`;
    }
    case "checksum": {
      const [first] = wrong.misreadings;
      const likely = wrong.misreadings.map(({ place, instead }) => `word ${place + 1} should be “${instead}”`).join(", or ");
      return first
        ? `One of the words is wrong, or in another place. Perhaps ${likely}.`
        : "One of the words is wrong, or in another place. Compare each with the paper.";
    }
    default:
      return wrong satisfies never;
  }
}

export function describeAnswer(answer: Answer): Message {
  switch (answer) {
    case "going":
      return { tone: "good", text: "Going" };
    case "maybe":
      return { tone: "warn", text: "Maybe" };
    case "no":
      return { tone: "plain", text: "Not going" };
    default:
      return answer satisfies never;
  }
}

export function describeLogKind(kind: LogKind): string {
  switch (kind) {
    case "odometer":
      return "Odometer";
    case "fuel":
      return "Fuel";
    case "service":
      return "Service";
    default:
      return kind satisfies never;
  }
}

/** The name of a field of a meet. */
export function describeMeetField(field: keyof MeetFields): string {
  switch (field) {
    case "title":
      return "title";
    case "text":
      return "details";
    case "place":
    case "position":
      return "place";
    case "startsAt":
      return "start";
    case "endsAt":
      return "end";
    case "timeZone":
      return "time zone";
    case "capacity":
      return "number of places";
    case "visibility":
      return "who can see it";
    case "cancelled":
      return "cancelled";
    default:
      return field satisfies never;
  }
}

export function describeVisibility(visibility: Visibility): string {
  switch (visibility) {
    case "private":
      return "Only me";
    case "followers":
      return "Followers";
    case "link":
      return "By link";
    case "public":
      return "Everyone";
    default:
      return visibility satisfies never;
  }
}

/** The name of a kind of place. */
export function nameOfPlace(kind: PlaceKind): string {
  switch (kind) {
    case "stop":
      return "A place where you stopped";
    case "home":
      return "Home";
    case "work":
      return "Work";
    case "friend":
      return "Somebody's home";
    case "open":
      return "Not private";
    default:
      return kind satisfies never;
  }
}

/** A guess nearer to a place than this, metres, is close. */
const CLOSE_M = 250;

/** Where an attacker would look for a place. */
export function describeLook(look: LookView, place: PlaceView | undefined, units: Units): string {
  const ends = `${look.ends} shown ends of drives are around it.`;
  if (!place || look.offM === null) return `An attacker would look here first. None of your private places is near. ${ends}`;
  const { value, unit } = height(look.offM, units);
  const name = place.kind === "stop" ? "a place where you stopped" : `“${nameOfPlace(place.kind)}”`;
  return `An attacker would look ${value} ${unit} from ${name} first. ${ends}`;
}

/** What the user can change about that. */
export function adviceAbout(look: LookView, place: PlaceView | undefined): string {
  if (!place || look.offM === null) return "Nothing has to change.";
  if (look.offM >= CLOSE_M) return "This guess is not close. Every further public drive from here helps an attacker.";
  return place.size === "large"
    ? "This guess is close. Publish fewer drives from here, or show them to followers only."
    : "This guess is close. Choose the larger circle for this place, or publish fewer drives from here.";
}

/** Who sees a drive of the user. */
export function describeAudience(visibility: Visibility): Message {
  switch (visibility) {
    case "private":
      return { tone: "plain", text: "Only you see it" };
    case "followers":
      return { tone: "plain", text: "Followers see a copy" };
    case "link":
      return { tone: "plain", text: "Anyone with the link sees a copy" };
    case "public":
      return { tone: "plain", text: "Everyone sees a copy" };
    default:
      return visibility satisfies never;
  }
}

export function describePersistence(persistence: Persistence): Message {
  switch (persistence) {
    case "persisted":
      return { tone: "good", text: "Persistent", detail: "The browser does not remove drives to free space." };
    case "evictable":
      return {
        tone: "warn",
        text: "May be removed by the browser",
        detail:
          "The browser may do so when the phone is short of space or the app is not used for long. Add the app to the home screen to prevent it.",
      };
    case "unknown":
      return { tone: "plain", text: "Unknown in this browser" };
    default:
      return persistence satisfies never;
  }
}

/** Returns why a file was not imported. */
export function describeFileError(error: FileError): string {
  switch (error.type) {
    case "empty":
      return "The file is empty.";
    case "unknownFormat":
      return "The app cannot read this kind of file.";
    case "tooLarge":
      return "The file is too large.";
    case "bomb":
      return "The archive unpacks to far more data than drives have.";
    case "encrypted":
      return "The file has a password.";
    case "damaged":
      return `The file is damaged: ${error.detail}.`;
    case "noPositions":
      return "It has no track with positions.";
    case "noTimes":
      return "Its positions have no times: it is a route, not a drive.";
    case "tooLong":
      return "It has too many positions for one drive.";
    case "newerVersion":
      return "The archive is from a later version of the app. Update the app first.";
    case "unreadable":
      return `The file cannot be read: ${error.detail}.`;
    default:
      return error satisfies never;
  }
}

export function describeError(thrown: unknown): string {
  return thrown instanceof TourismoError ? describeErrorCode(thrown.code, thrown) : String(thrown);
}

function describeErrorCode(code: ErrorCode, error: TourismoError): string {
  switch (code) {
    case "already_recording":
      return "A drive is being recorded already.";
    case "not_recording":
      return "Nothing is being recorded.";
    case "not_finished":
      return "The drive is not finished yet.";
    case "not_found":
      return "It does not exist any more.";
    case "invalid":
      return "A text is too long, or a value out of range.";
    case "too_long_to_publish":
      return "This drive is too long to publish, even with fewer positions. Nothing was published.";
    case "nothing_left_to_publish":
      return "This drive is too short to publish: too little is left once its start and end are hidden.";
    case "track_not_here":
      return "The track is not on this phone, and there is no connection to the server.";
    case "unreadable":
      return "The stored data of it is damaged.";
    case "bad_grant":
      return "This answer cannot be read. It may be incomplete.";
    case "foreign_grant":
      return "This answer is for another device. Use this device's own code to get an answer.";
    case "other_account":
      return "This device holds data of its account. It cannot join another account.";
    case "bad_handle":
      return "A handle has 2 to 30 letters of one script or digits, with dots, dashes or underscores between them.";
    case "too_many":
      return "The maximum number is reached. Remove one first.";
    case "relay_unknown":
      return "This phone was never connected to the server. Connect it once first.";
    case "nothing_to_import":
      return "Fewer than two positions of this drive can be used.";
    case "not_stored":
      return `${describeStorageFailure(error.storageFailure ?? "unavailable")}. The change is only in memory; the app retries.`;
    case "owner_lost":
      return "Another tab took over meanwhile. Check whether the change was made.";
    case "closed":
      return "The app was closed.";
    case "unsupported":
      return `This browser is too old: ${error.message}.`;
    case "insecure_context":
      return "Tourismo needs a secure connection: open it with https:// in its address. Browsers do not give the location to sites over plain http.";
    case "storage_unavailable":
      return "This browser's storage cannot be opened. It may be missing in private windows.";
    case "core_failed":
      return "The app stopped because of an internal error. Saved data is safe.";
    case "relay_unreachable":
      return "The server cannot be reached.";
    case "relay_failed":
      return "The server sent an answer that this app cannot read.";
    case "not_on_relay":
      return "It does not exist, or you may not see it.";
    case "revoked":
      return "Another device of yours removed this device from the account. Everything on it stays here.";
    case "recovery_key_needed":
      return "Only your recovery words or passkey can do this.";
    case "not_a_recovery_key":
      return "This is no recovery key of this account, or it is not valid yet.";
    case "passkey_cancelled":
      return "No passkey was used.";
    case "passkey_unsupported":
      return "Passkeys of this browser cannot bring an account back. Use recovery words.";
    case "bad_invitation":
      return "This invitation is wrong, used, expired or revoked.";
    case "registration_closed":
      return "This server accepts no new accounts.";
    case "too_many_reports":
      return "Too many reports from here today. Try again tomorrow.";
    case "not_allowed":
      return "The server does not accept this device for reading. Check the phone's clock, then try again.";
    default:
      return code satisfies never;
  }
}
