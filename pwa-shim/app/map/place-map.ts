// A map with one place. A tap can choose the place.

import { flatMap } from "./flat-map.ts";
import { loadLand } from "./land.ts";
import { circleOf, placeOf, styleOf } from "./style.ts";

/** The initial view without a place: Europe. */
const NOWHERE: [number, number] = [10, 48];

/** A circle on the map. */
export interface Zone {
  center: [number, number];
  radiusM: number;
}

/** A map on the screen. */
export interface ShownPlace {
  /** Marks a place, or none. */
  mark(position: [number, number] | null): void;
  remove(): void;
}

export async function showPlace(
  container: HTMLElement,
  position: [number, number] | null,
  onPick: ((position: [number, number]) => void) | undefined,
  zone?: Zone,
): Promise<ShownPlace> {
  const land = await loadLand();
  let marked = position;
  const { map, restyle, remove } = flatMap(
    {
      container,
      center: position ?? NOWHERE,
      zoom: zone ? 12 : position ? 10 : 3,
      // While the user chooses a place, one finger moves the map.
      cooperativeGestures: onPick === undefined,
    },
    (isDark) => styleOf({ line: placeOf(marked), ...(zone ? { hidden: circleOf(zone) } : {}) }, land, isDark),
  );
  if (onPick) {
    map.on("click", ({ lngLat }) => {
      const { lng, lat } = lngLat.wrap();
      onPick([lng, lat]);
    });
  }
  return {
    mark(next) {
      const zoom = map.getZoom();
      marked = next;
      restyle();
      // After a tap at a low zoom level the map zooms in, so that the next tap is more accurate.
      if (next && (zoom < 8 || !map.getBounds().contains(next))) map.jumpTo({ center: next, zoom: Math.max(zoom + 3, 8) });
    },
    remove,
  };
}
