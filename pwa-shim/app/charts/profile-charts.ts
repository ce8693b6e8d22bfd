// Charts of the profile of a drive with uPlot: speed and altitude, with a common cursor.

import type { Profile, Units } from "@tourismo/client";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

import { inHeightUnit, inSpeedUnit } from "../format.ts";

const HEIGHT_PX = 150;

/** Shows the charts until the returned function is called. */
export function showProfile(container: HTMLElement, profile: Profile, units: Units): () => void {
  const perUnit = units === "metric" ? 1000 : 1609.344;
  const way = profile.wayM.map((metres) => metres / perUnit);
  const wayUnit = units === "metric" ? "km" : "mi";
  const curves: Curve[] = [
    {
      title: "Speed",
      unit: units === "metric" ? "km/h" : "mph",
      values: profile.speedMps.map((mps) => (mps === null ? null : inSpeedUnit(mps, units))),
      colour: "--accent",
      fromZero: true,
    },
    {
      title: "Altitude",
      unit: units === "metric" ? "m" : "ft",
      values: profile.altitudeM.map((metres) => (metres === null ? null : inHeightUnit(metres, units))),
      colour: "--good",
      fromZero: false,
    },
  ];
  const shown = curves.filter(({ values }) => values.some((value) => value !== null));
  let plots: uPlot[] = [];

  function draw(): void {
    for (const plot of plots) plot.destroy();
    plots = shown.map((curve) => {
      const values: uPlot.AlignedData = [way, curve.values];
      return new uPlot(options(curve, container.clientWidth, wayUnit), values, container);
    });
  }

  const sizes = new ResizeObserver(() => {
    for (const plot of plots) plot.setSize({ width: container.clientWidth, height: HEIGHT_PX });
  });
  const dark = matchMedia("(prefers-color-scheme: dark)");
  draw();
  sizes.observe(container);
  dark.addEventListener("change", draw);
  return () => {
    dark.removeEventListener("change", draw);
    sizes.disconnect();
    for (const plot of plots) plot.destroy();
  };
}

interface Curve {
  title: string;
  unit: string;
  values: (number | null)[];
  /** A custom property of the stylesheet. */
  colour: string;
  fromZero: boolean;
}

function options(curve: Curve, width: number, wayUnit: string): uPlot.Options {
  const styles = getComputedStyle(document.documentElement);
  const colour = (name: string): string => styles.getPropertyValue(name).trim();
  const axis: uPlot.Axis = {
    stroke: colour("--muted"),
    font: "12px system-ui",
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { show: false },
  };
  return {
    width,
    height: HEIGHT_PX,
    title: `${curve.title}, ${curve.unit}`,
    scales: { x: { time: false }, y: curve.fromZero ? { range: (_, __, max) => [0, Math.max(1, max) * 1.1] } : {} },
    legend: { show: true, live: true },
    cursor: { sync: { key: "profile" }, drag: { x: false, y: false }, y: false },
    axes: [
      { ...axis, values: (_, ticks) => ticks.map((tick) => `${tick} ${wayUnit}`) },
      { ...axis, size: 44 },
    ],
    series: [
      { label: "At", value: (_, value) => (value == null ? "–" : `${value.toFixed(1)} ${wayUnit}`) },
      {
        label: curve.title,
        stroke: colour(curve.colour),
        fill: `color-mix(in srgb, ${colour(curve.colour)} 16%, transparent)`,
        width: 2,
        points: { show: false },
        value: (_, value) => (value == null ? "–" : `${Math.round(value)} ${curve.unit}`),
      },
    ],
  };
}
