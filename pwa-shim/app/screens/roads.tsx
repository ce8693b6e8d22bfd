// Good roads: on a map that draws itself from what people drove, and as a list. What was told before is here without signal.

import { signal, useSignal } from "@preact/signals";
import type { Road } from "@tourismo/client";
import { useEffect } from "preact/hooks";

import { units } from "../engine.ts";
import { clock, day, distance } from "../format.ts";
import type { Look } from "../map/roads-map.ts";
import { DiscoverHead } from "../parts/discover-head.tsx";
import { PlaceIcon } from "../parts/icons.tsx";
import { RoadsMap } from "../parts/roads-map.tsx";
import { Legend, ScoreLine } from "../parts/score.tsx";
import { Sketch } from "../parts/sketch.tsx";
import { exactlyWhereIAm } from "../place.ts";
import { extract, lookAt, whereToLook } from "../roads.ts";
import { go, href } from "../route.ts";
import { bandOf } from "../score-bands.ts";
import { bearingDeg, bestWays, type Box, boxAround, compassOf, courseOf, isWithin, metresBetween, middleOf, type Place, type Way } from "../ways.ts";

/** Where the map begins when nothing is known: Europe. */
const NOWHERE: Look = { at: [10, 48], zoom: 3 };
const NEAR_ZOOM = 10;
/** How many roads the list has, and how long they are at least, metres: what lies between two junctions may be very short. */
const LISTED = 30;
const SHORTEST_LISTED_M = 500;

/** In the browser's own drawer: where the map looked last. */
const LOOK = "tourismo roads look";

/** Where the map looked last, and where the person is: kept while other screens are shown. */
const look = signal<Look | undefined>(lastLook());
const place = signal<Place | undefined>(undefined);

export function RoadsScreen() {
  const seen = useSignal<Box | undefined>(undefined);
  const isTooLarge = useSignal(false);
  const problem = useSignal<string | undefined>(undefined);
  useEffect(() => {
    if (look.value === undefined) void begin().then((first) => (look.value ??= first));
  }, []);
  useEffect(() => {
    // What could not be asked for comes with signal.
    const again = (): void => void (seen.value && see(seen.value));
    addEventListener("online", again);
    return () => removeEventListener("online", again);
  }, []);

  async function see(box: Box): Promise<void> {
    seen.value = box;
    isTooLarge.value = (await lookAt(box)) === "tooLarge";
  }

  async function aroundMe(): Promise<void> {
    const found = await exactlyWhereIAm();
    problem.value = Array.isArray(found) ? undefined : found.failed;
    if (!Array.isArray(found)) return;
    place.value = found;
    // Without a map this alone says where to look.
    if (seen.value === undefined) await see(boxAround(found, 0.5));
  }

  const roads = extract.value?.roads ?? [];
  const box = seen.value;
  const isListed = (road: Road): boolean => road.lengthM >= SHORTEST_LISTED_M && (!box || isWithin(middleOf(road), box));
  const ways = bestWays(roads.filter(isListed), LISTED);
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
            <div class="map waiting">Looking for roads…</div>
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
            {ways.map((way) => (
              <li key={way.road.id}>
                <RoadRow way={way} from={place.value} />
              </li>
            ))}
          </ul>
          <p class="hint">
            Roads are found in the drives that everybody may see, once enough people have driven them. The relay is asked for
            squares of half a degree, some 50 km wide, without your account: where exactly you are stays on this device.
          </p>
        </div>
      </div>
    </section>
  );
}

async function begin(): Promise<Look> {
  const at = await whereToLook();
  return at ? { at, zoom: NEAR_ZOOM } : NOWHERE;
}

function lastLook(): Look | undefined {
  try {
    const { at: [lon, lat], zoom } = JSON.parse(localStorage.getItem(LOOK) ?? "") as Look;
    return [lon, lat, zoom].every(Number.isFinite) ? { at: [lon, lat], zoom } : undefined;
  } catch {
    // Nothing is kept, or what is cannot be read.
    return undefined;
  }
}

function keepLook(at: Look): void {
  try {
    localStorage.setItem(LOOK, JSON.stringify(at));
  } catch {
    // It begins anew next time.
  }
}

/** From when the roads are, and what to do where there are none. */
function ExtractAge({ isTooLarge }: { isTooLarge: boolean }) {
  if (isTooLarge) return <p class="hint">Come nearer to see the roads there.</p>;
  const known = extract.value;
  if (known === undefined) return <p class="hint">Looking…</p>;
  if (known.toldAt === null) return <p class="age">Nothing is known of this place yet. It comes with signal.</p>;
  const none = known.roads.length === 0 ? " Nobody has shown a good road here yet." : "";
  const partly = known.missing > 0 ? " Some of what is in view comes with signal." : "";
  return (
    <p class="hint" data-testid="roads-age">
      As the relay told them on {day(known.toldAt)}, {clock(known.toldAt)}.{none}
      {partly}
    </p>
  );
}

function RoadRow({ way: { road, back }, from }: { way: Way; from: Place | undefined }) {
  return (
    <a class="row feed-row" href={href({ screen: "road", id: road.id })} data-testid="road-row">
      <Sketch parts={[road.line]} band={bandOf(road.score.score)} />
      <div class="row-main">
        <h2>
          {lengthOf(road.lengthM)} {courseOf(road, back)}
        </h2>
        <ScoreLine score={road.score} units={units()} what="Driven" />
        <p class="row-line">{from ? awayFrom(from, middleOf(road)) : coordinates(middleOf(road))}</p>
      </div>
    </a>
  );
}

/** How far away, as the crow flies, and in which direction. */
function awayFrom(from: Place, to: Place): string {
  return `${lengthOf(metresBetween(from, to))} ${compassOf(bearingDeg(from, to))} of you`;
}

export function coordinates([lon, lat]: Place): string {
  const part = (degrees: number, positive: string, negative: string): string =>
    `${Math.abs(degrees).toFixed(2)}° ${degrees < 0 ? negative : positive}`;
  return `${part(lat, "N", "S")}, ${part(lon, "E", "W")}`;
}

function lengthOf(metres: number): string {
  const { value, unit } = distance(metres, units());
  return `${value} ${unit}`;
}
