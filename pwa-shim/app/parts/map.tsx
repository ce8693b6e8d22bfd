// A drive on a map. The map library is large: it is loaded when the first map is shown.

import { useEffect, useRef, useState } from "preact/hooks";

import type { Drawn } from "../map/style.ts";

/** `drawn` stays the same object as long as the same is to be seen. */
export function DriveMap({ drawn, label = "Map of the drive" }: { drawn: Drawn; label?: string }) {
  const place = useRef<HTMLDivElement>(null);
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    let remove = (): void => {};
    let wanted = true;
    async function show(): Promise<void> {
      const { showDrive } = await import("../map/drive-map.ts");
      if (!wanted || !place.current) return;
      const shown = await showDrive(place.current, drawn);
      if (wanted) remove = shown;
      else shown();
    }
    show().catch(() => setFailed(true));
    return () => {
      wanted = false;
      remove();
    };
  }, [drawn]);
  return (
    <div class="map" role="img" aria-label={label} ref={place}>
      {failed ? <p class="hint">This browser cannot draw the map.</p> : null}
    </div>
  );
}
