// Good roads as this phone knows them: squares around where the person drives are kept, so that they are here with no signal.

import { effect, signal, untracked } from "@preact/signals";
import { BrowserReadCache, type DriveView, RelayReads, RoadAtlas, type RoadExtract, type Square, squaresIn } from "@tourismo/client";

import { drives, engine, isInUse, status } from "./engine.ts";
import { type Box, middleOfBox, type Place } from "./ways.ts";

/** How many squares are kept, and how many are asked for by themselves. */
const KEPT_SQUARES = 40;
const HOME_SQUARES = 12;
/** How many squares a map may show at once; more than this is half a continent. */
const SHOWN_SQUARES = 24;
/** How often to look whether something of where the person drives is old. */
const LOOK_EVERY_MS = 3_600_000;

/** Reads as nobody, whoever uses the app: see `RoadAtlas`. */
const asNobody = new RelayReads(new URL("/", location.href));
const atlas = new RoadAtlas(asNobody, new BrowserReadCache("tourismo-roads", KEPT_SQUARES));

/** The roads of the squares that were looked at last. */
export const extract = signal<RoadExtract | undefined>(undefined);

/** Shows what is here of a part of the map, and what the relay knows of it if that is new. Says whether it is too large. */
export async function lookAt(box: Box): Promise<"shown" | "tooLarge"> {
  const squares = isSmall(box) ? squaresIn(box) : [];
  if (squares.length === 0 || squares.length > SHOWN_SQUARES) return "tooLarge";
  const own = (looked += 1);
  const show = async (): Promise<void> => {
    const found = await atlas.read(squares);
    if (own === looked) extract.value = found;
  };
  await show();
  if (await atlas.ask(squares)) await show();
  return "shown";
}

let looked = 0;

/** Where to begin to look: where the person drove last, else at the best road that anybody knows. */
export async function whereToLook(): Promise<Place | undefined> {
  const last = (await ownDrives()).find(({ bounds }) => bounds !== null)?.bounds;
  if (last) return middleOfBox(last);
  try {
    const { roads } = await asNobody.roads({ limit: 1 });
    return roads[0]?.line[0];
  } catch {
    return undefined;
  }
}

/** The person's drives, once the phone has opened them; none, if nobody uses the app here. */
function ownDrives(): Promise<readonly DriveView[]> {
  return new Promise((resolve) => {
    const stop = effect(() => {
      const isToCome = drives.value === undefined && isInUse() && engine.value.type !== "failed";
      if (isToCome) return;
      resolve(drives.value ?? []);
      queueMicrotask(() => stop());
    });
  });
}

/** The squares in which most of the drives lie. */
export function squaresOf(driven: readonly Pick<DriveView, "bounds">[]): Square[] {
  const counted = new Map<string, { square: Square; drives: number }>();
  for (const { bounds } of driven) {
    if (bounds === null || !isSmall(bounds)) continue;
    for (const square of squaresIn(bounds)) {
      const name = `${square.west} ${square.south}`;
      const known = counted.get(name) ?? { square, drives: 0 };
      counted.set(name, { square, drives: known.drives + 1 });
    }
  }
  const most = [...counted.values()].sort((a, b) => b.drives - a.drives);
  return most.slice(0, HOME_SQUARES).map(({ square }) => square);
}

/** Less than five degrees, about 500 km, on each side. */
function isSmall([west, south, east, north]: Box): boolean {
  return (east < west ? east + 360 : east) - west < 5 && north - south < 5;
}

let lookedAtHomeAt = 0;

effect(() => {
  const driven = drives.value;
  if (status.value?.link.type !== "upToDate" || !driven || driven.length === 0) return;
  untracked(() => {
    if (Date.now() - lookedAtHomeAt < LOOK_EVERY_MS) return;
    const squares = squaresOf(driven);
    if (squares.length === 0) return;
    lookedAtHomeAt = Date.now();
    void atlas.ask(squares);
  });
});
