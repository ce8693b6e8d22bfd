// Checks of answers that come from elsewhere: each takes anything and gives what it is, or throws `relay_failed`.

import { TourismoError } from "./errors.ts";

export type Check<T> = (value: unknown) => T;

export const text: Check<string> = (value) => (typeof value === "string" ? value : strange("a text"));

export const number: Check<number> = (value) => (typeof value === "number" ? value : strange("a number"));

export const truth: Check<boolean> = (value) => (typeof value === "boolean" ? value : strange("true or false"));

export const record: Check<Record<string, unknown>> = (value) =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : strange("an object");

/** One of these words; another is what an absent value is. */
export function oneOf<T extends string>(...words: T[]): Check<T | null> {
  return (value) => words.find((word) => word === value) ?? null;
}

/** Absent is `null`. */
export function orNull<T>(check: Check<T>): Check<T | null> {
  return (value) => (value === null || value === undefined ? null : check(value));
}

/** A relay of an earlier version does not say it. */
export function orElse<T>(check: Check<T>, otherwise: T): Check<T> {
  return (value) => (value === null || value === undefined ? otherwise : check(value));
}

export function listOf<T>(check: Check<T>): Check<T[]> {
  return (value) => (Array.isArray(value) ? value.map(check) : strange("a list"));
}

/** An object with these fields; whatever else it has is left out. */
export function object<T extends object>(fields: { [K in keyof T]-?: Check<T[K]> }): Check<T> {
  const names = Object.keys(fields) as (keyof T & string)[];
  return (value) => {
    const from = record(value);
    return Object.fromEntries(names.map((name) => [name, fields[name](from[name])])) as T;
  };
}

/** Longitude and latitude. */
export const position: Check<[number, number]> = (value) => {
  const [lon, lat] = listOf(number)(value);
  return lon === undefined || lat === undefined ? strange("a position") : [lon, lat];
};

export function strange(wanted: string): never {
  throw new TourismoError("relay_failed", `the relay's answer is strange: ${wanted} was expected`);
}
