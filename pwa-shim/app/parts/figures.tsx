// Figures of a drive in a grid: a number, its unit, what it is.

import type { DriveStats, Units } from "@tourismo/client";

import { distance, duration, type Figure, height, speed } from "../format.ts";

export function FigureBox({ figure, label }: { figure: Figure; label: string }) {
  return (
    <div class="figure">
      <span class="figure-value">
        {figure.value}
        <span class="figure-unit">{figure.unit}</span>
      </span>
      <span class="figure-label">{label}</span>
    </div>
  );
}

export function DriveFigures({ stats, units }: { stats: DriveStats; units: Units }) {
  return (
    <div class="figures">
      <FigureBox figure={distance(stats.distanceM, units)} label="Distance" />
      <FigureBox figure={{ value: duration(stats.durationMs), unit: "" }} label="Duration" />
      <FigureBox figure={{ value: duration(stats.movingMs), unit: "" }} label="In motion" />
      <FigureBox figure={speed(stats.meanSpeedMps, units)} label="Mean speed" />
      <FigureBox figure={height(stats.ascentM, units)} label="Climbed" />
      <FigureBox figure={height(stats.descentM, units)} label="Descended" />
    </div>
  );
}
