// What the relay tells of roads: GeoJSON, checked as far as this package relies on it.

import { type Check, listOf, number, object, oneOf, orNull, position, record, strange, text } from "./checks.ts";
import type { RoadParts, RoadScore } from "./generated/types.ts";
import { type FeedDrive, feedDrive, type Page } from "./relay-answers.ts";

/** How many people drove a road in a year: few, but enough for it to be shown, or at least so many. */
export type Evidence = "few" | "10+" | "25+" | "50+";

/** A road in one direction, found in public drives. */
export interface Road {
  id: string;
  score: RoadScore;
  lengthM: number;
  drivers: Evidence;
  /** From its beginning to its end, whole degrees clockwise from north. */
  bearingDeg: number;
  /** Longitudes and latitudes from its beginning to its end. */
  line: [number, number][];
}

/** A page of roads, the best first. */
export type RoadPage = Page<"roads", Road>;

/** A road with the newest public drives over it. */
export type RoadWithDrives = Road & { drives: FeedDrive[] };

const parts: Check<RoadParts> = (value) => {
  const { relief, ...known } = object<Required<Omit<RoadParts, "relief">> & { relief: number | null }>({
    twist: number,
    corners: number,
    relief: orNull(number),
    flow: number,
    variety: number,
  })(value);
  return relief === null ? known : { ...known, relief };
};

/** A road as it is kept: what `road` gives. */
export const keptRoad: Check<Road> = object<Road>({
  id: text,
  score: object<RoadScore>({ score: number, parts, measuredM: number }),
  lengthM: number,
  // Of a newer relay's word only that there are enough is known.
  drivers: (value) => oneOf<Evidence>("few", "10+", "25+", "50+")(value) ?? "few",
  bearingDeg: number,
  line: (value) => atLeastTwo(listOf(position)(value)),
});

/** A GeoJSON Feature. */
export const road: Check<Road> = (value) => {
  const feature = record(value);
  const { score, parts, measuredM, ...properties } = record(feature["properties"]);
  const { type, coordinates } = record(feature["geometry"]);
  // A road over the date line is cut there.
  const line = type === "MultiLineString" ? listOf((piece) => listOf(position)(piece))(coordinates).flat() : coordinates;
  return keptRoad({ ...properties, id: feature["id"], score: { score, parts, measuredM }, line });
};

/** A GeoJSON FeatureCollection. */
export const roadPage: Check<RoadPage> = (value) => {
  const { features, next } = record(value);
  return { roads: listOf(road)(features), next: orNull(text)(next) };
};

export const roadWithDrives: Check<RoadWithDrives> = (value) => ({
  ...road(value),
  drives: listOf(feedDrive)(record(record(value)["properties"])["drives"]),
});

function atLeastTwo(line: [number, number][]): [number, number][] {
  return line.length < 2 ? strange("a line") : line;
}
