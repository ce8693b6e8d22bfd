// The line of a drive or road as a thumbnail. A road has the colour of its score band.

import { unwrapped } from "../date-line.ts";
import type { Band } from "../score-bands.ts";
import { projected } from "./live-line.tsx";

export function LineThumbnail({ parts: coordinates, band }: { parts: [number, number][][]; band?: Band }) {
  const parts = unwrapped(coordinates);
  const points = projected(parts.flat());
  let from = 0;
  return (
    <svg class={band === undefined ? "thumbnail" : `thumbnail band-${band}`} viewBox="-6 -6 112 112" aria-hidden="true">
      {parts.map((part) => {
        const own = points.slice(from, (from += part.length));
        return <polyline key={from} points={own.map((point) => point.map((value) => value.toFixed(1)).join(",")).join(" ")} />;
      })}
    </svg>
  );
}
