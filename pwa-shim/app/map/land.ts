// The land of the earth by Natural Earth at 1:50 million (public domain): a file of the app, so that it is there offline.

import type { Feature, FeatureCollection } from "geojson";
import { feature } from "topojson-client";
import type { GeometryCollection, Topology } from "topojson-specification";
import landUrl from "world-atlas/land-50m.json?url";

let land: Promise<FeatureCollection | Feature> | undefined;

/** The land, loaded once. */
export function loadLand(): Promise<FeatureCollection | Feature> {
  land ??= load();
  // What failed once may succeed later.
  land.catch(() => (land = undefined));
  return land;
}

async function load(): Promise<FeatureCollection | Feature> {
  const response = await fetch(landUrl);
  const topology = (await response.json()) as Topology<{ land: GeometryCollection }>;
  return feature(topology, topology.objects.land);
}
