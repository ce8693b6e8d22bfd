// Styles of the maps: land of Natural Earth, a grid as a measure of distance, and a drive, a place or roads. They need no glyphs,
// sprites or network.

import type { Line } from "@tourismo/client";
import type { FeatureCollection, Position } from "geojson";
import type {
  ExpressionSpecification,
  FilterSpecification,
  LayerSpecification,
  LineLayerSpecification,
  StyleSpecification,
} from "maplibre-gl";

import { boxOf, lonNear, unwrapped } from "../date-line.ts";
import type { LonLat } from "../geometry.ts";
import { BANDS, bandColours } from "../score-bands.ts";

interface Colours {
  water: string;
  land: string;
  coast: string;
  grid: string;
  casing: string;
  route: string;
  gap: string;
  place: string;
  refused: string;
}

const DARK: Colours = {
  water: "#0c1116",
  land: "#1b1f24",
  coast: "#39424b",
  grid: "#262c32",
  casing: "#0c0e10",
  route: "#ff6a3d",
  gap: "#8b929a",
  place: "#6cb6ff",
  refused: "#f0b24a",
};
const LIGHT: Colours = {
  water: "#c9dbe2",
  land: "#efebe1",
  coast: "#b5b09f",
  grid: "#e0dacb",
  casing: "#ffffff",
  route: "#d8411b",
  gap: "#7b7f83",
  place: "#1769c2",
  refused: "#8f5d00",
};

const NOTHING: Line = { parts: [] };

/** A stretch of a drive with its road score. */
export interface ScoredLine {
  line: Line;
  score: number;
}

/** The content of a map: a drive, or a place. */
export interface Drawn {
  line: Line;
  /** Good stretches. If there are any, the rest of the line is drawn in grey. */
  stretches?: ScoredLine[];
  /** The parts of the line that others do not see. */
  hidden?: Line;
  /** Refused positions. */
  refused?: RefusedPosition[];
}

/** A refused position. */
export interface RefusedPosition {
  place: LonLat;
  isTakenBack: boolean;
  /** Whether the user selected it in the list. */
  isChosen: boolean;
}

