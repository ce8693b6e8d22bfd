// An engine for component tests: views of an account, and a `Tourismo` that records the commands that it gets.

import type { DriveView, Tourismo } from "@tourismo/client";

import { account, cars, drives, engine, meets, members, recording, social, status, track } from "../engine.ts";

export const ME = "account-me";

/** A call of a method of `Tourismo`. */
export type Call = [method: string, ...parameters: unknown[]];

/** Opens a fake engine. `results` are the results of commands by method; other commands resolve to `undefined`. */
export function openFakeEngine(results: Record<string, (...parameters: never[]) => unknown> = {}): Call[] {
  const calls: Call[] = [];
  const tourismo = new Proxy({} as Tourismo, {
    get: (_, method: string) => {
      // A promise would be awaited.
      if (method === "then") return undefined;
      return async (...parameters: never[]) => {
        calls.push([method, ...parameters]);
        return results[method]?.(...parameters);
      };
    },
  });
  engine.value = { type: "open", tourismo };
  account.value = {
    account: ME,
    profile: { handle: "anna", displayName: "Anna", bio: "", byApproval: true },
    settings: { units: "metric", defaultVisibility: "private" },
    device: "aa",
    devices: [],
    places: [],
  };
  members.value = { isRemoved: false, devices: [{ key: "aa", isRemoved: false, granted: [] }], recovery: [] };
  social.value = { follows: [], accepted: [], blocked: [], reactions: [], comments: [], answers: [], hidden: [] };
  [drives.value, cars.value, meets.value] = [[], [], []];
  [recording.value, track.value, status.value] = [null, null, undefined];
  return calls;
}

/** A finished drive that is on the relay. */
export function driveView(change: Partial<DriveView> = {}): DriveView {
  return {
    id: "drive-1",
    title: "Pass",
    notes: "",
    car: null,
    startedAt: Date.UTC(2026, 5, 14, 8),
    utcOffsetMin: 120,
    endedAt: Date.UTC(2026, 5, 14, 9),
    stats: null,
    road: null,
    bounds: null,
    visibility: "private",
    published: null,
    conflicts: [],
    isImported: false,
    sync: { type: "onRelay", trackHere: true },
    ...change,
  };
}
