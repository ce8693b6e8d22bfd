// Local times in a time zone, for input fields of dates and times.

import type { Timestamp } from "@tourismo/client";

/** The time zone of this device. */
export function ownTimeZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** Whether this device knows a time zone. */
export function isTimeZone(name: string): boolean {
  if (name === "") return false;
  try {
    new Intl.DateTimeFormat(undefined, { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** The names of all time zones that this device knows, and `own`. */
export function timeZones(own: string): string[] {
  const known = typeof Intl.supportedValuesOf === "function" ? Intl.supportedValuesOf("timeZone") : [];
  return [...new Set([own, ...known])].sort();
}

/** A time zone for display: "America/New York". */
export function nameOfTimeZone(name: string): string {
  return name.replaceAll("_", " ");
}

/** The value of a `datetime-local` field for an instant in a time zone: "2026-06-14T10:00". */
export function toInput(at: Timestamp, timeZone: string): string {
  return new Date(at + offsetMs(at, timeZone)).toISOString().slice(0, 16);
}

/**
 * The instant of such a value. A local time that occurs twice, when clocks are put back, is the first one. One that is skipped,
 * when clocks are put forward, counts by the offset before the change.
 */
export function fromInput(value: string, timeZone: string): Timestamp | null {
  const shown = Date.parse(`${value}Z`);
  if (Number.isNaN(shown)) return null;
  // The offset is that of a day before or of a day after. Clocks change at most once between them.
  const offsets = [offsetMs(shown - DAY_MS, timeZone), offsetMs(shown + DAY_MS, timeZone)];
  const fits = offsets.map((offset) => shown - offset).filter((at) => at + offsetMs(at, timeZone) === shown);
  return fits.length > 0 ? Math.min(...fits) : shown - Math.min(...offsets);
}

const DAY_MS = 24 * 3_600_000;

/** The offset of a time zone from UTC at an instant. An unknown zone counts as UTC. */
function offsetMs(at: Timestamp, timeZone: string): number {
  const options = { timeZone: isTimeZone(timeZone) ? timeZone : "UTC", hourCycle: "h23" } as const;
  const format = new Intl.DateTimeFormat("en-u-ca-gregory-nu-latn", {
    ...options,
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
    era: "short",
  });
  const parts = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, value]));
  const year = parts["era"] === "BC" ? 1 - Number(parts["year"]) : Number(parts["year"]);
  const local = new Date(0);
  local.setUTCFullYear(year, Number(parts["month"]) - 1, Number(parts["day"]));
  local.setUTCHours(Number(parts["hour"]), Number(parts["minute"]), Number(parts["second"]));
  return local.getTime() - Math.floor(at / 1000) * 1000;
}
