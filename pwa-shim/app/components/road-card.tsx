// The road score of a drive, and its best stretches.

import type { RoadView, Units } from "@tourismo/client";

import { Legend, ScoreCard, ScoreLine } from "./score.tsx";

export function RoadCard({ road, units }: { road: RoadView; units: Units }) {
  const hasStretches = road.stretches.length > 0;
  if (road.score === null && !hasStretches) return null;
  return (
    <section class="card road" data-testid="road" aria-label="The road">
      <h2>The road</h2>
      {road.score ? (
        <ScoreCard score={road.score} units={units} of="measured" />
      ) : (
        <p class="row-line">Too little of the drive was measured for a score.</p>
      )}
      {hasStretches ? (
        <>
          <h3>Best stretches, coloured on the map</h3>
          <ul class="plain">
            {road.stretches.map(({ fromAt, score }) => (
              <li key={fromAt}>
                <ScoreLine score={score} units={units} what="Stretch" />
              </li>
            ))}
          </ul>
          <Legend />
        </>
      ) : null}
    </section>
  );
}
