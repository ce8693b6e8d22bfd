import { describe, expect, test } from "vitest";

import { boxOf, lonNear, unwrapped } from "./date-line.ts";
import type { LonLat } from "./geometry.ts";

/** From Taveuni eastwards, cut at the date line as the core does. */
const EAST: LonLat[][] = [
  [
    [179.9, -16.8],
    [180, -16.81],
  ],
  [
    [-180, -16.81],
    [-179.9, -16.82],
  ],
];

describe("a line over the date line", () => {
  test("continues beyond it in one part", () => {
    const line = unwrapped(EAST);
    expect(line).toEqual([
      [
        [179.9, -16.8],
        [180, -16.81],
        [expect.closeTo(180.1), -16.82],
      ],
    ]);
    expect(boxOf(line)).toEqual([179.9, -16.82, expect.closeTo(180.1), -16.8]);
  });

  test("continues westwards, too", () => {
    const west = EAST.map((part) => part.toReversed()).toReversed();
    expect(unwrapped(west)).toEqual([
      [
        [-179.9, -16.82],
        [-180, -16.81],
        [expect.closeTo(-180.1), -16.8],
      ],
    ]);
  });

  test("keeps its gaps", () => {
    const line = unwrapped([
      [
        [179.8, -16.8],
        [179.9, -16.8],
      ],
      [
        [-179.9, -16.9],
        [-179.8, -16.9],
      ],
    ]);
    expect(line).toEqual([
      [
        [179.8, -16.8],
        [179.9, -16.8],
      ],
      [
        [expect.closeTo(180.1), -16.9],
        [expect.closeTo(180.2), -16.9],
      ],
    ]);
  });

  test("is drawn beside another line on the same side of the map", () => {
    expect(
      unwrapped(
        [
          [
            [-179.9, 1],
            [-179.8, 1],
          ],
        ],
        179.9,
      ),
    ).toEqual([
      [
        [expect.closeTo(180.1), 1],
        [expect.closeTo(180.2), 1],
      ],
    ]);
  });

  test("that was not cut is unwrapped, too", () => {
    expect(
      unwrapped([
        [
          [179.9, 1],
          [-179.9, 1],
        ],
      ]),
    ).toEqual([
      [
        [179.9, 1],
        [expect.closeTo(180.1), 1],
      ],
    ]);
  });
});

test("a line elsewhere is unchanged", () => {
  const line: LonLat[][] = [
    [
      [10, 46],
      [10.1, 46.1],
    ],
    [],
    [
      [10.1, 46.1],
      [10.2, 46],
    ],
  ];
  expect(unwrapped(line)).toEqual(line);
  expect(boxOf([[]])).toBeUndefined();
  expect([lonNear(-179, 179), lonNear(179, -179), lonNear(10, 12)]).toEqual([181, -181, 10]);
});
