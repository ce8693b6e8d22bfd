// Which of the user's drives are wanted: the filter of the list and of the totals. It outlives both screens.

import { signal } from "@preact/signals";
import type { DocId, DriveQuery } from "@tourismo/client";

import { boxWithin, type LonLat } from "./geometry.ts";

export interface DriveFilter {
  text: string;
  car: DocId | null;
  /** The first and the last day, such as "2026-06-14"; empty for any. */
  from: string;
  to: string;
  place: LonLat | null;
  /** The distance from the place. */
  withinKm: number;
}

const ANY: DriveFilter = { text: "", car: null, from: "", to: "", place: null, withinKm: 5 };

export const driveFilter = signal<DriveFilter>(ANY);

export function setFilter(change: Partial<DriveFilter>): void {
  driveFilter.value = { ...driveFilter.peek(), ...change };
}

export function clearFilter(): void {
  driveFilter.value = ANY;
}

/** The number of conditions besides the text. */
export function conditionsOf({ car, from, to, place }: DriveFilter): number {
  return [car !== null, from !== "", to !== "", place !== null].filter(Boolean).length;
}

export function isFiltered(filter: DriveFilter): boolean {
  return filter.text.trim() !== "" || conditionsOf(filter) > 0;
}

const DAY_MS = 24 * 3_600_000;

/** The query for a filter. A day that is being typed, and is none yet, counts as any. */
export function queryOf({ text, car, from, to, place, withinKm }: DriveFilter): DriveQuery {
  const [first, last] = [from, to].map((day) => Date.parse(`${day}T00:00Z`)) as [number, number];
  return {
    ...(text.trim() === "" ? {} : { text }),
    ...(car === null ? {} : { car }),
    ...(Number.isNaN(first) ? {} : { from: first }),
    ...(Number.isNaN(last) ? {} : { until: last + DAY_MS }),
    ...(place === null ? {} : { area: boxWithin(place, withinKm * 1000) }),
  };
}

/** The first and the last day of a year ("2026") or a month ("2026-09"). */
export function daysOf(period: string): { from: string; to: string } {
  const [year = 0, month] = period.split("-").map(Number);
  const last = month === undefined ? new Date(Date.UTC(year, 11, 31)) : new Date(Date.UTC(year, month, 0));
  const to = last.toISOString().slice(0, 10);
  return { from: `${period}-${month === undefined ? "01-01" : "01"}`, to };
}
