import type { DriveSync, DriveView, LookView, PlaceView, Refusal, Signal, Status } from "@tourismo/client";
import { describe, expect, test, vi } from "vitest";

import {
  adviceAbout,
  describeConnection,
  describeLook,
  describeNotRecording,
  describeProgress,
  describeRecording,
  describeSafety,
} from "./messages.ts";

const quiet: Status = {
  storage: { type: "saved" },
  link: { type: "upToDate" },
  unsentChanges: 0,
  unsentBytes: 0,
  unsentDocuments: 0,
  sentChanges: 0,
  sentBytes: 0,
  fetchingDocuments: 0,
  fetchingChanges: 0,
  documents: 9,
  refused: 0,
  refusal: null,
  isPageRefused: false,
};

const waiting: DriveSync = { type: "onPhone", changes: 4, bytes: 71_000, sentChanges: 0, sentBytes: 0, ackedChanges: 0 };
const drives = (...syncs: DriveSync[]) => syncs.map((sync) => ({ sync })) as DriveView[];
const offline: Partial<Status> = { link: { type: "offline" } };

describe("progress in one line", () => {
  test.each<[string, string, Partial<Status>, DriveView[]]>([
    ["Everything is on the server", "good", {}, drives({ type: "onRelay", trackHere: true })],
    ["Everything is on the server", "good", offline, []],
    [
      "3 drives on this phone only, 214 kB",
      "plain",
      { ...offline, unsentChanges: 12, unsentBytes: 214_000 },
      drives(waiting, waiting, waiting),
    ],
    ["1 change on this phone only, 310 bytes", "plain", { unsentChanges: 1, unsentBytes: 310 }, []],
    [
      "Sending 64 of 214 kB",
      "busy",
      { unsentChanges: 12, unsentBytes: 214_000, sentChanges: 3, sentBytes: 64_000 },
      drives(waiting),
    ],
    ["Sending 900 bytes of 1.2 MB", "busy", { unsentChanges: 12, unsentBytes: 1_200_000, sentChanges: 3, sentBytes: 900 }, []],
    ["Sending 2.1 kB", "busy", { unsentChanges: 1, unsentBytes: 2_100, sentChanges: 1, sentBytes: 2_100 }, []],
    ["Downloading 31 changes", "busy", { fetchingDocuments: 1, fetchingChanges: 31 }, []],
    ["The server refuses 1 drive", "bad", { refused: 1, refusal: "too_large" }, drives({ type: "refused", code: "too_large" })],
    ["The server refuses something", "bad", { refused: 1, refusal: "malformed" }, []],
    ["Rejected by the server", "bad", { link: { type: "rejected", code: "not_authentic" }, unsentChanges: 1 }, []],
  ])("says %j", (text, tone, change, listed) => {
    expect(describeProgress({ ...quiet, ...change }, listed)).toMatchObject({ text, tone });
  });
});

test("a page that the server refuses says so, and what the operator can do", () => {
  vi.stubGlobal("location", { origin: "https://my.page" });
  const refused: Status = { ...quiet, link: { type: "offline" }, isPageRefused: true, unsentChanges: 2 };
  for (const message of [describeConnection(refused), describeProgress(refused, [])]) {
    expect(message).toMatchObject({ tone: "bad", text: "Refused by the server" });
    expect(message.detail).toMatch(/https:\/\/my\.page.*--public-url or --allow-origin/);
  }
  vi.unstubAllGlobals();
});

describe("while positions are refused", () => {
  const good: Signal = { type: "good", accuracyM: 5 };
  const rough = (accuracyM: number): Signal => ({ type: "inaccurate", accuracyM });

  test.each<[Refusal, Signal, string, string]>([
    ["tooInaccurate", rough(184), "too inaccurate, ± 184 m", "Kept, not counted"],
    ["tooInaccurate", rough(3_000), "Allow the precise location", "Kept, not counted"],
    ["outlier", good, "jumps from place to place", "Kept, not counted"],
    ["notLater", good, "does not advance", "Kept, not counted"],
    ["inTheFuture", good, "in the future", "Kept, not counted"],
    ["beforeStart", good, "before the start", "Kept, not counted"],
    ["invalid", good, "invalid positions", "Nothing to keep"],
  ])("for %s the screen says why nothing is recorded, and nothing that sounds safe", (notRecording, signal, why, safety) => {
    expect(describeNotRecording({ notRecording, signal })).toContain(why);
    expect(describeRecording({ state: "active", notRecording })).toBe("Nothing is being recorded");
    const words = describeSafety({ unsaved: 0, notRecording }, { type: "saved" });
    expect(words.text).toBe(safety);
    expect(words.tone).not.toBe("good");
  });

  test("a drive that is recorded is saved", () => {
    expect(describeNotRecording({ notRecording: null, signal: good })).toBeUndefined();
    expect(describeRecording({ state: "active", notRecording: null })).toBe("Recording now");
    expect(describeSafety({ unsaved: 0, notRecording: null }, { type: "saved" })).toMatchObject({ text: "Saved", tone: "good" });
  });
});

describe("the attack on the own profile", () => {
  const look = (offM: number | null): LookView => ({
    position: [8, 47],
    searchedM2: 1e6,
    ends: 12,
    place: offM === null ? null : "p",
    offM,
  });
  const place = (change: Partial<PlaceView>) => ({ id: "p", kind: "home", size: "standard", ...change }) as PlaceView;

  test("says how far the guess is from which place", () => {
    expect(describeLook(look(140), place({}), "metric")).toBe(
      "An attacker would look 140 m from “Home” first. 12 shown ends of drives are around it.",
    );
    expect(describeLook(look(140), place({ kind: "stop" }), "imperial")).toContain("459 ft from a place where you stopped");
    expect(describeLook(look(null), undefined, "metric")).toContain("None of your private places is near");
  });

  test("says what to change", () => {
    expect(adviceAbout(look(140), place({}))).toContain("Choose the larger circle");
    expect(adviceAbout(look(140), place({ size: "large" }))).toContain("Publish fewer drives");
    expect(adviceAbout(look(600), place({}))).toContain("This guess is not close");
    expect(adviceAbout(look(null), undefined)).toBe("Nothing has to change.");
  });
});
