// A map with a drive on it.

import type { Line } from "@tourismo/client";
import { LngLatBounds } from "maplibre-gl";

import { flatMap } from "./flat-map.ts";
import { loadLand } from "./land.ts";
import { type Drawn, styleOf } from "./style.ts";

/** Shows the drive until the returned function is called. */
export async function showDrive(container: HTMLElement, drawn: Drawn): Promise<() => void> {
  const land = await loadLand();
  const options = { container, bounds: boundsOf(drawn.line), fitBoundsOptions: { padding: 36, maxZoom: 15 } };
  return flatMap(options, (isDark) => styleOf(drawn, land, isDark)).remove;
}

function boundsOf(line: Line): LngLatBounds {
  const bounds = new LngLatBounds();
  for (const part of line.parts) for (const point of part) bounds.extend(point);
  return bounds;
}
