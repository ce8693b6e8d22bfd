// Charts of speed and altitude by distance. The chart library is loaded with the first chart.

import type { Profile, Units } from "@tourismo/client";
import { useEffect, useRef } from "preact/hooks";

export function Charts({ profile, units }: { profile: Profile; units: Units }) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    let remove = (): void => {};
    let wanted = true;
    void import("../charts/profile-charts.ts").then(({ showProfile }) => {
      if (wanted && place.current) remove = showProfile(place.current, profile, units);
    });
    return () => {
      wanted = false;
      remove();
    };
  }, [profile, units]);
  return <div class="charts" ref={place} />;
}
