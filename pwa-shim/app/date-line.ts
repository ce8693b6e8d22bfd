// Lines over the date line. The core cuts them there. On a flat map they continue beyond 180°, so that a view can fit them.

import type { LonLat } from "./geometry.ts";

/** A longitude plus the multiple of 360° that brings it nearest to another longitude. */
export function lonNear(lon: number, near: number): number {
  return lon + 360 * Math.round((near - lon) / 360);
}

/**
 * Unwraps the longitudes of a line: no step between two points is longer than 180°. Parts that were cut at the date line are
 * joined. The first point is moved near the given longitude, if there is one.
 */
export function unwrapped(parts: readonly LonLat[][], near?: number): LonLat[][] {
  const whole: LonLat[][] = [];
  let lonBefore = near ?? parts.find((part) => part.length > 0)?.[0]?.[0] ?? 0;
  for (const part of parts) {
    const points = part.map(([lon, lat]): LonLat => {
      lonBefore = lonNear(lon, lonBefore);
      return [lonBefore, lat];
    });
    const last = whole.at(-1);
    if (last && isCut(last.at(-1), points[0])) whole[whole.length - 1] = last.concat(points.slice(1));
    else whole.push(points);
  }
  return whole;
}

/** The bounds of unwrapped parts: west, south, east, north. East is beyond 180° if they cross the date line. */
export function boxOf(parts: readonly LonLat[][]): [number, number, number, number] | undefined {
  let box: [number, number, number, number] | undefined;
  for (const [lon, lat] of parts.flat()) {
    box ??= [lon, lat, lon, lat];
    box = [Math.min(box[0], lon), Math.min(box[1], lat), Math.max(box[2], lon), Math.max(box[3], lat)];
  }
  return box;
}

/** Whether one part ends on the date line where the next begins. */
function isCut(end: LonLat | undefined, begin: LonLat | undefined): boolean {
  return end !== undefined && begin !== undefined && isSame(end, begin) && Math.abs(lonNear(end[0], 0)) === 180;
}

function isSame([lonA, latA]: LonLat, [lonB, latB]: LonLat): boolean {
  return lonA === lonB && latA === latB;
}
