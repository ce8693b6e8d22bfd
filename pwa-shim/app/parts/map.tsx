// A drive on a map. The map library is large: it is loaded when the first map is shown.

import type { Line } from "@tourismo/client";
import { useEffect, useRef, useState } from "preact/hooks";

export function DriveMap({ line }: { line: Line }) {
  const place = useRef<HTMLDivElement>(null);
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    let remove = (): void => {};
    let wanted = true;
    async function show(): Promise<void> {
      const { showDrive } = await import("../map/drive-map.ts");
      if (!wanted || !place.current) return;
      const shown = await showDrive(place.current, line);
      if (wanted) remove = shown;
      else shown();
    }
    show().catch(() => setFailed(true));
    return () => {
      wanted = false;
      remove();
    };
  }, [line]);
  return (
    <div class="map" role="img" aria-label="Map of the drive" ref={place}>
      {failed ? <p class="hint">This browser cannot draw the map.</p> : null}
    </div>
  );
}
