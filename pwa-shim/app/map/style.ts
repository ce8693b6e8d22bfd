// The map's style: land of Natural Earth, a grid to judge distances by, and the drive. No glyphs, no sprites, no network.

import type { Line } from "@tourismo/client";
import type { Feature, FeatureCollection, Position } from "geojson";
import type { StyleSpecification } from "maplibre-gl";

interface Colours {
  water: string;
  land: string;
  coast: string;
  grid: string;
  casing: string;
  route: string;
  gap: string;
}

const DARK: Colours = {
  water: "#0c1116",
  land: "#1b1f24",
  coast: "#39424b",
  grid: "#262c32",
  casing: "#0c0e10",
  route: "#ff6a3d",
  gap: "#8b929a",
};
const LIGHT: Colours = {
  water: "#c9dbe2",
  land: "#efebe1",
  coast: "#b5b09f",
  grid: "#e0dacb",
  casing: "#ffffff",
  route: "#d8411b",
  gap: "#7b7f83",
};

export function styleOf(line: Line, land: FeatureCollection | Feature, isDark: boolean): StyleSpecification {
  const colours = isDark ? DARK : LIGHT;
  const drive = "drive";
  const round = { "line-cap": "round", "line-join": "round" } as const;
  return {
    version: 8,
    sources: {
      land: { type: "geojson", data: land },
      grid: { type: "geojson", data: gridAround(line) },
      [drive]: { type: "geojson", data: featuresOf(line) },
    },
    layers: [
      { id: "water", type: "background", paint: { "background-color": colours.water } },
      { id: "land", type: "fill", source: "land", paint: { "fill-color": colours.land, "fill-antialias": true } },
      { id: "coast", type: "line", source: "land", paint: { "line-color": colours.coast, "line-width": 1 } },
      { id: "grid", type: "line", source: "grid", paint: { "line-color": colours.grid, "line-width": 1 } },
      {
        id: "gap",
        type: "line",
        source: drive,
        filter: ["==", ["get", "kind"], "gap"],
        paint: { "line-color": colours.gap, "line-width": 2, "line-dasharray": [2, 2] },
      },
      {
        id: "casing",
        type: "line",
        source: drive,
        filter: ["==", ["get", "kind"], "part"],
        layout: round,
        paint: { "line-color": colours.casing, "line-width": 7 },
      },
      {
        id: "part",
        type: "line",
        source: drive,
        filter: ["==", ["get", "kind"], "part"],
        layout: round,
        paint: { "line-color": colours.route, "line-width": 4 },
      },
      {
        id: "ends",
        type: "circle",
        source: drive,
        filter: ["==", ["geometry-type"], "Point"],
        paint: {
          "circle-radius": 6,
          "circle-color": ["match", ["get", "kind"], "start", colours.casing, colours.route],
          "circle-stroke-color": ["match", ["get", "kind"], "start", colours.route, colours.casing],
          "circle-stroke-width": 3,
        },
      },
    ],
  };
}

/** A place as a line of one point; no place as none. */
export function placeOf(position: [number, number] | null): Line {
  return { parts: position ? [[position]] : [] };
}

/** How wide the surroundings of a single place are, kilometres. */
const PLACE_KM = 40;

/** Parts as lines, the gaps between them as straight ones, the start and the finish as points. */
export function featuresOf(line: Line): FeatureCollection {
  const collection: FeatureCollection = { type: "FeatureCollection", features: [] };
  const add = (kind: string, type: "LineString" | "Point", coordinates: Position | Position[]): void => {
    collection.features.push({ type: "Feature", properties: { kind }, geometry: { type, coordinates } as never });
  };
  const parts = line.parts.filter((part) => part.length > 0);
  parts.forEach((part, i) => {
    const before = parts[i - 1]?.at(-1);
    if (before && part[0]) add("gap", "LineString", [before, part[0]]);
    if (part.length > 1) add("part", "LineString", part);
  });
  const [start, finish] = [parts[0]?.[0], parts.at(-1)?.at(-1)];
  if (start) add("start", "Point", start);
  if (finish) add("finish", "Point", finish);
  return collection;
}

/** Lines of a round number of kilometres apart, well beyond the drive on all sides. */
export function gridAround(line: Line): FeatureCollection {
  const points = line.parts.flat();
  if (points.length === 0) return { type: "FeatureCollection", features: [] };
  const [lons, lats] = [points.map(([lon]) => lon), points.map(([, lat]) => lat)];
  const [west, east] = [Math.min(...lons), Math.max(...lons)];
  const [south, north] = [Math.min(...lats), Math.max(...lats)];
  const middle = ((south + north) / 2) * (Math.PI / 180);
  const kmPerLat = 111.32;
  const kmPerLon = kmPerLat * Math.max(0.05, Math.cos(middle));
  const spanKm = Math.max((east - west) * kmPerLon, (north - south) * kmPerLat, points.length === 1 ? PLACE_KM : 0.5);
  const stepKm = [0.1, 0.5, 1, 5, 10, 50, 100, 500].find((step) => spanKm / step <= 8) ?? 1000;
  const lines: Position[][] = [];
  const [stepLon, stepLat] = [stepKm / kmPerLon, stepKm / kmPerLat];
  const [x0, y0] = [(west + east) / 2, (south + north) / 2];
  const [reachX, reachY] = [stepLon * 16, stepLat * 16];
  for (let i = -16; i <= 16; i++) {
    lines.push([
      [x0 + i * stepLon, clampLat(y0 - reachY)],
      [x0 + i * stepLon, clampLat(y0 + reachY)],
    ]);
    lines.push([
      [x0 - reachX, clampLat(y0 + i * stepLat)],
      [x0 + reachX, clampLat(y0 + i * stepLat)],
    ]);
  }
  const geometry = { type: "MultiLineString", coordinates: lines } as const;
  return { type: "FeatureCollection", features: [{ type: "Feature", properties: {}, geometry }] };
}

function clampLat(lat: number): number {
  return Math.min(85, Math.max(-85, lat));
}
