// The place of a meet: its pin on a map, or the area in which it is, and who sees more.

import type { Meet } from "@tourismo/client";

import { type LonLat, metresBetween } from "../geometry.ts";
import type { Zone } from "../map/place-map.ts";
import { explainExactPlace } from "../messages.ts";
import { PlaceMap } from "./place-map.tsx";

/** A line that says where a meet is. */
export function whereOf({ place, position, area, isPlaceExact }: Meet): string {
  if (place) return place;
  if (isPlaceExact) return position ? "On the map" : "Not set";
  return area ? "In the area on the map" : "Not shown";
}

export function MeetPlace({ meet }: { meet: Meet }) {
  const { position, area, exactPlace } = meet;
  const explained = explainExactPlace(exactPlace);
  return (
    <>
      {position ? <PlaceMap key="exact" position={position} /> : null}
      {area ? <PlaceMap key="area" position={null} zone={circleAround(area)} /> : null}
      {explained === undefined ? null : (
        <p class="hint" data-testid="exact-place">
          {explained}
        </p>
      )}
    </>
  );
}

/** The circle through the corners of an area. */
function circleAround([west, south, east, north]: [number, number, number, number]): Zone {
  const center: LonLat = [(west + east) / 2, (south + north) / 2];
  return { center, radiusM: Math.max(metresBetween(center, [west, south]), metresBetween(center, [east, north])) };
}
