// Checks of JSON answers. Each takes any value and returns it typed, or throws `relay_failed` with the path of the wrong value.
//
// The checks of single answers are generated: generated/http-checks.ts.

import { TourismoError } from "./errors.ts";

/** `path` names the value in an error: `drives[3].stats.distanceM`. */
export type Check<T> = (value: unknown, path?: string) => T;

/**
 * A checked answer of a type of the OpenAPI description. Absent fields are `null`. A word, or a kind of object, that only a
 * newer relay knows is `null`, too.
 */
export type Checked<T> =
  | (T extends readonly (infer Item)[]
      ? Checked<Item>[]
      : T extends object
        ? { [Field in keyof T]-?: Checked<Exclude<T[Field], undefined>> }
        : T)
  | (IsChoice<T> extends true ? null : never);

/** Whether a type is one of several words or objects. */
type IsChoice<T> = [T] extends [boolean | null] ? false : IsUnion<NonNullable<T>>;
type IsUnion<T, All = T> = T extends unknown ? ([All] extends [T] ? false : true) : never;

export const text: Check<string> = (value, path) => (typeof value === "string" ? value : wrong("a text", value, path));

export const number: Check<number> = (value, path) => (typeof value === "number" ? value : wrong("a number", value, path));

export const truth: Check<boolean> = (value, path) => (typeof value === "boolean" ? value : wrong("true or false", value, path));

const record: Check<Record<string, unknown>> = (value, path) =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : wrong("an object", value, path);

/** One of these words; `null` for any other value. */
export function oneOf<T extends string>(...words: T[]): Check<T | null> {
  return (value) => words.find((word) => word === value) ?? null;
}

/** This word. */
export function exactly<T extends string>(word: T): Check<T> {
  return (value, path) => (value === word ? word : wrong(`"${word}"`, value, path));
}

/** `null` if the value is absent. */
export function orNull<T>(check: Check<T>): Check<T | null> {
  return (value, path) => (value === null || value === undefined ? null : check(value, path));
}

export function listOf<T>(check: Check<T>): Check<T[]> {
  return (value, path = "") =>
    Array.isArray(value) ? value.map((item, index) => check(item, `${path}[${index}]`)) : wrong("a list", value, path);
}

/** An object with these fields. Further fields are left out. */
export function object<T extends object>(fields: { [Field in keyof T]: Check<T[Field]> }): Check<T> {
  const names = Object.keys(fields) as (keyof T & string)[];
  return (value, path = "") => {
    const from = record(value, path);
    const prefix = path === "" ? "" : `${path}.`;
    return Object.fromEntries(names.map((name) => [name, fields[name](from[name], prefix + name)])) as T;
  };
}

/** An object with the fields of both. */
export function merged<A extends object, B extends object>(first: Check<A>, second: Check<B>): Check<A & B> {
  return (value, path) => ({ ...first(value, path), ...second(value, path) });
}

/** One of several objects, told apart by the word in the field `tag`; `null` for any other word. */
export function variants<C extends Record<string, Check<unknown>>>(tag: string, checks: C): Check<ReturnType<C[keyof C]> | null> {
  return (value, path) => {
    const word = record(value, path)[tag];
    const check = typeof word === "string" && Object.hasOwn(checks, word) ? checks[word] : undefined;
    return check ? (check(value, path) as ReturnType<C[keyof C]>) : null;
  };
}

/** Longitude and latitude. */
export const position: Check<[number, number]> = (value, path) => {
  const [lon, lat] = listOf(number)(value, path);
  return lon === undefined || lat === undefined ? wrong("a position", value, path) : [lon, lat];
};

export function wrong(expected: string, value: unknown, path = ""): never {
  const got = value === undefined ? "nothing" : JSON.stringify(value).slice(0, 60);
  throw new TourismoError(
    "relay_failed",
    `the relay's answer has ${got} at ${path || "its root"} where ${expected} was expected`,
  );
}
