// Answers of a relay for tests. Their types are those of the OpenAPI description.

import type { components } from "../generated/http.ts";

type Schemas = components["schemas"];

const head: Schemas["DriveHead"] = {
  id: "0190-copy",
  account: "a",
  handle: "dan",
  displayName: null,
  title: "Pass",
  startedAt: 3_600_000,
  utcOffsetMin: 120,
  car: null,
  stats: {
    distanceM: 12_000,
    gapDistanceM: 0,
    durationMs: 70_000,
    movingMs: 60_000,
    meanSpeedMps: 20,
    maxSpeedMps: 30,
    ascentM: 400,
    descentM: 10,
    fixes: 70,
    refused: 0,
    gaps: 0,
  },
};

export function driveItem(change: Partial<Schemas["DriveItem"]> = {}): Schemas["DriveItem"] {
  const reactions = { like: 2, wow: 0, road: 0, car: 0 };
  return { ...head, bbox: [10, 46, 11, 47], line: [], visibility: "public", reactions, comments: 0, mine: null, ...change };
}

export function driveFeature(coordinates: number[][][], parts: Schemas["DrivePart"][]): Schemas["DriveFeature"] {
  const geometry = { type: "MultiLineString", coordinates } as const;
  return { type: "Feature", id: head.id, bbox: [10, 46, 11, 47], geometry, properties: { ...head, parts } };
}

export function roadFeature(id: string, change: Partial<Schemas["RoadProperties"]> = {}): Schemas["RoadFeature"] {
  const parts = { twist: 80, corners: 70, relief: null, flow: 90, variety: 60 };
  const properties = { score: 81, parts, measuredM: 4_000, lengthM: 2_000, drivers: "10+", bearingDeg: 45, ...change } as const;
  const geometry = {
    type: "LineString",
    coordinates: [
      [10.1, 46.6],
      [10.2, 46.7],
    ],
  } as const;
  return { type: "Feature", id, geometry: { ...geometry, coordinates: geometry.coordinates.map((at) => [...at]) }, properties };
}
