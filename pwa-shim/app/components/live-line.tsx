// The track of the current drive as a line without a map, which costs little battery.

import { effect, signal } from "@preact/signals";

import { unwrapped } from "../date-line.ts";
import { engine, recording } from "../engine.ts";

type Position = [number, number];

/** Maximum number of positions. Beyond it every second one is dropped. */
const MAX_POSITIONS = 600;
/** Positions nearer than this, degrees (about 5 m), count as the same. */
const STEP_DEG = 0.00005;

const positions = signal<Position[]>([]);
let drive: string | undefined;

effect(() => {
  const view = recording.value;
  if (view?.drive !== drive && view?.state !== "recovering") {
    drive = view?.drive;
    positions.value = [];
    // Positions from before the app was opened are on the disk.
    if (view && view.stats.fixes > 1) void readBefore(view.drive);
  }
  if (view?.state !== "active" || view.position === null) return;
  const last = positions.peek().at(-1);
  const [lon, lat] = view.position;
  if (last && Math.abs(last[0] - lon) < STEP_DEG && Math.abs(last[1] - lat) < STEP_DEG) return;
  positions.value = thinned([...positions.peek(), view.position]);
});

async function readBefore(id: string): Promise<void> {
  const opened = engine.peek();
  if (opened.type !== "open") return;
  const { tourismo } = opened;
  try {
    await tourismo.openDrive(id);
    const track = await tourismo.read("track");
    await tourismo.closeDrive();
    if (track?.type !== "ready" || track.drive !== id || drive !== id) return;
    positions.value = thinned([...track.line.parts.flat(), ...positions.peek()]);
  } catch {
    // The line starts at the current position.
  }
}

function thinned(line: Position[]): Position[] {
  return line.length <= MAX_POSITIONS ? line : thinned(line.filter((_, i) => i % 2 === 1));
}

export function LiveLine() {
  if (positions.value.length < 2) return null;
  const points = projected(unwrapped([positions.value]).flat());
  const [x, y] = points.at(-1) as Position;
  return (
    <svg class="live-line" viewBox="-6 -6 112 112" preserveAspectRatio="xMidYMid meet" aria-hidden="true">
      <polyline points={points.map((point) => point.map((value) => value.toFixed(1)).join(",")).join(" ")} />
      <circle cx={x} cy={y} r="5" />
    </svg>
  );
}

/** Projects a line into a square of 100, north up, centred. */
export function projected(line: Position[]): Position[] {
  const middle = (line[0]?.[1] ?? 0) * (Math.PI / 180);
  const flat = line.map(([lon, lat]): Position => [lon * Math.cos(middle), -lat]);
  const [xs, ys] = [flat.map(([x]) => x), flat.map(([, y]) => y)];
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  const [width, height] = [Math.max(...xs) - left, Math.max(...ys) - top];
  const scale = 100 / Math.max(width, height, 1e-9);
  return flat.map(([x, y]) => [(x - left - width / 2) * scale + 50, (y - top - height / 2) * scale + 50]);
}
