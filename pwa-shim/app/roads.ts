// Good roads that are kept on this device: those around the user's drives, so that they are there without signal.

import { computed, effect, signal } from "@preact/signals";
import {
  BrowserReadCache,
  type DriveView,
  RelayReads,
  RoadAtlas,
  type RoadExtract,
  type Square,
  squaresIn,
} from "@tourismo/client";

import { drives, engine, isInUse, status } from "./engine.ts";
import { type Box, centreOf, type LonLat } from "./geometry.ts";
import { homeSquares, isSmall } from "./home-squares.ts";

/** Maximum number of squares that are kept. */
const KEPT_SQUARES = 40;
/** Maximum number of squares that a map shows at once. */
const SHOWN_SQUARES = 24;
/** How often the squares around the user's drives are refreshed, and how often missing ones are fetched again. */
const REFRESH_MS = 3_600_000;
const RETRY_MISSING_MS = 60_000;

/** Anonymous reads: see `RoadAtlas`. */
const anonymousReads = new RelayReads(new URL("/", location.href));
const atlas = new RoadAtlas(anonymousReads, new BrowserReadCache("tourismo-roads", KEPT_SQUARES));

/** The roads of the squares that were shown last. */
export const extract = signal<RoadExtract | undefined>(undefined);

/** Shows the kept roads in a box, then those that the relay adds. Returns whether the box is too large. */
export async function loadRoadsIn(box: Box): Promise<"shown" | "tooLarge"> {
  const squares = isSmall(box) ? squaresIn(box) : [];
  if (squares.length === 0 || squares.length > SHOWN_SQUARES) return "tooLarge";
  const own = (loads += 1);
  const show = async (): Promise<RoadExtract> => {
    const found = await atlas.read(squares);
    if (own === loads) extract.value = found;
    return found;
  };
  const { missing } = await show();
  const isNew = await atlas.ask(squares);
  // An earlier call may have fetched missing squares meanwhile.
  if (isNew || missing > 0) await show();
  return "shown";
}

let loads = 0;

/** Where the map starts: at the user's last drive, else at the best road of the relay. */
export async function initialCentre(): Promise<LonLat | undefined> {
  const last = (await ownDrives()).find(({ bounds }) => bounds !== null)?.bounds;
  if (last) return centreOf(last);
  try {
    const { roads } = await anonymousReads.roads({ limit: 1 });
    return roads[0]?.line[0];
  } catch {
    return undefined;
  }
}

/** The user's drives as soon as the engine has opened them; none without an account. */
function ownDrives(): Promise<readonly DriveView[]> {
  return new Promise((resolve) => {
    const stop = effect(() => {
      const isPending = drives.value === undefined && isInUse() && engine.value.type !== "failed";
      if (isPending) return;
      resolve(drives.value ?? []);
      queueMicrotask(() => stop());
    });
  });
}

const home = computed(() => homeSquares(drives.value ?? []));
let fetchedSquares = "";
let refreshAt = 0;

effect(() => {
  if (status.value?.link.type === "upToDate") void refreshHomeSquares(home.value);
});

/** Fetches the squares around the user's drives when they change, and every hour. */
async function refreshHomeSquares(squares: readonly Square[]): Promise<void> {
  const names = JSON.stringify(squares);
  if (squares.length === 0 || (names === fetchedSquares && Date.now() < refreshAt)) return;
  [fetchedSquares, refreshAt] = [names, Date.now() + REFRESH_MS];
  await atlas.ask(squares);
  const { missing } = await atlas.read(squares);
  if (missing > 0) refreshAt = Date.now() + RETRY_MISSING_MS;
}
