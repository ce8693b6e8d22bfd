// A drive's line as a small drawing, for lists.

import { projected } from "./trace.tsx";

export function Sketch({ parts }: { parts: [number, number][][] }) {
  const points = projected(parts.flat());
  let from = 0;
  return (
    <svg class="sketch" viewBox="-6 -6 112 112" aria-hidden="true">
      {parts.map((part) => {
        const own = points.slice(from, (from += part.length));
        return <polyline key={from} points={own.map((point) => point.map((value) => value.toFixed(1)).join(",")).join(" ")} />;
      })}
    </svg>
  );
}
