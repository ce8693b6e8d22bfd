import type { Road } from "@tourismo/client";
import { describe, expect, test } from "vitest";

import {
  bearingDeg,
  boxAround,
  boxWithin,
  centreOf,
  compassOf,
  directionOf,
  isWithin,
  type LonLat,
  metresBetween,
  pairedRoads,
} from "./geometry.ts";

function road(id: string, score: number, ...line: LonLat[]): Road {
  const parts = { twist: 1, corners: 1, flow: 1, variety: 1 };
  return { id, score: { score, parts, measuredM: 1_000 }, lengthM: 1_000, drivers: "few", bearingDeg: 0, line };
}

describe("a road in both directions", () => {
  test("is one pair with the better direction first, though its ends are a little apart", () => {
    const up = road("up", 80, [10, 46], [10.05, 46.05]);
    const down = road("down", 85, [10.051, 46.051], [10.001, 46]);
    const other = road("other", 90, [10, 46], [10.1, 46]);
    expect(pairedRoads([up, down, other], 9).map(({ road, reverse }) => [road.id, reverse?.id])).toEqual([
      ["other", undefined],
      ["down", "up"],
    ]);
  });

  test("is not paired with a parallel road", () => {
    const beside = [road("a", 80, [10, 46], [10.05, 46.05]), road("b", 70, [10, 46], [10.05, 46.05])];
    expect(pairedRoads(beside, 9).length).toBe(2);
    expect(pairedRoads(beside, 1).map(({ road }) => road.id)).toEqual(["a"]);
  });
});

test("a road that ends at its start is a loop", () => {
  const there = { ...road("there", 80, [10, 46], [10, 46.1]), bearingDeg: 0 };
  expect(directionOf(there, undefined)).toBe("north");
  expect(directionOf(there, { ...there, bearingDeg: 180 })).toBe("north or south");
  expect(directionOf({ ...road("bend", 80, [10, 46], [10.0022, 46.0001]), bearingDeg: 90, lengthM: 180 }, undefined)).toBe(
    "east",
  );
  expect(directionOf(road("round", 80, [10, 46], [10.1, 46.1], [10.001, 46]), undefined)).toBe("loop");
});

describe("places", () => {
  test("have the distance and direction of a map", () => {
    expect(Math.round(metresBetween([10, 46], [10, 47]) / 1000)).toBe(111);
    expect(metresBetween([179.9, 0], [-179.9, 0])).toBeLessThan(23_000);
    expect(
      [
        [10, 47],
        [11, 46],
        [10, 45],
        [9, 46],
      ].map((to) => compassOf(bearingDeg([10, 46], to as LonLat))),
    ).toEqual(["north", "east", "south", "west"]);
    expect(compassOf(359)).toBe("north");
  });

  test("are found within a box, also over the date line", () => {
    expect(isWithin([10, 46], [9, 45, 11, 47])).toBe(true);
    expect(isWithin([179.5, 0], [179, -1, -179, 1])).toBe(true);
    expect(isWithin([0, 0], [179, -1, -179, 1])).toBe(false);
    expect(centreOf([179, -1, -175, 1])).toEqual([-178, 0]);
    expect(boxAround([179.75, -17], 0.5)).toEqual([179.25, -17.5, -179.75, -16.5]);
    expect(isWithin([-179.9, -17], boxAround([179.75, -17], 0.5))).toBe(true);
  });
});

describe("a box within metres of a place", () => {
  test("is wider in degrees towards the poles, and goes over the date line", () => {
    const [west, south, east, north] = boxWithin([10, 60], 11_119.5);
    expect([west, south, east, north].map((edge) => Number(edge.toFixed(2)))).toEqual([9.8, 59.9, 10.2, 60.1]);
    expect(boxWithin([179.99, 0], 11_119.5).map((edge) => Number(edge.toFixed(2)))).toEqual([179.89, -0.1, -179.91, 0.1]);
  });

  test("is all around at a pole", () => {
    const [west, south, east, north] = boxWithin([10, 89.99], 5_000);
    expect([west, east, north]).toEqual([-180, 180, 90]);
    expect(south).toBeCloseTo(89.945, 3);
  });
});
