// Figures of a drive in a grid: a number, its unit, what it is.

import type { DriveStats, Units } from "@tourismo/client";

import { distance, duration, type Figure, height, inGaps, roughDuration, speed } from "../format.ts";

export function FigureBox({ figure, label, besides }: { figure: Figure; label: string; besides?: string | undefined }) {
  return (
    <div class="figure">
      <span class="figure-value">
        {figure.value}
        <span class="figure-unit">{figure.unit}</span>
      </span>
      <span class="figure-label">{label}</span>
      {besides === undefined ? null : <span class="figure-label">{besides}</span>}
    </div>
  );
}

/** How far and how long, at the end of a row. */
export function RowFigure({ stats, ms, units }: { stats: DriveStats; ms: number; units: Units }) {
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

export function DriveFigures({ stats, units }: { stats: DriveStats; units: Units }) {
  return (
    <div class="figures">
      <FigureBox figure={distance(stats.distanceM, units)} label="Distance" besides={inGaps(stats, units)} />
      <FigureBox figure={{ value: duration(stats.durationMs), unit: "" }} label="Duration" />
      <FigureBox figure={{ value: duration(stats.movingMs), unit: "" }} label="In motion" />
      <FigureBox figure={speed(stats.meanSpeedMps, units)} label="Mean speed" />
      <FigureBox figure={height(stats.ascentM, units)} label="Climbed" />
      <FigureBox figure={height(stats.descentM, units)} label="Descended" />
    </div>
  );
}
