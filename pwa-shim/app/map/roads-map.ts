// A map of roads, coloured by score.

import type { Road } from "@tourismo/client";
import type { FeatureCollection } from "geojson";
import type { GeoJSONSource, Map as MapLibre } from "maplibre-gl";

import { lonNear, unwrapped } from "../date-line.ts";
import type { Box, LonLat } from "../geometry.ts";
import { flatMap } from "./flat-map.ts";
import { loadLand } from "./land.ts";
import { gridAround, ROADS_LAYER, roadsStyle } from "./style.ts";

/** Maximum distance of a tap from a road, pixels. */
const FINGER_PX = 14;

/** The view of a map. */
export interface Look {
  at: LonLat;
  zoom: number;
}

/** A map on the screen. */
export interface ShownRoads {
  /** Draws roads, and the position of the user. */
  draw(roads: readonly Road[], place: LonLat | undefined): void;
  look(at: LonLat): void;
  remove(): void;
}

export interface RoadsMapEvents {
  /** The visible area has changed. */
  moved(bounds: Box, look: Look): void;
  /** A road was tapped. */
  picked(id: string): void;
}

export async function showRoads(container: HTMLElement, look: Look, events: RoadsMapEvents): Promise<ShownRoads> {
  const land = await loadLand();
  let roads: FeatureCollection = featuresOf([], undefined);
  const options = { container, center: look.at, zoom: look.zoom, maxZoom: 16 };
  const { map, remove } = flatMap(
    options,
    (isDark) => roadsStyle(roads, land, isDark),
    () => fill(),
  );
  const fill = (): void => {
    const [source, grid] = [map.getSource<GeoJSONSource>("roads"), map.getSource<GeoJSONSource>("grid")];
    source?.setData(roads);
    const [west, south, east, north] = boundsOf(map);
    grid?.setData(gridAround([west, south, east < west ? east + 360 : east, north]));
  };
  const moved = (): void => {
    fill();
    const { lng, lat } = map.getCenter().wrap();
    events.moved(boundsOf(map), { at: [lng, lat], zoom: map.getZoom() });
  };
  map.on("moveend", moved);
  map.once("load", moved);
  map.on("click", ({ point: { x, y } }) => {
    const around: [[number, number], [number, number]] = [
      [x - FINGER_PX, y - FINGER_PX],
      [x + FINGER_PX, y + FINGER_PX],
    ];
    const found = map.queryRenderedFeatures(around, { layers: [ROADS_LAYER] });
    const best = found.toSorted((a, b) => Number(b.properties["score"]) - Number(a.properties["score"]))[0];
    if (best) events.picked(String(best.properties["id"]));
  });
  return {
    draw(shown, place) {
      roads = featuresOf(shown, place);
      fill();
      container.setAttribute("data-roads", String(shown.length));
    },
    look: (at) => void map.jumpTo({ center: at, zoom: Math.max(map.getZoom(), 10) }),
    remove,
  };
}

function boundsOf(map: MapLibre): Box {
  const bounds = map.getBounds();
  const [west, east] = [bounds.getWest(), bounds.getEast()];
  const lons: [number, number] = east - west >= 360 ? [-180, 180] : [lonNear(west, 0), lonNear(east, 0)];
  return [lons[0], bounds.getSouth(), lons[1], bounds.getNorth()];
}

function featuresOf(roads: readonly Road[], place: LonLat | undefined): FeatureCollection {
  const features: FeatureCollection["features"] = roads.map(({ id, score, line }) => ({
    type: "Feature",
    properties: { kind: "road", id, score: score.score },
    geometry: { type: "LineString", coordinates: unwrapped([line])[0] ?? [] },
  }));
  if (place) features.push({ type: "Feature", properties: { kind: "place" }, geometry: { type: "Point", coordinates: place } });
  return { type: "FeatureCollection", features };
}
