// What the relay tells everybody, without an account: the public feed and published drives.
//
// Answers are checked by hand as far as this package relies on them: a relay may be older or newer than the app.

import { TourismoError } from "./errors.ts";
import type { DocId, DriveStats, Line, Profile, Timestamp } from "./generated/types.ts";

/** How long the relay may take to answer. */
const TIMEOUT_MS = 15_000;

/** A published drive. Everything in it is of the part that is shown; its start is told to the hour. */
export interface PublishedDrive {
  id: DocId;
  title: string;
  startedAt: Timestamp;
  car: string | null;
  stats: DriveStats;
  /** By which name others find its author. */
  handle: string | null;
  displayName: string | null;
}

/** A drive as the feed lists it, with a line of few points. */
export type FeedDrive = PublishedDrive & { line: Line };

/** A page of the feed, newest first. */
export interface FeedPage {
  drives: FeedDrive[];
  /** What the next page wants as `after`; absent on the last. */
  next: string | null;
}

/** A published drive with its whole track. */
export type PublishedTrack = PublishedDrive & { line: Line; profile: Profile };

/** The reads of one relay. They reject with a `TourismoError`. */
export class RelayReads {
  readonly #relay: URL;

  constructor(relay: URL) {
    this.#relay = relay;
  }

  /** Public drives, newest first. `after` is the `next` of the page before. */
  async publicFeed({ after, limit }: { after?: string; limit?: number } = {}): Promise<FeedPage> {
    const url = new URL("/v1/feed/public", this.#relay);
    if (after !== undefined) url.searchParams.set("after", after);
    if (limit !== undefined) url.searchParams.set("limit", String(limit));
    const page = record(await readJson(url));
    const drives = list(page["drives"]).map((item) => {
      const properties = record(item);
      return { ...publishedDrive(properties), line: lineOf(properties["line"]) };
    });
    return { drives, next: textOrNull(page["next"]) };
  }

  /** One published drive, by the id of its copy. */
  async publishedDrive(id: DocId): Promise<PublishedTrack> {
    const feature = record(await readJson(new URL(`/v1/drives/${encodeURIComponent(id)}`, this.#relay)));
    const properties = record(feature["properties"]);
    const line = lineOf(record(feature["geometry"])["coordinates"]);
    return { ...publishedDrive(properties), line, profile: profileOf(line, list(properties["parts"]).map(record)) };
  }
}

/** The WebSocket address of the relay at `relay`. */
export function socketAddress(relay: URL): string {
  const url = new URL("/v1/sync", relay);
  url.protocol = relay.protocol === "http:" ? "ws:" : "wss:";
  return url.href;
}

async function readJson(url: URL): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch {
    throw new TourismoError("relay_unreachable", "the relay cannot be reached");
  }
  if (response.status === 404) throw new TourismoError("not_on_relay", "the relay has nothing of that name for you");
  if (!response.ok) throw new TourismoError("relay_failed", `the relay answered with ${response.status}`);
  try {
    return await response.json();
  } catch {
    throw strange("not JSON");
  }
}

function publishedDrive(properties: Record<string, unknown>): PublishedDrive {
  return {
    id: text(properties["id"]),
    title: text(properties["title"]),
    startedAt: number(properties["startedAt"]),
    car: textOrNull(properties["car"]),
    stats: record(properties["stats"]) as unknown as DriveStats,
    handle: textOrNull(properties["handle"]),
    displayName: textOrNull(properties["displayName"]),
  };
}

/** A MultiLineString's coordinates. */
function lineOf(coordinates: unknown): Line {
  return { parts: list(coordinates).map((part) => list(part).map((point) => pair(list(point)))) };
}

/** The columns of the parts in one, with `null` where there is a gap, as core's own profiles have them. */
function profileOf(line: Line, parts: Record<string, unknown>[]): Profile {
  const profile: Profile = { elapsedS: [], wayM: [], speedMps: [], altitudeM: [] };
  let wayM = 0;
  let before: [number, number] | undefined;
  parts.forEach((columns, index) => {
    const [speeds, altitudes] = [list(columns["speedMps"]), list(columns["altitudeM"])];
    const elapsed = list(columns["elapsedMs"]).map((ms) => number(ms) / 1000);
    line.parts[index]?.forEach((point, i) => {
      const isAfterGap = i === 0 && before !== undefined;
      wayM += before ? planeDistanceM(before, point) : 0;
      before = point;
      if (isAfterGap) push(elapsed[i] ?? 0, null, null);
      push(elapsed[i] ?? 0, numberOrNull(speeds[i]), numberOrNull(altitudes[i]));
    });
  });
  return profile;

  function push(elapsedS: number, speedMps: number | null, altitudeM: number | null): void {
    profile.elapsedS.push(elapsedS);
    profile.wayM.push(wayM);
    profile.speedMps.push(speedMps);
    profile.altitudeM.push(altitudeM);
  }
}

/** Between two neighbouring positions, for the axis of a chart: on a plane, on a sphere of the earth's mean radius. */
function planeDistanceM([lonA, latA]: [number, number], [lonB, latB]: [number, number]): number {
  const metresPerDegree = (6_371_008.8 * Math.PI) / 180;
  const shrink = Math.cos((((latA + latB) / 2) * Math.PI) / 180);
  return Math.hypot((lonB - lonA) * shrink, latB - latA) * metresPerDegree;
}

function record(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw strange("an object was expected");
  return value as Record<string, unknown>;
}

function list(value: unknown): unknown[] {
  if (!Array.isArray(value)) throw strange("a list was expected");
  return value;
}

function text(value: unknown): string {
  if (typeof value !== "string") throw strange("a text was expected");
  return value;
}

function number(value: unknown): number {
  if (typeof value !== "number") throw strange("a number was expected");
  return value;
}

function pair([lon, lat]: unknown[]): [number, number] {
  return [number(lon), number(lat)];
}

function textOrNull(value: unknown): string | null {
  return value === null || value === undefined ? null : text(value);
}

function numberOrNull(value: unknown): number | null {
  return value === null || value === undefined ? null : number(value);
}

function strange(what: string): TourismoError {
  return new TourismoError("relay_failed", `the relay's answer is strange: ${what}`);
}
