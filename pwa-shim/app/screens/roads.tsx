// Good roads on a map and in a list. Kept roads are there without signal.

import { signal, useSignal } from "@preact/signals";
import type { Road } from "@tourismo/client";
import { useEffect } from "preact/hooks";
import { DiscoverHead } from "../components/discover-head.tsx";
import { PlaceIcon } from "../components/icons.tsx";
import { LineThumbnail } from "../components/line-thumbnail.tsx";
import { RoadsMap } from "../components/roads-map.tsx";
import { Legend, ScoreLine } from "../components/score.tsx";
import { currentPosition } from "../current-position.ts";
import { units } from "../engine.ts";
import { clock, day, distance } from "../format.ts";
import {
  type Box,
  bearingDeg,
  boxAround,
  compassOf,
  directionOf,
  isWithin,
  type LonLat,
  metresBetween,
  midpointOf,
  pairedRoads,
  type RoadPair,
} from "../geometry.ts";
import type { Look } from "../map/roads-map.ts";
import { extract, initialCentre, loadRoadsIn } from "../roads.ts";
import { go, href } from "../route.ts";
import { bandOf } from "../score-bands.ts";

/** The initial view if nothing better is known: Europe. */
const DEFAULT_VIEW: Look = { at: [10, 48], zoom: 3 };
const NEAR_ZOOM = 10;
/** Maximum number of roads in the list, and their minimum length, metres: the way between two junctions may be very short. */
const LISTED = 30;
const SHORTEST_LISTED_M = 500;

/** The key in `localStorage` of the last view of the map. */
const LOOK = "tourismo roads look";

/** The last view of the map and the position of the user, kept while other screens are shown. */
const look = signal<Look | undefined>(lastLook());
const place = signal<LonLat | undefined>(undefined);

export function RoadsScreen() {
  const seen = useSignal<Box | undefined>(undefined);
  const isTooLarge = useSignal(false);
  const problem = useSignal<string | undefined>(undefined);
  useEffect(() => {
    if (look.value === undefined) void begin().then((first) => (look.value ??= first));
  }, []);
  useEffect(() => {
    // Missing roads are fetched when the device is online again.
    const again = (): void => void (seen.value && see(seen.value));
    addEventListener("online", again);
    return () => removeEventListener("online", again);
  }, []);

  async function see(box: Box): Promise<void> {
    seen.value = box;
    isTooLarge.value = (await loadRoadsIn(box)) === "tooLarge";
  }

  async function aroundMe(): Promise<void> {
    const found = await currentPosition();
    problem.value = Array.isArray(found) ? undefined : found.failed;
    if (!Array.isArray(found)) return;
    place.value = found;
    // Without a map there is no visible area yet.
    if (seen.value === undefined) await see(boxAround(found, 0.5));
  }

  const roads = extract.value?.roads ?? [];
  const box = seen.value;
  const isListed = (road: Road): boolean => road.lengthM >= SHORTEST_LISTED_M && (!box || isWithin(midpointOf(road), box));
  const pairs = pairedRoads(roads.filter(isListed), LISTED);
  return (
    <section class="page roads-page">
      <DiscoverHead chosen="roads" />
      <div class="columns">
        <div class="column">
          {look.value ? (
            <RoadsMap
              look={look.value}
              roads={roads}
              place={place.value}
              moved={(bounds, at) => {
                look.value = at;
                keepLook(at);
                void see(bounds);
              }}
              picked={(id) => go({ screen: "road", id })}
            />
          ) : (
            <div class="map waiting">Loading roads…</div>
          )}
          <div class="map-foot">
            <Legend />
            <button type="button" class="button small" onClick={() => void aroundMe()}>
              <PlaceIcon /> Around me
            </button>
          </div>
          {problem.value ? <p class="hint bad">{problem.value}</p> : null}
        </div>
        <div class="column">
          <h2>The best roads in view</h2>
          <ExtractAge isTooLarge={isTooLarge.value} />
          <ul class="list">
            {pairs.map((pair) => (
              <li key={pair.road.id}>
                <RoadRow pair={pair} from={place.value} />
              </li>
            ))}
          </ul>
          <p class="hint">
            Roads come from public drives, once enough people have driven them. The app asks the server for squares of half a
            degree, about 50 km wide, without your account. Your exact position stays on this device.
          </p>
        </div>
      </div>
    </section>
  );
}

async function begin(): Promise<Look> {
  const at = await initialCentre();
  return at ? { at, zoom: NEAR_ZOOM } : DEFAULT_VIEW;
}

function lastLook(): Look | undefined {
  try {
    const {
      at: [lon, lat],
      zoom,
    } = JSON.parse(localStorage.getItem(LOOK) ?? "") as Look;
    return [lon, lat, zoom].every(Number.isFinite) ? { at: [lon, lat], zoom } : undefined;
  } catch {
    // No view was saved, or it cannot be read.
    return undefined;
  }
}

function keepLook(at: Look): void {
  try {
    localStorage.setItem(LOOK, JSON.stringify(at));
  } catch {
    // Next time the map starts at the default.
  }
}

/** When the roads were fetched, and what to do if there are none. */
function ExtractAge({ isTooLarge }: { isTooLarge: boolean }) {
  if (isTooLarge) return <p class="hint">Zoom in to see roads.</p>;
  const known = extract.value;
  if (known === undefined) return <p class="hint">Loading…</p>;
  if (known.fetchedAt === null)
    return <p class="age">No roads of this area are on this device. They load when there is signal.</p>;
  const none = known.roads.length === 0 ? " No good roads are known here yet." : "";
  const partly = known.missing > 0 ? " Part of this area loads when there is signal." : "";
  return (
    <p class="hint" data-testid="roads-age">
      Updated {day(known.fetchedAt)}, {clock(known.fetchedAt)}.{none}
      {partly}
    </p>
  );
}

function RoadRow({ pair: { road, reverse }, from }: { pair: RoadPair; from: LonLat | undefined }) {
  return (
    <a class="row feed-row" href={href({ screen: "road", id: road.id })} data-testid="road-row">
      <LineThumbnail parts={[road.line]} band={bandOf(road.score.score)} />
      <div class="row-main">
        <h2>
          {lengthOf(road.lengthM)} {directionOf(road, reverse)}
        </h2>
        <ScoreLine score={road.score} units={units()} what="Driven" />
        <p class="row-line">{from ? awayFrom(from, midpointOf(road)) : coordinates(midpointOf(road))}</p>
      </div>
    </a>
  );
}

/** The straight-line distance and direction. */
function awayFrom(from: LonLat, to: LonLat): string {
  return `${lengthOf(metresBetween(from, to))} ${compassOf(bearingDeg(from, to))} of you`;
}

export function coordinates([lon, lat]: LonLat): string {
  const part = (degrees: number, positive: string, negative: string): string =>
    `${Math.abs(degrees).toFixed(2)}° ${degrees < 0 ? negative : positive}`;
  return `${part(lat, "N", "S")}, ${part(lon, "E", "W")}`;
}

function lengthOf(metres: number): string {
  const { value, unit } = distance(metres, units());
  return `${value} ${unit}`;
}
