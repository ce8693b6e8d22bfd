// A place on a map. With `onPick` the user can choose the place.

import { useEffect, useRef, useState } from "preact/hooks";

import type { ShownPlace, Zone } from "../map/place-map.ts";

interface Props {
  position: [number, number] | null;
  /** A circle around it. */
  zone?: Zone;
  onPick?: (position: [number, number]) => void;
}

export function PlaceMap(props: Props) {
  const place = useRef<HTMLDivElement>(null);
  const shown = useRef<ShownPlace>(undefined);
  const pick = useRef(props.onPick);
  const [failed, setFailed] = useState(false);
  pick.current = props.onPick;
  useEffect(() => {
    let isWanted = true;
    async function show(): Promise<void> {
      const { showPlace } = await import("../map/place-map.ts");
      if (!isWanted || !place.current) return;
      const map = await showPlace(place.current, props.position, pick.current && ((at) => pick.current?.(at)), props.zone);
      if (isWanted) shown.current = map;
      else map.remove();
    }
    show().catch(() => setFailed(true));
    return () => {
      isWanted = false;
      shown.current?.remove();
      shown.current = undefined;
    };
  }, []);
  useEffect(() => shown.current?.mark(props.position), [props.position?.[0], props.position?.[1]]);
  return (
    <div class="map small" role="img" aria-label="Map of the place" ref={place}>
      {failed ? <p class="hint">This browser cannot draw the map.</p> : null}
    </div>
  );
}
