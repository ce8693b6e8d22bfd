import { describe, expect, test } from "vitest";

import { fromInput, isTimeZone, toInput } from "./time-zone.ts";

const at = (text: string): number => Date.parse(text);

describe("a field for date and time", () => {
  test.each([
    ["Europe/Vienna", "2026-06-14T08:00:00Z", "2026-06-14T10:00"],
    ["Europe/Vienna", "2026-12-14T09:00:00Z", "2026-12-14T10:00"],
    ["America/New_York", "2026-06-14T08:00:00Z", "2026-06-14T04:00"],
    ["Asia/Kolkata", "2026-06-14T08:00:00Z", "2026-06-14T13:30"],
    ["Pacific/Kiritimati", "2026-06-14T12:00:00Z", "2026-06-15T02:00"],
    ["Pacific/Pago_Pago", "2026-06-14T08:00:00Z", "2026-06-13T21:00"],
    ["of a newer browser", "2026-06-14T08:00:00Z", "2026-06-14T08:00"],
  ])("shows the clocks of %s and reads them back", (timeZone, instant, shown) => {
    expect(toInput(at(instant), timeZone)).toBe(shown);
    expect(fromInput(shown, timeZone)).toBe(at(instant));
  });

  test("means the first of two equal local times when clocks are put back", () => {
    expect(fromInput("2026-10-25T02:30", "Europe/Vienna")).toBe(at("2026-10-25T00:30:00Z"));
  });

  test("means the time by the old offset when clocks are put forward over it", () => {
    expect(fromInput("2026-03-29T02:30", "Europe/Vienna")).toBe(at("2026-03-29T01:30:00Z"));
  });

  test("reads local times an hour before and after a change", () => {
    for (const instant of ["2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z", "2026-10-25T02:30:00Z", "2026-10-24T23:30:00Z"]) {
      expect(fromInput(toInput(at(instant), "Europe/Vienna"), "Europe/Vienna")).toBe(at(instant));
    }
  });

  test("without a date is null", () => {
    expect(fromInput("", "Europe/Vienna")).toBeNull();
    expect(fromInput("soon", "Europe/Vienna")).toBeNull();
  });
});

test("a time zone must be known to this device", () => {
  expect(["Europe/Vienna", "UTC", "", "Mars/Olympus"].map(isTimeZone)).toEqual([true, true, false, false]);
});
