// A map with a drive on it.

import { flatMap } from "./flat-map.ts";
import { loadLand } from "./land.ts";
import { boxOfDrawn, type Drawn, styleOf } from "./style.ts";

/** A map on the screen. */
export interface ShownDrive {
  /** Draws the drive. The view moves only if the bounds of the drive changed. */
  draw(drawn: Drawn): void;
  remove(): void;
}

const FIT = { padding: 36, maxZoom: 15 };

export async function showDrive(container: HTMLElement, first: Drawn): Promise<ShownDrive> {
  const land = await loadLand();
  let drawn = first;
  const box = boxOfDrawn(first);
  const options = { container, ...(box ? { bounds: box } : {}), fitBoundsOptions: FIT };
  const { map, restyle, remove } = flatMap(options, (isDark) => styleOf(drawn, land, isDark));
  return {
    draw(next) {
      const [before, after] = [boxOfDrawn(drawn), boxOfDrawn(next)];
      drawn = next;
      restyle();
      if (after && String(before) !== String(after)) map.fitBounds(after, { ...FIT, animate: false });
    },
    remove,
  };
}
