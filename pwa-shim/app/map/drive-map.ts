// MapLibre with a drive on it.

import type { Line } from "@tourismo/client";
import { LngLatBounds, Map as MapLibre, ScaleControl, setWorkerUrl } from "maplibre-gl";
import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url";
import "maplibre-gl/dist/maplibre-gl.css";

import { loadLand } from "./land.ts";
import { type Drawn, styleOf } from "./style.ts";

setWorkerUrl(workerUrl);

/** Shows the drive until the returned function is called. */
export async function showDrive(container: HTMLElement, drawn: Drawn): Promise<() => void> {
  const land = await loadLand();
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const map = new MapLibre({
    container,
    style: styleOf(drawn, land, dark.matches),
    bounds: boundsOf(drawn.line),
    fitBoundsOptions: { padding: 36, maxZoom: 15 },
    // One finger scrolls the page, two move the map.
    cooperativeGestures: true,
    attributionControl: false,
    dragRotate: false,
    pitchWithRotate: false,
    maxZoom: 17,
  });
  map.addControl(new ScaleControl({ maxWidth: 90 }), "bottom-left");
  const restyle = (): void => void map.setStyle(styleOf(drawn, land, dark.matches));
  dark.addEventListener("change", restyle);
  map.once("idle", () => container.setAttribute("data-drawn", "true"));
  return () => {
    dark.removeEventListener("change", restyle);
    map.remove();
  };
}

function boundsOf(line: Line): LngLatBounds {
  const bounds = new LngLatBounds();
  for (const part of line.parts) for (const point of part) bounds.extend(point);
  return bounds;
}
