// Roads kept on this device, square by square, so that good ones are found where there is no signal.
//
// A square has half a degree on each side: about 55 km from south to north. The relay is asked for whole squares, without an
// account, so that no request says more than this of where somebody is or wants to go.

import { listOf } from "./checks.ts";
import { TourismoError } from "./errors.ts";
import { roadFeature } from "./generated/http-checks.ts";
import type { Timestamp } from "./generated/types.ts";
import type { ReadCache } from "./read-cache.ts";
import type { RelayReads } from "./relay-reads.ts";
import { featureOf, type Road, road } from "./road-answers.ts";

/** How long a side of a square is, degrees. */
const SIDE_DEG = 0.5;
/** The best so many roads of a square are kept. */
const MOST_ROADS = 200;
const PAGE = 100;
/** After how long a square is asked for again. Roads change as slowly as people drive. */
const FRESH_MS = 24 * 3_600_000;

/** One of the squares into which the earth is divided: its south-western corner, in halves of a degree. */
export interface Square {
  west: number;
  south: number;
}

/** Roads of some squares. */
export interface RoadExtract {
  /** The best first. */
  roads: Road[];
  /** When the relay told the oldest of it; absent if nothing is here. */
  toldAt: Timestamp | null;
  /** Squares of which nothing is here. */
  missing: number;
}

/** The roads kept on this device. */
export class RoadAtlas {
  readonly #relay: Pick<RelayReads, "roads">;
  readonly #cache: ReadCache;

  /** `relay` must read as nobody; the cache must be the atlas's own. */
  constructor(relay: Pick<RelayReads, "roads">, cache: ReadCache) {
    this.#relay = relay;
    this.#cache = cache;
  }

  /**
   * Asks the relay for squares that are not here, or were told more than a day ago. Says whether anything new came; without
   * a connection nothing does.
   */
  async ask(squares: readonly Square[]): Promise<boolean> {
    let isNew = false;
    for (const square of squares) {
      const kept = await this.#find(square);
      if (kept && Date.now() - kept.toldAt < FRESH_MS) continue;
      try {
        const roads = await this.#fetch(square);
        await this.#cache.keep(nameOf(square), { body: JSON.stringify(roads.map(featureOf)), toldAt: Date.now() });
        isNew = true;
      } catch (thrown) {
        // Whatever else is wrong, what is here is shown; a relay that is away is not asked for the others.
        if (thrown instanceof TourismoError && thrown.code === "relay_unreachable") break;
      }
    }
    return isNew;
  }

  /** What is here of these squares. */
  async read(squares: readonly Square[]): Promise<RoadExtract> {
    const found = await Promise.all(squares.map((square) => this.#find(square)));
    const here = found.filter((kept) => kept !== undefined);
    // A road over a border belongs to the square of its middle, so that none comes twice.
    const roads = here.flatMap((kept) => kept.roads).sort((a, b) => b.score.score - a.score.score);
    const toldAt = here.length === 0 ? null : Math.min(...here.map((kept) => kept.toldAt));
    return { roads, toldAt, missing: squares.length - here.length };
  }

  async #fetch({ west, south }: Square): Promise<Road[]> {
    const bbox = [west / 2, south / 2, (west + 1) / 2, (south + 1) / 2] as const;
    const roads: Road[] = [];
    let after: string | undefined;
    do {
      const page = await this.#relay.roads({ bbox: [...bbox], limit: PAGE, ...(after === undefined ? {} : { after }) });
      roads.push(...page.roads);
      after = page.next ?? undefined;
    } while (after !== undefined && roads.length < MOST_ROADS);
    return roads;
  }

  async #find(square: Square): Promise<{ roads: Road[]; toldAt: Timestamp } | undefined> {
    try {
      const kept = await this.#cache.find(nameOf(square));
      return kept && { roads: listOf(roadFeature)(JSON.parse(kept.body)).map(road), toldAt: kept.toldAt };
    } catch {
      // What cannot be read is asked for again.
      return undefined;
    }
  }
}

/** The squares that touch a box: west, south, east, north; west is greater than east over the date line. */
export function squaresIn([west, south, east, north]: [number, number, number, number]): Square[] {
  const [first, bottom] = [Math.floor(west / SIDE_DEG), Math.max(-180, Math.floor(south / SIDE_DEG))];
  const last = Math.floor((east < west ? east + 360 : east) / SIDE_DEG);
  const top = Math.min(179, Math.floor(north / SIDE_DEG));
  const squares: Square[] = [];
  for (let y = bottom; y <= top; y++) {
    for (let x = first; x <= Math.min(last, first + AROUND - 1); x++) {
      squares.push({ west: ((((x + AROUND / 2) % AROUND) + AROUND) % AROUND) - AROUND / 2, south: y });
    }
  }
  return squares;
}

/** How many squares lie around the earth. */
const AROUND = 360 / SIDE_DEG;

/** The square of a place, longitude and latitude, and the eight around it. */
export function squaresAround([lon, lat]: [number, number]): Square[] {
  return squaresIn([lon - SIDE_DEG, lat - SIDE_DEG, lon + SIDE_DEG, lat + SIDE_DEG]);
}

function nameOf({ west, south }: Square): string {
  return `${west} ${south}`;
}
