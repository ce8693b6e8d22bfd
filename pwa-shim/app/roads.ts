// Good roads as this phone knows them: squares around where the person drives are kept, so that they are here with no signal.

import { computed, effect, signal } from "@preact/signals";
import { BrowserReadCache, type DriveView, RelayReads, RoadAtlas, type RoadExtract, type Square, squaresIn } from "@tourismo/client";

import { drives, engine, isInUse, status } from "./engine.ts";
import { isSmall, squaresOf } from "./squares.ts";
import { type Box, middleOfBox, type Place } from "./ways.ts";

/** How many squares are kept. */
const KEPT_SQUARES = 40;
/** How many squares a map may show at once; more than this is half a continent. */
const SHOWN_SQUARES = 24;
/** How often to look whether something of where the person drives is old, and how often what could not be had is asked for. */
const ASK_EVERY_MS = 3_600_000;
const ASK_MISSING_EVERY_MS = 60_000;

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
  const show = async (): Promise<RoadExtract> => {
    const found = await atlas.read(squares);
    if (own === looked) extract.value = found;
    return found;
  };
  const { missing } = await show();
  const isNew = await atlas.ask(squares);
  // What was missing may have come because an earlier look asked for it.
  if (isNew || missing > 0) await show();
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

const home = computed(() => squaresOf(drives.value ?? []));
let askedFor = "";
let askAgainAt = 0;

effect(() => {
  if (status.value?.link.type === "upToDate") void askAtHome(home.value);
});

/** Asks for the squares in which the person drives: when they are others than before, and every hour. */
async function askAtHome(squares: readonly Square[]): Promise<void> {
  const names = JSON.stringify(squares);
  if (squares.length === 0 || (names === askedFor && Date.now() < askAgainAt)) return;
  [askedFor, askAgainAt] = [names, Date.now() + ASK_EVERY_MS];
  await atlas.ask(squares);
  const { missing } = await atlas.read(squares);
  if (missing > 0) askAgainAt = Date.now() + ASK_MISSING_EVERY_MS;
}
