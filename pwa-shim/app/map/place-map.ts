// MapLibre with one place on it, which a tap may choose.

import { Map as MapLibre, ScaleControl, setWorkerUrl } from "maplibre-gl";
import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url";
import "maplibre-gl/dist/maplibre-gl.css";

import { loadLand } from "./land.ts";
import { placeOf, styleOf } from "./style.ts";

setWorkerUrl(workerUrl);

/** Where the map looks while no place is chosen: Europe. */
const NOWHERE: [number, number] = [10, 48];

/** A map that is shown. */
export interface ShownPlace {
  /** Marks another place, or none. */
  mark(position: [number, number] | null): void;
  remove(): void;
}

export async function showPlace(
  container: HTMLElement,
  position: [number, number] | null,
  onPick: ((position: [number, number]) => void) | undefined,
): Promise<ShownPlace> {
  const land = await loadLand();
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let marked = position;
  const style = () => styleOf({ line: placeOf(marked) }, land, dark.matches);
  const map = new MapLibre({
    container,
    style: style(),
    center: position ?? NOWHERE,
    zoom: position ? 10 : 3,
    // One finger scrolls the page, two move the map; while a place is chosen, one finger moves it.
    cooperativeGestures: onPick === undefined,
    attributionControl: false,
    dragRotate: false,
    pitchWithRotate: false,
    minZoom: 1,
    maxZoom: 17,
  });
  map.addControl(new ScaleControl({ maxWidth: 90 }), "bottom-left");
  const restyle = (): void => void map.setStyle(style());
  dark.addEventListener("change", restyle);
  if (onPick) {
    map.on("click", ({ lngLat }) => {
      const { lng, lat } = lngLat.wrap();
      onPick([lng, lat]);
    });
  }
  map.once("idle", () => container.setAttribute("data-drawn", "true"));
  return {
    mark(next) {
      const zoom = map.getZoom();
      marked = next;
      restyle();
      // A tap on half a continent is a beginning: the next one can be better.
      if (next && (zoom < 8 || !map.getBounds().contains(next))) map.jumpTo({ center: next, zoom: Math.max(zoom + 3, 8) });
    },
    remove() {
      dark.removeEventListener("change", restyle);
      map.remove();
    },
  };
}
