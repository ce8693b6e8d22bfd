// Numbers for screens: distances, speeds, heights and times in the user's units and language.

import type { DriveStats, Timestamp, Units } from "@tourismo/client";

import { isTimeZone } from "./time-zone.ts";

const METRES_PER_MILE = 1609.344;
const METRES_PER_FOOT = 0.3048;

/** A number and its unit, which are set in two sizes. */
export interface Quantity {
  value: string;
  unit: string;
}

export function distance(metres: number, units: Units): Quantity {
  const unit = units === "metric" ? "km" : "mi";
  const value = metres / (units === "metric" ? 1000 : METRES_PER_MILE);
  return { value: value.toFixed(value < 100 ? 1 : 0), unit };
}

/** Shorter gaps, metres, are not shown: they would read 0.0 km. */
const SHORTEST_GAP_M = 100;

/** "+ 1.2 km in gaps": the straight-line length of all gaps; `undefined` if it is too short. */
export function inGaps({ gapDistanceM }: Pick<DriveStats, "gapDistanceM">, units: Units): string | undefined {
  if (gapDistanceM < SHORTEST_GAP_M) return undefined;
  const { value, unit } = distance(gapDistanceM, units);
  return `+ ${value} ${unit} in gaps`;
}

export function speed(mps: number | null, units: Units): Quantity {
  const unit = units === "metric" ? "km/h" : "mph";
  return { value: mps === null ? "–" : Math.round(inSpeedUnit(mps, units)).toString(), unit };
}

export function inSpeedUnit(mps: number, units: Units): number {
  return units === "metric" ? mps * 3.6 : (mps * 3600) / METRES_PER_MILE;
}

export function height(metres: number, units: Units): Quantity {
  return { value: Math.round(inHeightUnit(metres, units)).toString(), unit: units === "metric" ? "m" : "ft" };
}

export function inHeightUnit(metres: number, units: Units): number {
  return units === "metric" ? metres : metres / METRES_PER_FOOT;
}

/** "4:05", "1:04:05" */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const two = (value: number): string => value.toString().padStart(2, "0");
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** "12 min", "1 h 04 min" */
export function roughDuration(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${(minutes % 60).toString().padStart(2, "0")} min`;
}

/** A day with its date. `utcOffsetMin` is the local offset from UTC where it happened; without it, this device's zone is used. */
export function day(at: Timestamp, utcOffsetMin?: number | null): string {
  const [date, zone] = local(at, utcOffsetMin);
  const sameYear = date.toLocaleDateString("en", { year: "numeric", ...zone }) === String(new Date().getFullYear());
  return date.toLocaleDateString(undefined, {
    weekday: "short",
    day: "numeric",
    month: "short",
    ...(sameYear ? {} : { year: "numeric" }),
    ...zone,
  });
}

/** "Sunday, 14 June 2026" in a time zone, or in this device's if it does not know that. */
export function longDay(at: Timestamp, timeZone?: string): string {
  const zone = timeZone !== undefined && isTimeZone(timeZone) ? { timeZone } : {};
  return new Date(at).toLocaleDateString(undefined, { weekday: "long", day: "numeric", month: "long", year: "numeric", ...zone });
}

/** A long distance in whole units: "12,345" "km". Below 100, as `distance`. */
export function longDistance(metres: number, units: Units): Quantity {
  const value = inDistanceUnit(metres, units);
  return value < 100 ? distance(metres, units) : { value: count(Math.round(value)), unit: units === "metric" ? "km" : "mi" };
}

/** "12,345" */
export function count(value: number): string {
  return value.toLocaleString();
}

/** "84,201 km" */
export function odometer(metres: number, units: Units): string {
  return `${Math.round(inDistanceUnit(metres, units)).toLocaleString()} ${units === "metric" ? "km" : "mi"}`;
}

export function inDistanceUnit(metres: number, units: Units): number {
  return metres / (units === "metric" ? 1000 : METRES_PER_MILE);
}

export function fromDistanceUnit(value: number, units: Units): number {
  return value * (units === "metric" ? 1000 : METRES_PER_MILE);
}

/** The time of the day; `utcOffsetMin` as for `day`. */
export function clock(at: Timestamp, utcOffsetMin?: number | null): string {
  const [date, zone] = local(at, utcOffsetMin);
  return date.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", ...zone });
}

/** The time of the day to the second; `utcOffsetMin` as for `day`. */
export function clockToSecond(at: Timestamp, utcOffsetMin?: number | null): string {
  const [date, zone] = local(at, utcOffsetMin);
  return date.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", ...zone });
}

/** The time of the day in a time zone; `null` if this device does not know the zone. */
export function clockIn(timeZone: string, at: Timestamp): string | null {
  if (!isTimeZone(timeZone)) return null;
  return new Date(at).toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", timeZone });
}

/** A date and the time zone in which it shows the local time of an instant. */
function local(at: Timestamp, utcOffsetMin: number | null | undefined): [Date, { timeZone?: "UTC" }] {
  if (utcOffsetMin === null || utcOffsetMin === undefined) return [new Date(at), {}];
  return [new Date(at + utcOffsetMin * 60_000), { timeZone: "UTC" }];
}

/** The title of a drive; without one, a name from the local time of day at its start. */
export function titleOf(drive: { title: string; startedAt: Timestamp; utcOffsetMin: number | null }): string {
  if (drive.title !== "") return drive.title;
  const [date, zone] = local(drive.startedAt, drive.utcOffsetMin);
  const hour = zone.timeZone === undefined ? date.getHours() : date.getUTCHours();
  if (hour < 5 || hour >= 22) return "Night drive";
  if (hour < 11) return "Morning drive";
  if (hour < 14) return "Midday drive";
  return hour < 18 ? "Afternoon drive" : "Evening drive";
}

/** A count. The relay counts up to 1,000, which stands for more, too. */
export function upToThousand(count: number): string {
  return count < 1000 ? String(count) : `${(1000).toLocaleString()}+`;
}

export function bytes(count: number): string {
  if (count < 1000) return `${count} bytes`;
  const [value, unit] = count < 999_500 ? [count / 1000, "kB"] : [count / 1_000_000, "MB"];
  return `${value.toFixed(value < 10 ? 1 : 0)} ${unit}`;
}
