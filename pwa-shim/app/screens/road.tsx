// One road: where it runs, what makes its score, and who drove it for all to see.

import type { Evidence, Road } from "@tourismo/client";
import { useMemo } from "preact/hooks";

import { relay, units } from "../engine.ts";
import { distance } from "../format.ts";
import { BackIcon } from "../parts/icons.tsx";
import { DriveMap } from "../parts/map.tsx";
import { Legend, ScoreCard } from "../parts/score.tsx";
import { Age } from "../parts/told.tsx";
import { extract } from "../roads.ts";
import { href } from "../route.ts";
import { useTold } from "../told.ts";
import { backOf, courseOf, middleOf } from "../ways.ts";
import { FeedCard } from "./feed.tsx";
import { coordinates } from "./roads.tsx";

export function RoadScreen({ id }: { id: string }) {
  const { told, failed } = useTold(`road ${id}`, () => relay.road(id));
  const kept = extract.value?.roads.find((road) => road.id === id);
  const road = told ?? kept;
  return (
    <section class="page drive-page">
      <a class="back" href={href({ screen: "roads" })}>
        <BackIcon /> Roads
      </a>
      <Age told={told} />
      {road ? <Shown road={road} /> : <p class="opening">{failed ?? "Asking the relay…"}</p>}
      {road ? (
        <section class="column" aria-label="Drives over it">
          <h2>Drives over it</h2>
          {told ? null : <p class="hint">{failed ?? "Asking the relay…"}</p>}
          {told?.drives.length === 0 ? <p class="hint">None that you may see at the moment.</p> : null}
          <ul class="list cards">
            {told?.drives.map((drive) => (
              <li key={drive.id}>
                <FeedCard drive={drive} />
              </li>
            ))}
          </ul>
        </section>
      ) : null}
    </section>
  );
}

function Shown({ road }: { road: Road }) {
  const { value, unit } = distance(road.lengthM, units());
  const back = backOf(road, extract.value?.roads ?? []);
  return (
    <>
      <header class="page-head">
        <div>
          <h1>
            {value} {unit} {courseOf(road, undefined)}
          </h1>
          <p class="row-line">
            {coordinates(middleOf(road))} · {wordsOfEvidence(road.drivers)}
          </p>
        </div>
      </header>
      <div class="columns">
        <div class="column">
          <RoadMap road={road} />
          <Legend />
        </div>
        <div class="column">
          <section class="card road" data-testid="road" aria-label="The road">
            <h2>The road</h2>
            <ScoreCard score={road.score} units={units()} of="that people drove on it" />
          </section>
          {back ? (
            <a class="button" href={href({ screen: "road", id: back.id })}>
              The other way: {back.score.score}
            </a>
          ) : null}
        </div>
      </div>
    </>
  );
}

function RoadMap({ road }: { road: Road }) {
  // The same as long as the road is: a map is not made anew for what it shows already.
  const drawn = useMemo(() => {
    const line = { parts: [road.line] };
    return { line, stretches: [{ line, score: road.score.score }] };
  }, [road.id]);
  return <DriveMap drawn={drawn} label="Map of the road" />;
}

function wordsOfEvidence(drivers: Evidence): string {
  switch (drivers) {
    case "few":
      return "driven by a few people";
    case "10+":
      return "driven by 10 people or more";
    case "25+":
      return "driven by 25 people or more";
    case "50+":
      return "driven by 50 people or more";
    default:
      return drivers satisfies never;
  }
}
