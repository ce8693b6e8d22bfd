// States and codes in words. Every list here is complete: a code that Rust adds does not compile until it has its words.

import {
  type Answer,
  type ByeCode,
  type DriveSync,
  type DriveView,
  type ErrorCode,
  type LinkStatus,
  type LogKind,
  type MeetFields,
  type NackCode,
  type Persistence,
  type PrivateEnds,
  type RecordingView,
  type Refusal,
  type SensorFailure,
  type Signal,
  type StatusView,
  type StorageFailure,
  type StorageStatus,
  TourismoError,
  type Visibility,
} from "@tourismo/client";

import { bytes } from "./format.ts";

/** How much a state should worry. */
export type Tone = "good" | "busy" | "warn" | "bad" | "plain";

export interface Words {
  tone: Tone;
  text: string;
  /** What it means, or what to do. */
  detail?: string;
}

/** A position that is less accurate than this is made so by the phone's settings, metres. */
const APPROXIMATE_M = 1000;

export function wordsOfSignal(signal: Signal): Words {
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
            detail: "This phone tells the app only roughly where it is. Allow the precise location in the phone's settings.",
          }
        : { tone: "warn", text: `Weak signal ± ${Math.round(signal.accuracyM)} m` };
    case "lost":
      return { tone: "warn", text: "Signal lost", detail: "The drive goes on, with a gap until it is back." };
    case "failed":
      return wordsOfSensor(signal.reason);
    default:
      return signal satisfies never;
  }
}

function wordsOfSensor(reason: SensorFailure): Words {
  switch (reason) {
    case "denied":
      return {
        tone: "bad",
        text: "Location not allowed",
        detail: "Allow this site to use the location in the browser's and the phone's settings.",
      };
    case "unavailable":
      return { tone: "bad", text: "No position", detail: "Is location switched on in the phone's settings?" };
    case "timedOut":
      return { tone: "warn", text: "Still searching", detail: "A free view of the sky helps." };
    default:
      return reason satisfies never;
  }
}

/** Why a position was refused: a short name, and what it means. */
export function wordsOfRefusal(refusal: Refusal): { name: string; meaning: string } {
  switch (refusal) {
    case "tooInaccurate":
      return { name: "Too inaccurate", meaning: "The phone knew only roughly where it was." };
    case "outlier":
      return { name: "Jumped", meaning: "They are farther from the others than a car gets in that time." };
    case "notLater":
      return { name: "Time did not go on", meaning: "Their time is not later than that of the position before." };
    case "inTheFuture":
      return { name: "Time in the future", meaning: "Their time is ahead of the phone's clock." };
    case "beforeStart":
      return { name: "Time before the start", meaning: "Their time is before the start of the drive, or before it went on." };
    case "invalid":
      return { name: "Not a position", meaning: "They are no place on earth, so that only their number is kept." };
    default:
      return refusal satisfies never;
  }
}

/** That nothing is being recorded though positions come, why, and what helps; nothing while the drive is recorded. */
export function wordsOfNotRecording({ notRecording, signal }: Pick<RecordingView, "notRecording" | "signal">): string | undefined {
  switch (notRecording) {
    case null:
      return undefined;
    case "tooInaccurate":
      return signal.type === "inaccurate" && signal.accuracyM >= APPROXIMATE_M
        ? "The phone gives only its approximate location. Allow the precise location in the phone's settings."
        : `The position is too inaccurate${signal.type === "inaccurate" ? `, ± ${Math.round(signal.accuracyM)} m` : ""}. A free view of the sky helps.`;
    case "outlier":
      return "The position jumps from place to place. A free view of the sky helps.";
    case "notLater":
      return "The time of the positions does not go on. Look at the date and time in the phone's settings.";
    case "inTheFuture":
      return "The time of the positions is in the future. Look at the date and time in the phone's settings.";
    case "beforeStart":
      return "The time of the positions is before the start of the drive, or before it went on. Look at the date and time in the phone's settings.";
    case "invalid":
      return "The phone gives positions that are no place on earth. Switch the location off and on in the phone's settings.";
    default:
      return notRecording satisfies never;
  }
}

