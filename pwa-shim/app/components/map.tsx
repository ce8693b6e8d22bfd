// A drive on a map. The map library is large: it is loaded when the first map is shown.

import { useEffect, useRef, useState } from "preact/hooks";

import type { ShownDrive } from "../map/drive-map.ts";
import type { Drawn } from "../map/style.ts";

/** `drawn` must be the same object as long as its content is the same. */
export function DriveMap({
  drawn,
  label = "Map of the drive",
  isSmall = false,
}: {
  drawn: Drawn;
  label?: string;
  isSmall?: boolean;
}) {
  const place = useRef<HTMLDivElement>(null);
  const shown = useRef<ShownDrive>(undefined);
  const latest = useRef(drawn);
  const [failed, setFailed] = useState(false);
  latest.current = drawn;
  useEffect(() => {
    let isWanted = true;
    async function show(): Promise<void> {
      const { showDrive } = await import("../map/drive-map.ts");
      if (!isWanted || !place.current) return;
      const begun = latest.current;
      const map = await showDrive(place.current, begun);
      if (!isWanted) return map.remove();
      shown.current = map;
      // `drawn` changed while the map was loading.
      if (latest.current !== begun) map.draw(latest.current);
    }
    show().catch(() => setFailed(true));
    return () => {
      isWanted = false;
      shown.current?.remove();
      shown.current = undefined;
    };
  }, []);
  useEffect(() => shown.current?.draw(drawn), [drawn]);
  return (
    <div class={isSmall ? "map small" : "map"} role="img" aria-label={label} ref={place}>
      {failed ? <p class="hint">This browser cannot draw the map.</p> : null}
    </div>
  );
}
