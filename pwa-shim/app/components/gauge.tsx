// The speed on a dial, readable at a glance from a phone mount.

import type { Units } from "@tourismo/client";

import { inSpeedUnit, speed } from "../format.ts";

const RADIUS = 84;
/** The dial is open at the bottom. */
const SWEEP_DEG = 250;

/** `note` replaces the unit while there is no speed. */
export function Gauge({ speedMps, units, note }: { speedMps: number | null; units: Units; note?: string | undefined }) {
  const full = units === "metric" ? 200 : 120;
  const share = Math.min(1, speedMps === null ? 0 : inSpeedUnit(speedMps, units) / full);
  const { value, unit } = speed(speedMps, units);
  const ticks = Array.from({ length: 11 }, (_, i) => i / 10);
  return (
    <div class="gauge">
      <svg viewBox="-100 -100 200 172" aria-hidden="true">
        <path class="gauge-track" d={arc(1)} />
        {share > 0.004 ? <path class="gauge-needle" d={arc(share)} /> : null}
        {ticks.map((tick) => (
          <line key={tick} class={tick < share ? "gauge-tick passed" : "gauge-tick"} {...tickAt(tick)} />
        ))}
      </svg>
      <div class="gauge-text">
        <span class="gauge-value" data-testid="speed">
          {value}
        </span>
        <span class="gauge-unit">{note ?? unit}</span>
      </div>
    </div>
  );
}

function angle(share: number): number {
  return ((-90 - SWEEP_DEG / 2 + share * SWEEP_DEG) * Math.PI) / 180;
}

function at(share: number, radius: number): [number, number] {
  return [Math.cos(angle(share)) * radius, Math.sin(angle(share)) * radius];
}

function arc(share: number): string {
  const [from, to] = [at(0, RADIUS), at(share, RADIUS)];
  const isLong = share * SWEEP_DEG > 180 ? 1 : 0;
  return `M${from.join(" ")}A${RADIUS} ${RADIUS} 0 ${isLong} 1 ${to.join(" ")}`;
}

function tickAt(share: number) {
  const [[x1, y1], [x2, y2]] = [at(share, RADIUS - 12), at(share, RADIUS - 18)];
  return { x1, y1, x2, y2 };
}
