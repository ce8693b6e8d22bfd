// A road: map, score, and public drives over it.

import type { Evidence, Road } from "@tourismo/client";
import { useMemo } from "preact/hooks";
import { DestinationLinks } from "../components/destination-links.tsx";
import { BackIcon } from "../components/icons.tsx";
import { DriveMap } from "../components/map.tsx";
import { StaleNotice } from "../components/query-status.tsx";
import { Legend, ScoreCard } from "../components/score.tsx";
import { relay, units } from "../engine.ts";
import { distance } from "../format.ts";
import { directionOf, midpointOf, reverseOf } from "../geometry.ts";
import { useRelayQuery } from "../relay-query.ts";
import { extract } from "../roads.ts";
import { href } from "../route.ts";
import { FeedCard } from "./feed.tsx";
import { coordinates } from "./roads.tsx";

export function RoadScreen({ id }: { id: string }) {
  const { data, failed } = useRelayQuery(`road ${id}`, () => relay.road(id));
  const kept = extract.value?.roads.find((road) => road.id === id);
  const road = data ?? kept;
  return (
    <section class="page drive-page">
      <a class="back" href={href({ screen: "roads" })}>
        <BackIcon /> Roads
      </a>
      <StaleNotice meta={data} />
      {road ? <Shown road={road} /> : <p class="opening">{failed ?? "Loading…"}</p>}
      {road ? (
        <section class="column" aria-label="Drives over it">
          <h2>Drives over it</h2>
          {data ? null : <p class="hint">{failed ?? "Loading…"}</p>}
          {data?.drives.length === 0 ? <p class="hint">None that you can see at the moment.</p> : null}
          <ul class="list cards">
            {data?.drives.map((drive) => (
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
  const [start] = road.line;
  const reverse = reverseOf(road, extract.value?.roads ?? []);
  const title = `${value} ${unit} ${directionOf(road, undefined)}`;
  const destination = {
    name: `${title}, ${coordinates(midpointOf(road))}`,
    description: `Road score ${road.score.score}`,
    link: new URL(href({ screen: "road", id: road.id }), location.href).href,
    line: road.line,
  };
  return (
    <>
      <header class="page-head">
        <div>
          <h1>{title}</h1>
          <p class="row-line">
            {coordinates(midpointOf(road))} · {describeEvidence(road.drivers)}
          </p>
        </div>
      </header>
      <div class="columns">
        <div class="column">
          <RoadMap road={road} />
          {start ? <DestinationLinks destination={{ ...destination, position: start }} /> : null}
          <Legend />
        </div>
        <div class="column">
          <section class="card road" data-testid="road" aria-label="The road">
            <h2>The road</h2>
            <ScoreCard score={road.score} units={units()} of="of public drives" />
          </section>
          {reverse ? (
            <a class="button" href={href({ screen: "road", id: reverse.id })}>
              Other direction: {reverse.score.score}
            </a>
          ) : null}
        </div>
      </div>
    </>
  );
}

function RoadMap({ road }: { road: Road }) {
  // The same object as long as the road is the same, so that the map is not redrawn.
  const drawn = useMemo(() => {
    const line = { parts: [road.line] };
    return { line, stretches: [{ line, score: road.score.score }] };
  }, [road.id]);
  return <DriveMap drawn={drawn} label="Map of the road" />;
}

function describeEvidence(drivers: Evidence): string {
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
