// The land of the earth, Natural Earth 1:50 million (public domain): a file of the app, so that it works offline.

import type { Feature, FeatureCollection, LineString, Polygon, Position } from "geojson";
import { feature } from "topojson-client";
import type { GeometryCollection, Topology } from "topojson-specification";
import landUrl from "world-atlas/land-50m.json?url";

import { lonNear } from "../date-line.ts";

let land: Promise<FeatureCollection> | undefined;

/** The land, loaded once. */
export function loadLand(): Promise<FeatureCollection> {
  land ??= load();
  // After a failure the next map tries again.
  land.catch(() => (land = undefined));
  return land;
}

async function load(): Promise<FeatureCollection> {
  const response = await fetch(landUrl);
  const topology = (await response.json()) as Topology<{ land: GeometryCollection }>;
  return unwrapped(feature(topology, topology.objects.land));
}

/**
 * The land as polygons and its coasts as lines, for a flat map. The source has rings on a sphere: they jump from 180° to -180° at
 * the date line, which would be a line across the whole map, and the ring of Antarctica surrounds the pole.
 */
export function unwrapped({ features }: FeatureCollection): FeatureCollection {
  const polygons = features.flatMap(({ geometry }) =>
    geometry.type === "MultiPolygon" ? geometry.coordinates : geometry.type === "Polygon" ? [geometry.coordinates] : [],
  );
  const land = polygons.map((rings) => rings.map(unrolledRing));
  return { type: "FeatureCollection", features: [...land.map(polygon), ...land.flat().flatMap(coastsOf).map(coast)] };
}

/** The coast lines of a ring: its edges except those along the date line or a pole. */
function coastsOf(ring: Position[]): Position[][] {
  const coasts: Position[][] = [];
  let line: Position[] = [];
  for (const point of ring) {
    const before = line.at(-1);
    if (before && isEdge(before, point)) {
      coasts.push(line);
      line = [];
    }
    line.push(point);
  }
  return [...coasts, line].filter((coast) => coast.length > 1);
}

/** Whether a line from one point to the other is an edge of the map. */
function isEdge([lonA = 0, latA = 0]: Position, [lonB = 0, latB = 0]: Position): boolean {
  const isOnDateLine = (lon: number): boolean => Math.abs(lonNear(lon, 0)) === 180;
  return (isOnDateLine(lonA) && isOnDateLine(lonB)) || Math.abs(latA) === 90 || Math.abs(latB) === 90;
}

/** Unwraps the longitudes of a ring beyond 180°. A ring around a pole is closed along the edge of the map. */
function unrolledRing(ring: Position[]): Position[] {
  let turnDeg = 0;
  let before = ring[0]?.[0] ?? 0;
  const unwrapped = ring.map(([lon = 0, lat = 0]): Position => {
    if (Math.abs(lon - before) > 180) turnDeg += lon < before ? 360 : -360;
    before = lon;
    return [lon + turnDeg, lat];
  });
  const [first, last] = [unwrapped[0], unwrapped.at(-1)];
  if (turnDeg === 0 || !first || !last) return unwrapped;
  const poleLat = (first[1] ?? 0) < 0 ? -90 : 90;
  return [...unwrapped, [last[0] ?? 0, poleLat], [first[0] ?? 0, poleLat], first];
}

function coast(coordinates: Position[]): Feature<LineString> {
  return { type: "Feature", properties: {}, geometry: { type: "LineString", coordinates } };
}

function polygon(coordinates: Position[][]): Feature<Polygon> {
  return { type: "Feature", properties: {}, geometry: { type: "Polygon", coordinates } };
}
