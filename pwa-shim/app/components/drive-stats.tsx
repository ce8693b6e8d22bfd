// Statistics of a drive.

import type { DriveStats, Units } from "@tourismo/client";

import { distance, duration, height, inGaps, type Quantity, roughDuration, speed } from "../format.ts";

export function StatBox({ quantity, label, note }: { quantity: Quantity; label: string; note?: string | undefined }) {
  return (
    <div class="figure">
      <span class="figure-value">
        {quantity.value}
        <span class="figure-unit">{quantity.unit}</span>
      </span>
      <span class="figure-label">{label}</span>
      {note === undefined ? null : <span class="figure-label">{note}</span>}
    </div>
  );
}

/** Distance and duration at the end of a row. */
export function RowStats({ stats, ms, units }: { stats: DriveStats; ms: number; units: Units }) {
  const { value, unit } = distance(stats.distanceM, units);
  const gaps = inGaps(stats, units);
  return (
    <div class="row-figure">
      <span class="figure-value">
        {value}
        <span class="figure-unit">{unit}</span>
      </span>
      {gaps === undefined ? null : <span class="figure-label">{gaps}</span>}
      <span class="figure-label">{roughDuration(ms)}</span>
    </div>
  );
}

export function DriveStatsGrid({ stats, units }: { stats: DriveStats; units: Units }) {
  return (
    <div class="figures">
      <StatBox quantity={distance(stats.distanceM, units)} label="Distance" note={inGaps(stats, units)} />
      <StatBox quantity={{ value: duration(stats.durationMs), unit: "" }} label="Duration" />
      <StatBox quantity={{ value: duration(stats.movingMs), unit: "" }} label="Moving time" />
      <StatBox quantity={speed(stats.meanSpeedMps, units)} label="Average speed" />
      <StatBox quantity={height(stats.ascentM, units)} label="Ascent" />
      <StatBox quantity={height(stats.descentM, units)} label="Descent" />
    </div>
  );
}
