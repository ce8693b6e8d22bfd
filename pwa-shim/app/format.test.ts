import { expect, test } from "vitest";

import { clock, day, titleOf } from "./format.ts";

const drive = (utcOffsetMin: number | null) => ({ title: "", startedAt: Date.parse("2025-06-14T22:30:00Z"), utcOffsetMin });

test.each([
  [0, "Night drive"],
  [540, "Morning drive"],
  [-600, "Midday drive"],
  [-420, "Afternoon drive"],
])("a drive %i minutes from UTC is called by the time of the day where it began", (offset, expected) => {
  expect(titleOf(drive(offset))).toBe(expected);
});

test("a drive shows the local day and time of its start", () => {
  const { startedAt } = drive(null);
  expect(clock(startedAt, 570)).toBe(clock(Date.parse("2025-06-15T08:00:00Z"), 0));
  expect(day(startedAt, 570)).toBe(day(Date.parse("2025-06-15T08:00:00Z"), 0));
  expect(day(startedAt, 570)).not.toBe(day(startedAt, 0));
});