/** What is being done with the drive that is not finished. */
export function wordsOfRecording(view: Pick<RecordingView, "state" | "notRecording">): string {
  switch (view.state) {
    case "recovering":
      return "Opening your drive";
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

/** How safe is what is being recorded. */
export function wordsOfSafety(
  recording: Pick<RecordingView, "unsaved" | "notRecording">,
  storage: StorageStatus,
): Words {
  if (storage.type === "failing") {
    const unsaved = recording.unsaved === 1 ? "1 fix is" : `${recording.unsaved} fixes are`;
    return { ...wordsOfStorage(storage), detail: `${unsaved} only in memory. Keep the app open; it tries again.` };
  }
  if (recording.notRecording === "invalid") return { tone: "bad", text: "Nothing to keep" };
  if (recording.notRecording !== null) return { tone: "warn", text: "Kept, not counted" };
  // One fix is always on its way to the disk.
  if (recording.unsaved <= 2) return { tone: "good", text: "Saved" };
  return { tone: "busy", text: `${recording.unsaved} fixes not saved yet` };
}

export function wordsOfStorage(storage: StorageStatus): Words {
  switch (storage.type) {
    case "saved":
      return { tone: "good", text: "Everything is saved on this phone" };
    case "saving":
      return { tone: "good", text: "Saving" };
    case "failing":
      return { tone: "bad", text: wordsOfStorageFailure(storage.failure) };
    default:
      return storage satisfies never;
  }
}

function wordsOfStorageFailure(failure: StorageFailure): string {
  switch (failure) {
    case "quotaExceeded":
      return "This phone's storage is full";
    case "aborted":
      return "This phone's storage broke off";
    case "unavailable":
      return "This phone's storage does not answer";
    default:
      return failure satisfies never;
  }
}

export function wordsOfSync(sync: DriveSync): Words {
  switch (sync.type) {
    case "saving":
      return { tone: "busy", text: "Being saved" };
    case "onPhone": {
      if (sync.sentBytes > 0) return { tone: "busy", text: `Sending ${share(sync.sentBytes, sync.bytes)}` };
      const some = sync.ackedChanges > 0 ? "Some of it is on the relay; " : "";
      return { tone: "plain", text: "On this phone only", detail: `${some}${bytes(sync.bytes)} wait for a connection.` };
    }
    case "onRelay":
      return { tone: "good", text: "On the relay" };
    case "fetching":
      return { tone: "busy", text: `Fetching its track, ${count(sync.changes, "part")} to come` };
    case "refused":
      return { tone: "bad", text: "Refused by the relay", detail: `It is safe on this phone. ${wordsOfNack(sync.code)}` };
    default:
      return sync satisfies never;
  }
}

/** How far all of it is on its way to the relay, in one line. */
export function wordsOfProgress(status: StatusView, drives: readonly DriveView[]): Words {
  const { link, refusal } = status;
  if (link.type === "rejected") return wordsOfLink(link);
  if (refusal !== null) {
    const refused = drives.filter(({ sync }) => sync.type === "refused").length;
    const what = refused > 0 ? count(refused, "drive") : "something";
    return { tone: "bad", text: `The relay refuses ${what}`, detail: `It is safe on this phone. ${wordsOfNack(refusal)}` };
  }
  if (status.sentBytes > 0) return { tone: "busy", text: `Sending ${share(status.sentBytes, status.unsentBytes)}` };
  if (status.unsentChanges > 0) {
    const waiting = drives.filter(({ sync }) => sync.type === "onPhone" || sync.type === "saving").length;
    const what = waiting > 0 ? count(waiting, "drive") : count(status.unsentChanges, "change");
    const words: Words = { tone: "plain", text: `${what} on this phone only, ${bytes(status.unsentBytes)}` };
    return link.type === "offline" ? { ...words, detail: "It goes to the relay by itself when there is signal." } : words;
  }
  if (status.fetchingDocuments > 0) {
    return { tone: "busy", text: `Fetching ${count(status.fetchingChanges, "part")} from the relay` };
  }
  return { tone: "good", text: "Everything is on the relay" };
}

function wordsOfNack(code: NackCode): string {
  switch (code) {
    case "too_large":
      return "It is larger than this relay accepts. Shorter notes may help; else ask whoever runs the relay.";
    case "unavailable":
      return "The relay cannot store anything at the moment. It is tried again by itself.";
    case "over_quota":
      return "The relay has no more room for this account. It is offered again by itself; ask whoever runs the relay for more.";
    case "foreign_actor":
      return "Another device made it, and the relay takes it from that one only, for now. It is offered again by itself. If this device made it, let it into the account again.";
    case "not_your_document":
      return "The relay has an earlier version, which keeps this name for another account. It is offered again by itself; ask whoever runs the relay to update it.";
    case "malformed":
    case "unknown_deps":
    case "duplicate_seq":
    case "seq_gap":
    case "kind_mismatch":
      return `The relay can make nothing of it (${code}). Reload the app; if that changes nothing, tell whoever runs the relay.`;
    default:
      return code satisfies never;
  }
}

export function wordsOfLink(link: LinkStatus): Words {
  switch (link.type) {
    case "offline":
      return { tone: "plain", text: "Offline", detail: "Everything works; it goes to the relay when there is signal." };
    case "connecting":
      return { tone: "busy", text: "Connecting" };
    case "syncing":
      return { tone: "busy", text: "Syncing" };
    case "upToDate":
      return { tone: "good", text: "Up to date" };
    case "rejected":
      return { tone: "bad", text: "Sent away by the relay", detail: wordsOfBye(link.code) };
    default:
      return link satisfies never;
  }
}

function wordsOfBye(code: ByeCode): string {
  switch (code) {
    case "unknown_protocol":
      return "App and relay are of different times. Reload the app; if that changes nothing, the relay needs an update.";
    case "not_authentic":
      return "The relay does not let this device into the account. Another device of yours can: You, Your devices.";
    case "wrong_origin":
      return (
        "The relay is not meant to be reached at the address that this app uses. Whoever runs it can add the address to " +
        "--public-url. If this is not your relay's address, do not use it: somebody may be passing your messages on."
      );
    case "over_quota":
      return "This account has as many devices as the relay allows. Ask whoever runs the relay for more.";
    case "going_away":
    case "overloaded":
    case "too_slow":
      return "The relay is busy. It is tried again by itself.";
    case "malformed":
    case "too_large":
    case "out_of_order":
      return `App and relay did not understand each other (${code}). Reload the app, then try again.`;
    default:
      return code satisfies never;
  }
}

/** 64 of 214 kB */
function share(part: number, whole: number): string {
  const [some, all] = [bytes(part), bytes(whole)];
  if (part >= whole) return all;
  const unit = all.slice(all.indexOf(" "));
  return `${some.endsWith(unit) ? some.slice(0, -unit.length) : some} of ${all}`;
}

function count(number: number, what: string): string {
  return number === 1 ? `1 ${what}` : `${number} ${what}s`;
}

export function wordsOfAnswer(answer: Answer): Words {
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

export function wordsOfLogKind(kind: LogKind): string {
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

/** What a field of a meet is called. */
export function wordsOfField(field: keyof MeetFields): string {
  switch (field) {
    case "title":
      return "what it is called";
    case "text":
      return "what to know";
    case "place":
    case "position":
      return "where it is";
    case "startsAt":
      return "when it begins";
    case "endsAt":
      return "when it ends";
    case "timeZone":
      return "the time zone";
    case "capacity":
      return "how many may come";
    case "visibility":
      return "who sees it";
    case "cancelled":
      return "whether it takes place";
    default:
      return field satisfies never;
  }
}

export function wordsOfVisibility(visibility: Visibility): string {
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

/** What others see of a drive with these private ends, and what they do not. */
export function wordsOfEnds({ start, end }: PrivateEnds): string {
  const around = start && end ? "its start and its end" : start ? "its start" : end ? "its end" : undefined;
  const places =
    around === undefined
      ? "It shows all of the drive, from its start to its end."
      : `At least 300 m around ${around} are left out, also where the drive passes there again.`;
  return `Others get a separate copy. ${places} It tells the hour in which it begins, not the minute, and its figures are those of what is shown. Your notes stay yours.`;
}

/** Who sees a drive of one's own. */
export function wordsOfAudience(visibility: Visibility): Words {
  switch (visibility) {
    case "private":
      return { tone: "plain", text: "Only you see it" };
    case "followers":
      return { tone: "plain", text: "Followers see a copy" };
    case "link":
      return { tone: "plain", text: "A copy by link" };
    case "public":
      return { tone: "plain", text: "Everyone sees a copy" };
    default:
      return visibility satisfies never;
  }
}

export function wordsOfPersistence(persistence: Persistence): Words {
  switch (persistence) {
    case "persisted":
      return { tone: "good", text: "Kept", detail: "The browser will not remove drives to make room." };
    case "evictable":
      return {
        tone: "warn",
        text: "May be removed by the browser",
        detail: "If the phone runs out of room, or the app is not used for long. Adding it to the home screen helps.",
      };
    case "unknown":
      return { tone: "plain", text: "The browser does not say" };
    default:
      return persistence satisfies never;
  }
}

export function wordsOfError(thrown: unknown): string {
  return thrown instanceof TourismoError ? wordsOfCode(thrown.code, thrown) : String(thrown);
}

function wordsOfCode(code: ErrorCode, error: TourismoError): string {
  switch (code) {
    case "already_recording":
      return "A drive is being recorded already.";
    case "not_recording":
      return "Nothing is being recorded.";
    case "not_finished":
      return "The drive is not finished yet.";
    case "not_found":
      return "It is not here any more.";
    case "invalid":
      return "A text is too long, or a value out of range.";
    case "too_long_to_publish":
      return "This drive is too long to publish, also with fewer positions. Nothing was published.";
    case "nothing_left_to_publish":
      return "This drive is too short to be shown: hardly anything is left once its start and end are hidden.";
    case "track_not_here":
      return "The track is not on this phone, and the relay cannot be reached.";
    case "unreadable":
      return "What is stored of it cannot be read.";
    case "bad_grant":
      return "That answer cannot be read: perhaps it is not all of it.";
    case "foreign_grant":
      return "That answer is for another device. Show this device's own code, and bring the answer to that.";
    case "other_account":
      return "What is on this device belongs to the account that it has. It stays here, and no other account can be entered.";
    case "bad_handle":
      return "A handle has 2 to 30 letters of one script or digits, with dots, dashes or underscores between them.";
    case "too_many":
      return "There are as many of them as there may be. Remove one first.";
    case "already_published":
      return "This drive has a published copy, which stays as it was made.";
    case "relay_unknown":
      return "This phone has not met its relay yet. Once it was connected, it can ask.";
    case "not_stored":
      return `${wordsOfStorageFailure(error.storageFailure ?? "unavailable")}. It is done in memory, and tried again.`;
    case "owner_lost":
      return "Another tab took over in the middle of it. Please look whether it is done.";
    case "closed":
      return "The app was closed.";
    case "unsupported":
      return `This browser is too old: ${error.message}.`;
    case "insecure_context":
      return "Tourismo needs a secure connection: open it with https:// in its address. Over plain http a browser gives no site the location.";
    case "storage_unavailable":
      return "This browser's storage cannot be opened. Private windows may not have one.";
    case "core_failed":
      return "The app ran into an error of its own. What was saved is safe.";
    case "relay_unreachable":
      return "The relay cannot be reached.";
    case "relay_failed":
      return "The relay gave an answer that this app does not understand.";
    case "not_on_relay":
      return "There is nothing of that name, or it is not shown to you.";
    case "not_allowed":
      return "The relay does not let this device read for the account. Check the phone's clock, then try again.";
    default:
      return code satisfies never;
  }
}
