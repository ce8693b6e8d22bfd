// A map with one place on it, which a tap may choose.

import { flatMap } from "./flat-map.ts";
import { loadLand } from "./land.ts";
import { placeOf, styleOf } from "./style.ts";

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
  let marked = position;
  const { map, restyle, remove } = flatMap(
    {
      container,
      center: position ?? NOWHERE,
      zoom: position ? 10 : 3,
      // While a place is chosen, one finger moves the map.
      cooperativeGestures: onPick === undefined,
    },
    (isDark) => styleOf({ line: placeOf(marked) }, land, isDark),
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
      // A tap on half a continent is a beginning: the next one can be better.
      if (next && (zoom < 8 || !map.getBounds().contains(next))) map.jumpTo({ center: next, zoom: Math.max(zoom + 3, 8) });
    },
    remove,
  };
}
