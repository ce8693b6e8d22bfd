import { expect, test } from "vitest";

import { homeSquares, isSmall } from "./home-squares.ts";

const at = (west: number, south: number, size = 0.1) => ({
  bounds: [west, south, west + size, south + size] as [number, number, number, number],
});

test("roads are kept where most drives are, and nowhere between", () => {
  const home = { west: 20, south: 93 };
  const holiday = { west: 60, south: 80 };
  expect(homeSquares([at(30.1, 40.1), at(10.1, 46.6), at(10.2, 46.7)])).toEqual([home, holiday]);
  expect(homeSquares([at(10.1, 46.6, 20)]), "a drive through half of Europe").toEqual([]);
  expect(homeSquares([{ bounds: null }])).toEqual([]);
  expect(homeSquares(Array.from({ length: 50 }, (_, i) => at(i + 0.1, 46.6))).length).toBe(12);
});

test("a box over the date line is as small as elsewhere", () => {
  expect(isSmall([179, 0, -179, 1])).toBe(true);
  expect(isSmall([-179, 0, 179, 1])).toBe(false);
});
