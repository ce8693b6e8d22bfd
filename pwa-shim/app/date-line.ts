// Lines over the date line. The core cuts them there; on a flat map they go on beyond 180° instead, so that a view fits them.

import type { Place } from "./ways.ts";

/** The longitude of the same place on the turn around the earth that is nearest to another longitude, degrees. */
export function lonNear(lon: number, near: number): number {
  return lon + 360 * Math.round((near - lon) / 360);
}

/**
 * The parts of a line, each going on from where the one before ended: no step is longer than half the way around the earth.
 * Parts that were cut at the date line are one again. The first point is near the given longitude, or stays where it is.
 */
export function unrolled(parts: readonly Place[][], near?: number): Place[][] {
  const whole: Place[][] = [];
  let lonBefore = near ?? parts.find((part) => part.length > 0)?.[0]?.[0] ?? 0;
  for (const part of parts) {
    const points = part.map(([lon, lat]): Place => {
      lonBefore = lonNear(lon, lonBefore);
      return [lonBefore, lat];
    });
    const last = whole.at(-1);
    if (last && isCut(last.at(-1), points[0])) whole[whole.length - 1] = last.concat(points.slice(1));
    else whole.push(points);
  }
  return whole;
}

/** West, south, east and north of unrolled parts; east is beyond 180° if they cross the date line. */
export function boxOf(parts: readonly Place[][]): [number, number, number, number] | undefined {
  let box: [number, number, number, number] | undefined;
  for (const [lon, lat] of parts.flat()) {
    box ??= [lon, lat, lon, lat];
    box = [Math.min(box[0], lon), Math.min(box[1], lat), Math.max(box[2], lon), Math.max(box[3], lat)];
  }
  return box;
}

/** Whether one part ends where the next begins, on the date line. */
function isCut(end: Place | undefined, begin: Place | undefined): boolean {
  return end !== undefined && begin !== undefined && isSame(end, begin) && Math.abs(lonNear(end[0], 0)) === 180;
}

function isSame([lonA, latA]: Place, [lonB, latB]: Place): boolean {
  return lonA === lonB && latA === latB;
}
