// The base of all maps: MapLibre with its worker, a scale, north up, and the colour scheme of the system.

import { Map as MapLibre, type MapOptions, ScaleControl, type StyleSpecification, setWorkerUrl } from "maplibre-gl";
import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url";
import "maplibre-gl/dist/maplibre-gl.css";

setWorkerUrl(workerUrl);

export interface FlatMap {
  map: MapLibre;
  /** Sets the style again. */
  restyle(): void;
  remove(): void;
}

/** `filled` is called after each change of the style, to set the data that is not part of it. */
export function flatMap(
  options: Omit<MapOptions, "style"> & { container: HTMLElement },
  styleOf: (isDark: boolean) => StyleSpecification,
  filled?: () => void,
): FlatMap {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const map = new MapLibre({
    // One finger scrolls the page, two move the map.
    cooperativeGestures: true,
    attributionControl: false,
    dragRotate: false,
    pitchWithRotate: false,
    touchPitch: false,
    minZoom: 1,
    maxZoom: 17,
    ...options,
    style: styleOf(dark.matches),
  });
  map.touchZoomRotate.disableRotation();
  map.keyboard.disableRotation();
  map.addControl(new ScaleControl({ maxWidth: 90 }), "bottom-left");
  map.once("idle", () => options.container.setAttribute("data-drawn", "true"));
  const restyle = (): void => {
    map.setStyle(styleOf(dark.matches), { diff: filled === undefined });
    if (filled) map.once("styledata", filled);
  };
  dark.addEventListener("change", restyle);
  return {
    map,
    restyle,
    remove() {
      dark.removeEventListener("change", restyle);
      map.remove();
    },
  };
}
