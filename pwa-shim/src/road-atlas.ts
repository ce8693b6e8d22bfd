// Roads that are kept on this device in squares, so that they are there without signal.
//
// A square has sides of half a degree, about 55 km from south to north. The relay is asked for whole squares and anonymously, so
// that no request reveals more about where the user is or wants to go.

import { listOf } from "./checks.ts";
import { TourismoError } from "./errors.ts";
import { roadFeature } from "./generated/http-checks.ts";
import type { Timestamp } from "./generated/types.ts";
import type { ReadCache } from "./read-cache.ts";
import type { RelayReads } from "./relay-reads.ts";
import { featureOf, type Road, road } from "./road-answers.ts";

/** The side of a square, degrees. */
const SIDE_DEG = 0.5;
/** Maximum number of roads per square, the best first. */
const MAX_ROADS = 200;
const PAGE = 100;
/** After this time a square is fetched again. Roads change slowly. */
const FRESH_MS = 24 * 3_600_000;

/** A square, by its south-western corner in units of half a degree. */
export interface Square {
  west: number;
  south: number;
}

/** Roads of some squares. */
export interface RoadExtract {
  /** The best first. */
  roads: Road[];
  /** When the oldest of the squares was fetched; `null` if no square is kept. */
  fetchedAt: Timestamp | null;
  /** The number of squares that are not kept. */
  missing: number;
}

/** The roads that are kept on this device. */
export class RoadAtlas {
  readonly #relay: Pick<RelayReads, "roads">;
  readonly #cache: ReadCache;

  /** `relay` must read anonymously. The cache must be used by the atlas alone. */
  constructor(relay: Pick<RelayReads, "roads">, cache: ReadCache) {
    this.#relay = relay;
    this.#cache = cache;
  }

  /**
   * Fetches squares that are not kept, or were fetched more than a day ago. Resolves to whether any was fetched. It does not
   * reject without a connection.
   */
  async ask(squares: readonly Square[]): Promise<boolean> {
    let isNew = false;
    for (const square of squares) {
      const kept = await this.#find(square);
      if (kept && Date.now() - kept.fetchedAt < FRESH_MS) continue;
      try {
        const roads = await this.#fetch(square);
        await this.#cache.keep(nameOf(square), { body: JSON.stringify(roads.map(featureOf)), fetchedAt: Date.now() });
        isNew = true;
      } catch (thrown) {
        // Kept roads stay. If the relay cannot be reached, the other squares are not tried.
        if (thrown instanceof TourismoError && thrown.code === "relay_unreachable") break;
      }
    }
    return isNew;
  }

  /** The kept roads of squares. */
  async read(squares: readonly Square[]): Promise<RoadExtract> {
    const found = await Promise.all(squares.map((square) => this.#find(square)));
    const here = found.filter((kept) => kept !== undefined);
    // A road belongs to the square of its midpoint, so that no road is in two squares.
    const roads = here.flatMap((kept) => kept.roads).sort((a, b) => b.score.score - a.score.score);
    const fetchedAt = here.length === 0 ? null : Math.min(...here.map((kept) => kept.fetchedAt));
    return { roads, fetchedAt, missing: squares.length - here.length };
  }

  async #fetch({ west, south }: Square): Promise<Road[]> {
    const bbox = [west / 2, south / 2, (west + 1) / 2, (south + 1) / 2] as const;
    const roads: Road[] = [];
    let after: string | undefined;
    do {
      const page = await this.#relay.roads({ bbox: [...bbox], limit: PAGE, ...(after === undefined ? {} : { after }) });
      roads.push(...page.roads);
      after = page.next ?? undefined;
    } while (after !== undefined && roads.length < MAX_ROADS);
    return roads;
  }

  async #find(square: Square): Promise<{ roads: Road[]; fetchedAt: Timestamp } | undefined> {
    try {
      const kept = await this.#cache.find(nameOf(square));
      return kept && { roads: listOf(roadFeature)(JSON.parse(kept.body)).map(road), fetchedAt: kept.fetchedAt };
    } catch {
      // A square that cannot be read is fetched again.
      return undefined;
    }
  }
}

/** The squares that intersect a box: west, south, east, north. West is greater than east over the date line. */
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

/** Number of squares around the earth. */
const AROUND = 360 / SIDE_DEG;

/** The square of a position, longitude and latitude, and the eight squares around it. */
export function squaresAround([lon, lat]: [number, number]): Square[] {
  return squaresIn([lon - SIDE_DEG, lat - SIDE_DEG, lon + SIDE_DEG, lat + SIDE_DEG]);
}

function nameOf({ west, south }: Square): string {
  return `${west} ${south}`;
}
