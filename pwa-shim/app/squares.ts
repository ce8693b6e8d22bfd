// Of which squares a phone asks for roads by itself: those in which most of its person's drives lie.

import { type DriveView, type Square, squaresIn } from "@tourismo/client";

import type { Box } from "./ways.ts";

/** How many squares at most: what lies between here and where somebody once went on holiday is not among them. */
const HOME_SQUARES = 12;
/** A box that is larger than this on a side, degrees, is no neighbourhood: about 500 km. */
const LARGEST_DEG = 5;

/** The squares in which most of the drives lie, those with most drives first. */
export function squaresOf(driven: readonly Pick<DriveView, "bounds">[]): Square[] {
  const counted = new Map<string, { square: Square; drives: number }>();
  for (const { bounds } of driven) {
    if (bounds === null || !isSmall(bounds)) continue;
    for (const square of squaresIn(bounds)) {
      const name = `${square.west} ${square.south}`;
      const known = counted.get(name) ?? { square, drives: 0 };
      counted.set(name, { square, drives: known.drives + 1 });
    }
  }
  const most = [...counted.values()].sort((a, b) => b.drives - a.drives);
  return most.slice(0, HOME_SQUARES).map(({ square }) => square);
}

export function isSmall([west, south, east, north]: Box): boolean {
  return (east < west ? east + 360 : east) - west < LARGEST_DEG && north - south < LARGEST_DEG;
}
