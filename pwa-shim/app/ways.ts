// Where roads lie: how far from a place and in which direction, within which bounds, and which two are one road in both
// directions.

import type { Road } from "@tourismo/client";

import { lonNear } from "./date-line.ts";

export type Place = [lon: number, lat: number];
/** West, south, east, north. */
export type Box = [number, number, number, number];

/** Ends of one road in both directions lie this near to each other, metres: where it forks, two junctions may be found. */
const SAME_END_M = 300;
/** The mean radius of the earth (IUGG). */
const RADIUS_M = 6_371_008.8;
const COMPASS = ["north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west"];

/** A road, and the same road in the other direction if that is good to drive, too. */
export interface Way {
  road: Road;
  back: Road | undefined;
}

/** Roads that are the same in both directions as one, by the better direction: the best so many. */
export function bestWays(roads: readonly Road[], most: number): Way[] {
  // Each may be there twice.
  const left = [...roads].sort((a, b) => b.score.score - a.score.score).slice(0, 2 * most);
  const ways: Way[] = [];
  for (let road = left.shift(); road && ways.length < most; road = left.shift()) {
    const back = backOf(road, left);
    if (back) left.splice(left.indexOf(back), 1);
    ways.push({ road, back });
  }
  return ways;
}

/** The same road in the other direction, if it is among these. */
export function backOf(road: Road, others: readonly Road[]): Road | undefined {
  const [from, to] = endsOf(road);
  return others.find((other) => {
    const [start, end] = endsOf(other);
    return other.id !== road.id && metresBetween(from, end) < SAME_END_M && metresBetween(to, start) < SAME_END_M;
  });
}

/** The point halfway along the points of a road. */
export function middleOf({ line }: Road): Place {
  return line[Math.floor(line.length / 2)] as Place;
}

export function isWithin([lon, lat]: Place, [west, south, east, north]: Box): boolean {
  const isBetween = west <= east ? lon >= west && lon <= east : lon >= west || lon <= east;
  return isBetween && lat >= south && lat <= north;
}

/** A box with so many degrees on each side of a place. */
export function boxAround([lon, lat]: Place, reachDeg: number): Box {
  return [lonNear(lon - reachDeg, 0), lat - reachDeg, lonNear(lon + reachDeg, 0), lat + reachDeg];
}

/** The middle of a box. */
export function middleOfBox([west, south, east, north]: Box): Place {
  const lon = (west + (east < west ? east + 360 : east)) / 2;
  return [lon > 180 ? lon - 360 : lon, (south + north) / 2];
}

/** Which of the eight winds a bearing is nearest to. */
export function compassOf(bearingDeg: number): string {
  return COMPASS[Math.round(bearingDeg / 45) % 8] as string;
}

/** Where a road leads, and where it leads the other way round if that is given. */
export function courseOf(road: Road, back: Road | undefined): string {
  // A short road's ends are near each other in any case.
  if (metresBetween(...endsOf(road)) < Math.min(SAME_END_M, road.lengthM / 4)) return "loop";
  return back ? `${compassOf(road.bearingDeg)} or ${compassOf(back.bearingDeg)}` : compassOf(road.bearingDeg);
}

/** From one place to another on a sphere, clockwise from north. */
export function bearingDeg([fromLon, fromLat]: Place, [toLon, toLat]: Place): number {
  const [a, b, dLon] = [radians(fromLat), radians(toLat), radians(toLon - fromLon)];
  const east = Math.sin(dLon) * Math.cos(b);
  const north = Math.cos(a) * Math.sin(b) - Math.sin(a) * Math.cos(b) * Math.cos(dLon);
  return ((Math.atan2(east, north) * 180) / Math.PI + 360) % 360;
}

/** Over a sphere (haversine), metres. */
export function metresBetween([lonA, latA]: Place, [lonB, latB]: Place): number {
  const [dLat, dLon] = [radians(latB - latA), radians(lonB - lonA)];
  const h = Math.sin(dLat / 2) ** 2 + Math.cos(radians(latA)) * Math.cos(radians(latB)) * Math.sin(dLon / 2) ** 2;
  return 2 * RADIUS_M * Math.asin(Math.sqrt(Math.min(1, h)));
}

function endsOf({ line }: Road): [Place, Place] {
  return [line[0] as Place, line.at(-1) as Place];
}

function radians(degrees: number): number {
  return (degrees * Math.PI) / 180;
}
