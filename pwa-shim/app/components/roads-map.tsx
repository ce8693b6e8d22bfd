// Roads on a map. The map library is large: it is loaded when the first map is shown.

import type { Road } from "@tourismo/client";
import { useEffect, useRef, useState } from "preact/hooks";
import type { LonLat } from "../geometry.ts";
import type { Look, RoadsMapEvents, ShownRoads } from "../map/roads-map.ts";

export interface RoadsMapProps extends RoadsMapEvents {
  /** The initial view. */
  look: Look;
  roads: readonly Road[];
  place: LonLat | undefined;
}

export function RoadsMap(props: RoadsMapProps) {
  const container = useRef<HTMLDivElement>(null);
  const shown = useRef<ShownRoads>(undefined);
  const latest = useRef(props);
  const [failed, setFailed] = useState(false);
  latest.current = props;
  useEffect(() => {
    let isWanted = true;
    async function show(): Promise<void> {
      const { showRoads } = await import("../map/roads-map.ts");
      if (!isWanted || !container.current) return;
      const map = await showRoads(container.current, props.look, {
        moved: (bounds, look) => latest.current.moved(bounds, look),
        picked: (id) => latest.current.picked(id),
      });
      if (!isWanted) return map.remove();
      shown.current = map;
      const { roads, place } = latest.current;
      map.draw(roads, place);
      // The position came while the map was loading.
      if (place && place !== props.place) map.look(place);
    }
    show().catch(() => setFailed(true));
    return () => {
      isWanted = false;
      shown.current?.remove();
      shown.current = undefined;
    };
  }, []);
  useEffect(() => shown.current?.draw(props.roads, props.place), [props.roads, props.place]);
  useEffect(() => {
    if (props.place) shown.current?.look(props.place);
  }, [props.place]);
  return (
    <div class="map" role="img" aria-label="Map of the roads; they are listed below" ref={container}>
      {failed ? <p class="hint">This browser cannot draw the map.</p> : null}
    </div>
  );
}
