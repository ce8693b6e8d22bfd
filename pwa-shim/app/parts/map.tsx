// A drive on a map. The map library is large: it is loaded when the first map is shown.

import type { Line } from "@tourismo/client";
import { useEffect, useRef, useState } from "preact/hooks";

import type { ScoredLine } from "../map/style.ts";

const NONE: ScoredLine[] = [];

export function DriveMap(props: { line: Line; stretches?: ScoredLine[]; label?: string }) {
  const { line, stretches = NONE, label = "Map of the drive" } = props;
  const place = useRef<HTMLDivElement>(null);
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    let remove = (): void => {};
    let wanted = true;
    async function show(): Promise<void> {
      const { showDrive } = await import("../map/drive-map.ts");
      if (!wanted || !place.current) return;
      const shown = await showDrive(place.current, line, stretches);
      if (wanted) remove = shown;
      else shown();
    }
    show().catch(() => setFailed(true));
    return () => {
      wanted = false;
      remove();
    };
  }, [line, stretches]);
  return (
    <div class="map" role="img" aria-label={label} ref={place}>
      {failed ? <p class="hint">This browser cannot draw the map.</p> : null}
    </div>
  );
}
