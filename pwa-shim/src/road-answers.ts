// Answers of the relay about roads: GeoJSON, converted to the core's types.

import { type Checked, listOf, position, wrong } from "./checks.ts";
import type { components } from "./generated/http.ts";
import type { RoadScore } from "./generated/types.ts";
import { type FeedDrive, feedDrive, type Page } from "./relay-answers.ts";

type Schemas = components["schemas"];
type Properties = Checked<Schemas["RoadProperties"]>;

/** How many people drove a road in a year: `few` means enough to show it. */
export type Evidence = Schemas["DriversName"];

/** A road in one direction, found in public drives. */
export type Road = Pick<Properties, "lengthM" | "bearingDeg"> & {
  id: string;
  score: RoadScore;
  drivers: Evidence;
  /** Longitudes and latitudes from its start to its end. */
  line: [number, number][];
};

/** A page of roads, the best first. */
export type RoadPage = Page<"roads", Road>;

/** A road with the newest public drives over it. */
export type RoadWithDrives = Road & { drives: FeedDrive[] };

export function road({ id, properties, geometry }: Checked<Schemas["RoadFeature"]>): Road {
  const { score, parts, measuredM, lengthM, bearingDeg, drivers } = properties;
  const { relief, ...others } = parts;
  // Two lines where the date line cuts the road.
  const coordinates = geometry?.type === "MultiLineString" ? geometry.coordinates.flat() : (geometry?.coordinates ?? []);
  const line = listOf(position)(coordinates, "geometry.coordinates");
  return {
    id,
    score: { score, parts: relief === null ? others : { ...others, relief }, measuredM },
    lengthM,
    // A word that only a newer relay knows means at least this.
    drivers: drivers ?? "few",
    bearingDeg,
    line: line.length < 2 ? wrong("a line", coordinates, "geometry.coordinates") : line,
  };
}

/** The GeoJSON Feature of a road: how roads are kept on this device. */
export function featureOf({ id, score: { score, parts, measuredM }, line, ...others }: Road): Schemas["RoadFeature"] {
  const geometry = { type: "LineString", coordinates: line } as const;
  return { type: "Feature", id, geometry, properties: { ...others, score, parts, measuredM } };
}

export function roadPage({ features, next }: Checked<Schemas["RoadCollection"]>): RoadPage {
  return { roads: features.map(road), next };
}

export function roadWithDrives(feature: Checked<Schemas["RoadFeature"]>): RoadWithDrives {
  return { ...road(feature), drives: (feature.properties.drives ?? []).map(feedDrive) };
}
