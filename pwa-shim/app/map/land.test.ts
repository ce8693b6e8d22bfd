import type { FeatureCollection, Position } from "geojson";
import { feature } from "topojson-client";
import type { GeometryCollection, Topology } from "topojson-specification";
import { describe, expect, test } from "vitest";
import land from "world-atlas/land-50m.json";

import { unwrapped } from "./land.ts";

function around(...ring: Position[]): FeatureCollection {
  return {
    type: "FeatureCollection",
    features: [{ type: "Feature", properties: {}, geometry: { type: "Polygon", coordinates: [ring] } }],
  };
}

function ringsOf(collection: FeatureCollection): Position[][] {
  return collection.features.flatMap(({ geometry }) => (geometry.type === "Polygon" ? geometry.coordinates : []));
}

function coastsOf(collection: FeatureCollection): Position[][] {
  return collection.features.flatMap(({ geometry }) => (geometry.type === "LineString" ? [geometry.coordinates] : []));
}

describe("land on a flat map", () => {
  test("continues beyond the date line", () => {
    const [ring] = ringsOf(unwrapped(around([170, 60], [-170, 60], [-170, 70], [170, 70], [170, 60])));
    expect(ring).toEqual([
      [170, 60],
      [190, 60],
      [190, 70],
      [170, 70],
      [170, 60],
    ]);
  });

  test("around a pole reaches it", () => {
    const [ring] = ringsOf(unwrapped(around([0, -70], [120, -70], [-120, -70], [0, -70])));
    expect(ring).toEqual([
      [0, -70],
      [120, -70],
      [240, -70],
      [360, -70],
      [360, -90],
      [0, -90],
      [0, -70],
    ]);
  });

  test("has no coast where it continues at the other edge of the map", () => {
    const west = unwrapped(around([179, -17], [180, -17], [180, -16], [179, -16], [179, -17]));
    expect(coastsOf(west)).toEqual([
      [
        [179, -17],
        [180, -17],
      ],
      [
        [180, -16],
        [179, -16],
        [179, -17],
      ],
    ]);
    const east = unwrapped(around([-180, -17], [-179, -17], [-180, -16], [-180, -17]));
    expect(coastsOf(east)).toEqual([
      [
        [-180, -17],
        [-179, -17],
        [-180, -16],
      ],
    ]);
    expect(coastsOf(unwrapped(around([10, 40], [11, 40], [10, 41], [10, 40]))).length).toBe(1);
  });

  test("has no line across the whole map", () => {
    const topology = land as unknown as Topology<{ land: GeometryCollection }>;
    const rings = ringsOf(unwrapped(feature(topology, topology.objects.land)));
    expect(rings.length).toBeGreaterThan(1_000);
    const isJump = ([lon = 0, lat = 0]: Position, [before = 0]: Position): boolean => lat > -90 && Math.abs(lon - before) > 180;
    const jumps = rings.flatMap((ring) => ring.slice(1).filter((point, i) => isJump(point, ring[i] as Position)));
    expect(jumps).toEqual([]);
  });
});
