import { describe, expect, test } from "vitest";

import { boxOf, lonNear, unrolled } from "./date-line.ts";
import type { Place } from "./ways.ts";

/** From Taveuni eastwards, cut at the date line as the core does. */
const EAST: Place[][] = [
  [[179.9, -16.8], [180, -16.81]],
  [[-180, -16.81], [-179.9, -16.82]],
];

describe("a line over the date line", () => {
  test("goes on beyond it in one part", () => {
    const line = unrolled(EAST);
    expect(line).toEqual([[[179.9, -16.8], [180, -16.81], [expect.closeTo(180.1), -16.82]]]);
    expect(boxOf(line)).toEqual([179.9, -16.82, expect.closeTo(180.1), -16.8]);
  });

  test("goes on westwards, too", () => {
    const west = EAST.map((part) => part.toReversed()).toReversed();
    expect(unrolled(west)).toEqual([[[-179.9, -16.82], [-180, -16.81], [expect.closeTo(-180.1), -16.8]]]);
  });

  test("keeps its gaps", () => {
    const line = unrolled([[[179.8, -16.8], [179.9, -16.8]], [[-179.9, -16.9], [-179.8, -16.9]]]);
    expect(line).toEqual([
      [[179.8, -16.8], [179.9, -16.8]],
      [[expect.closeTo(180.1), -16.9], [expect.closeTo(180.2), -16.9]],
    ]);
  });

  test("is drawn beside another line on the same side of the map", () => {
    expect(unrolled([[[-179.9, 1], [-179.8, 1]]], 179.9)).toEqual([[[expect.closeTo(180.1), 1], [expect.closeTo(180.2), 1]]]);
  });

  test("that was never cut is unrolled likewise", () => {
    expect(unrolled([[[179.9, 1], [-179.9, 1]]])).toEqual([[[179.9, 1], [expect.closeTo(180.1), 1]]]);
  });
});

test("a line elsewhere stays as it is", () => {
  const line: Place[][] = [[[10, 46], [10.1, 46.1]], [], [[10.1, 46.1], [10.2, 46]]];
  expect(unrolled(line)).toEqual(line);
  expect(boxOf([[]])).toBeUndefined();
  expect([lonNear(-179, 179), lonNear(179, -179), lonNear(10, 12)]).toEqual([181, -181, 10]);
});
