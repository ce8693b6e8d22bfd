// Geometry of roads: distances, bearings, boxes, and pairs of roads that are one road in both directions.

import type { Road } from "@tourismo/client";

import { lonNear } from "./date-line.ts";

export type LonLat = [lon: number, lat: number];
/** West, south, east, north. */
export type Box = [number, number, number, number];

/** The ends of a road and of its reverse are at most this far apart, metres: at a fork they may end at two junctions. */
const SAME_END_M = 300;
/** The mean radius of the earth (IUGG). */
const RADIUS_M = 6_371_008.8;
const COMPASS = ["north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west"];

/** A road, and the same road in the other direction if that is known. */
export interface RoadPair {
  road: Road;
  reverse: Road | undefined;
}

/** The length of a degree of latitude, metres, on a sphere of that radius. */
const DEGREE_M = (RADIUS_M * Math.PI) / 180;

/** The box around a place whose edges are this many metres from it; west is greater than east if it crosses the date line (RFC 7946). */
export function boxWithin([lon, lat]: LonLat, metres: number): Box {
  const [south, north] = [Math.max(lat - metres / DEGREE_M, -90), Math.min(lat + metres / DEGREE_M, 90)];
  // The parallels are shorter towards the poles.
  const width = metres / (DEGREE_M * Math.cos((Math.max(-south, north) * Math.PI) / 180));
  if (!(width < 180)) return [-180, south, 180, north];
  return [lonNear(lon - width, 0), south, lonNear(lon + width, 0), north];
}

/** The best roads, both directions of one road as one pair with the better direction first. */
export function pairedRoads(roads: readonly Road[], most: number): RoadPair[] {
  // Each road may be in the list twice, once for each direction.
  const left = [...roads].sort((a, b) => b.score.score - a.score.score).slice(0, 2 * most);
  const pairs: RoadPair[] = [];
  for (let road = left.shift(); road && pairs.length < most; road = left.shift()) {
    const reverse = reverseOf(road, left);
    if (reverse) left.splice(left.indexOf(reverse), 1);
    pairs.push({ road, reverse });
  }
  return pairs;
}

/** The same road in the other direction, if it is in the list. */
export function reverseOf(road: Road, others: readonly Road[]): Road | undefined {
  const [from, to] = endsOf(road);
  return others.find((other) => {
    const [start, end] = endsOf(other);
    return other.id !== road.id && metresBetween(from, end) < SAME_END_M && metresBetween(to, start) < SAME_END_M;
  });
}

/** The middle one of the points of a road. */
export function midpointOf({ line }: Road): LonLat {
  return line[Math.floor(line.length / 2)] as LonLat;
}

export function isWithin([lon, lat]: LonLat, [west, south, east, north]: Box): boolean {
  const isBetween = west <= east ? lon >= west && lon <= east : lon >= west || lon <= east;
  return isBetween && lat >= south && lat <= north;
}

/** A box around a position with this many degrees on each side. */
export function boxAround([lon, lat]: LonLat, reachDeg: number): Box {
  return [lonNear(lon - reachDeg, 0), lat - reachDeg, lonNear(lon + reachDeg, 0), lat + reachDeg];
}

/** The centre of a box. */
export function centreOf([west, south, east, north]: Box): LonLat {
  const lon = (west + (east < west ? east + 360 : east)) / 2;
  return [lon > 180 ? lon - 360 : lon, (south + north) / 2];
}

/** The nearest of the eight compass directions. */
export function compassOf(bearingDeg: number): string {
  return COMPASS[Math.round(bearingDeg / 45) % 8] as string;
}

/** The compass direction of a road, and of its reverse if that is given. */
export function directionOf(road: Road, reverse: Road | undefined): string {
  // The ends of a short road are always near each other.
  if (metresBetween(...endsOf(road)) < Math.min(SAME_END_M, road.lengthM / 4)) return "loop";
  return reverse ? `${compassOf(road.bearingDeg)} or ${compassOf(reverse.bearingDeg)}` : compassOf(road.bearingDeg);
}

/** The initial bearing of the great circle from one position to another, degrees clockwise from north. */
export function bearingDeg([fromLon, fromLat]: LonLat, [toLon, toLat]: LonLat): number {
  const [a, b, dLon] = [radians(fromLat), radians(toLat), radians(toLon - fromLon)];
  const east = Math.sin(dLon) * Math.cos(b);
  const north = Math.cos(a) * Math.sin(b) - Math.sin(a) * Math.cos(b) * Math.cos(dLon);
  return ((Math.atan2(east, north) * 180) / Math.PI + 360) % 360;
}

/** The great-circle distance of two positions (haversine), metres. */
export function metresBetween([lonA, latA]: LonLat, [lonB, latB]: LonLat): number {
  const [dLat, dLon] = [radians(latB - latA), radians(lonB - lonA)];
  const h = Math.sin(dLat / 2) ** 2 + Math.cos(radians(latA)) * Math.cos(radians(latB)) * Math.sin(dLon / 2) ** 2;
  return 2 * RADIUS_M * Math.asin(Math.sqrt(Math.min(1, h)));
}

function endsOf({ line }: Road): [LonLat, LonLat] {
  return [line[0] as LonLat, line.at(-1) as LonLat];
}

function radians(degrees: number): number {
  return (degrees * Math.PI) / 180;
}
