// The squares whose roads the app fetches by itself: those with most of the user's drives.

import { type DriveView, type Square, squaresIn } from "@tourismo/client";

import type { Box } from "./geometry.ts";

/** Maximum number of squares. It leaves out the way to a place where the user was once. */
const MAX_SQUARES = 12;
/** Boxes with a longer side, degrees (about 500 km), are ignored. */
const LARGEST_DEG = 5;

/** The squares with most drives, in descending order of their number of drives. */
export function homeSquares(driven: readonly Pick<DriveView, "bounds">[]): Square[] {
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
  return most.slice(0, MAX_SQUARES).map(({ square }) => square);
}

export function isSmall([west, south, east, north]: Box): boolean {
  return (east < west ? east + 360 : east) - west < LARGEST_DEG && north - south < LARGEST_DEG;
}
