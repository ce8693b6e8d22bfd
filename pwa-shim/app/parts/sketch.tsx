// A drive's line as a small drawing, for lists; a road's in the colour of its band.

import { unrolled } from "../date-line.ts";
import type { Band } from "../score-bands.ts";
import { projected } from "./trace.tsx";

export function Sketch({ parts: cut, band }: { parts: [number, number][][]; band?: Band }) {
  const parts = unrolled(cut);
  const points = projected(parts.flat());
  let from = 0;
  return (
    <svg class={band === undefined ? "sketch" : `sketch band-${band}`} viewBox="-6 -6 112 112" aria-hidden="true">
      {parts.map((part) => {
        const own = points.slice(from, (from += part.length));
        return <polyline key={from} points={own.map((point) => point.map((value) => value.toFixed(1)).join(",")).join(" ")} />;
      })}
    </svg>
  );
}