export function styleOf(drawn: Drawn, land: FeatureCollection, isDark: boolean): StyleSpecification {
  const { line, stretches = [], hidden = NOTHING, refused = [] } = drawn;
  const colours = isDark ? DARK : LIGHT;
  const near = startOf(drawn)?.[0] ?? 0;
  const drive = "drive";
  const isStretched = stretches.length > 0;
  return {
    version: 8,
    sources: {
      land: { type: "geojson", data: land },
      grid: { type: "geojson", data: gridAround(boxOfDrawn(drawn)) },
      [drive]: { type: "geojson", data: featuresOf(line, near) },
      stretches: { type: "geojson", data: stretchesOf(stretches, near) },
      hidden: { type: "geojson", data: featuresOf(hidden, near) },
      refused: { type: "geojson", data: refusedOf(refused, near) },
    },
    layers: [
      ...ground(colours),
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
        layout: ROUND,
        paint: { "line-color": colours.casing, "line-width": 7 },
      },
      {
        id: "part",
        type: "line",
        source: drive,
        filter: ["==", ["get", "kind"], "part"],
        layout: ROUND,
        paint: { "line-color": isStretched ? colours.gap : colours.route, "line-width": isStretched ? 3 : 4 },
      },
      {
        id: "stretches",
        type: "line",
        source: "stretches",
        layout: { ...ROUND, "line-sort-key": ["get", "score"] },
        paint: { "line-color": byBand(bandColours()), "line-width": 6 },
      },
      {
        id: "covered",
        type: "line",
        source: "hidden",
        filter: ["==", ["get", "kind"], "part"],
        layout: ROUND,
        paint: { "line-color": colours.casing, "line-width": 7 },
      },
      {
        id: "hidden",
        type: "line",
        source: "hidden",
        filter: ["==", ["get", "kind"], "part"],
        paint: { "line-color": colours.gap, "line-width": 3, "line-dasharray": [1, 1] },
      },
      {
        id: "refused",
        type: "circle",
        source: "refused",
        layout: { "circle-sort-key": ["case", ["get", "isChosen"], 1, 0] },
        paint: {
          "circle-radius": ["case", ["get", "isChosen"], 9, ["get", "isTakenBack"], 2, 4],
          "circle-color": ["case", ["get", "isChosen"], colours.casing, ["get", "isTakenBack"], colours.refused, colours.casing],
          "circle-stroke-color": colours.refused,
          "circle-stroke-width": ["case", ["get", "isChosen"], 4, ["get", "isTakenBack"], 0, 2],
        },
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

/** The layer that is searched for roads at a tap. */
export const ROADS_LAYER = "roads";

/** Roads. Better roads are wider and drawn above others. At high zoom levels each direction is drawn on its side. */
export function roadsStyle(roads: FeatureCollection, land: FeatureCollection, isDark: boolean): StyleSpecification {
  const colours = isDark ? DARK : LIGHT;
  const isRoad = ["==", ["get", "kind"], "road"] satisfies FilterSpecification;
  const layout = { ...ROUND, "line-sort-key": ["get", "score"] } satisfies LineLayerSpecification["layout"];
  const offset = ["interpolate", ["linear"], ["zoom"], 10, 0, 14, 5] satisfies ExpressionSpecification;
  return {
    version: 8,
    sources: {
      land: { type: "geojson", data: land },
      grid: { type: "geojson", data: gridAround(undefined) },
      roads: { type: "geojson", data: roads },
    },
    layers: [
      ...ground(colours),
      {
        id: "casing",
        type: "line",
        source: "roads",
        filter: isRoad,
        layout,
        paint: { "line-color": colours.casing, "line-width": byBand([4, 5, 6, 7]), "line-offset": offset },
      },
      {
        id: ROADS_LAYER,
        type: "line",
        source: "roads",
        filter: isRoad,
        layout,
        paint: { "line-color": byBand(bandColours()), "line-width": byBand([2, 3, 4, 5]), "line-offset": offset },
      },
      {
        id: "place",
        type: "circle",
        source: "roads",
        filter: ["==", ["get", "kind"], "place"],
        paint: {
          "circle-radius": 7,
          "circle-color": colours.place,
          "circle-stroke-color": colours.casing,
          "circle-stroke-width": 3,
        },
      },
    ],
  };
}

const ROUND = { "line-cap": "round", "line-join": "round" } as const;

/** The layers below everything else. */
function ground(colours: Colours): LayerSpecification[] {
  return [
    { id: "water", type: "background", paint: { "background-color": colours.water } },
    {
      id: "land",
      type: "fill",
      source: "land",
      filter: ["==", ["geometry-type"], "Polygon"],
      paint: { "fill-color": colours.land, "fill-antialias": true },
    },
    {
      id: "coast",
      type: "line",
      source: "land",
      filter: ["==", ["geometry-type"], "LineString"],
      paint: { "line-color": colours.coast, "line-width": 1 },
    },
    { id: "grid", type: "line", source: "grid", paint: { "line-color": colours.grid, "line-width": 1 } },
  ];
}

/** An expression with one value for each score band, from plain to great. */
function byBand<T extends string | number>(values: T[]): ExpressionSpecification {
  const [first, ...others] = BANDS.map(({ least }, i) => [least, values[i] as T] as const);
  return ["step", ["get", "score"], first?.[1], ...others.flat()] as ExpressionSpecification;
}

function stretchesOf(stretches: ScoredLine[], near: number): FeatureCollection {
  const features = stretches.flatMap(({ line, score }) =>
    unwrapped(line.parts, near)
      .filter((part) => part.length > 1)
      .map((coordinates) => ({
        type: "Feature" as const,
        properties: { score },
        geometry: { type: "LineString" as const, coordinates },
      })),
  );
  return { type: "FeatureCollection", features };
}

function refusedOf(refused: RefusedPosition[], near: number): FeatureCollection {
  const features = refused.map(({ place: [lon, lat], isTakenBack, isChosen }) => ({
    type: "Feature" as const,
    properties: { isTakenBack, isChosen },
    geometry: { type: "Point" as const, coordinates: [lonNear(lon, near), lat] },
  }));
  return { type: "FeatureCollection", features };
}

/** The start of a drive; the first refused position if no position counts. */
function startOf({ line, refused }: Drawn): LonLat | undefined {
  return line.parts.find((part) => part.length > 0)?.[0] ?? refused?.[0]?.place;
}

/** The bounds of the line, or of the refused positions if there is no line. East is beyond 180° over the date line. */
export function boxOfDrawn(drawn: Drawn): [number, number, number, number] | undefined {
  return boxOf(unwrapped(drawn.line.parts)) ?? boxOf(unwrapped([(drawn.refused ?? []).map(({ place }) => place)]));
}

/** A place as a line of one point, or an empty line. */
export function placeOf(position: [number, number] | null): Line {
  return { parts: position ? [[position]] : [] };
}

/** A circle as a line. */
export function circleOf({ center: [lon, lat], radiusM }: { center: LonLat; radiusM: number }): Line {
  const latDeg = radiusM / 111_320;
  const lonDeg = latDeg / Math.max(0.01, Math.cos(lat * (Math.PI / 180)));
  const point = (_: unknown, i: number): LonLat => {
    const angle = (i / 72) * 2 * Math.PI;
    return [lon + lonDeg * Math.sin(angle), clampLat(lat + latDeg * Math.cos(angle))];
  };
  return { parts: [Array.from({ length: 73 }, point)] };
}

/** The width of the view around a single place, kilometres. */
const PLACE_KM = 40;

/** The parts and the gaps between them as lines, the start and the finish as points. */
export function featuresOf(line: Line, near?: number): FeatureCollection {
  const collection: FeatureCollection = { type: "FeatureCollection", features: [] };
  const add = (kind: string, type: "LineString" | "Point", coordinates: Position | Position[]): void => {
    collection.features.push({ type: "Feature", properties: { kind }, geometry: { type, coordinates } as never });
  };
  const parts = unwrapped(
    line.parts.filter((part) => part.length > 0),
    near,
  );
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

/** A grid with a spacing of a round number of kilometres, larger than the box on all sides. */
export function gridAround(box: [number, number, number, number] | undefined): FeatureCollection {
  if (box === undefined) return { type: "FeatureCollection", features: [] };
  const [west, south, east, north] = box;
  const middle = ((south + north) / 2) * (Math.PI / 180);
  const kmPerLat = 111.32;
  const kmPerLon = kmPerLat * Math.max(0.05, Math.cos(middle));
  const spanKm = Math.max(
    (east - west) * kmPerLon,
    (north - south) * kmPerLat,
    west === east && south === north ? PLACE_KM : 0.5,
  );
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
