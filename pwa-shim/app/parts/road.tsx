// How good a road is: its score, what makes it, and the stretches worth driving again.

import type { RoadParts, RoadScore, RoadView, Units } from "@tourismo/client";

import { distance } from "../format.ts";

export function RoadCard({ road, units }: { road: RoadView; units: Units }) {
  const [best] = road.stretches;
  if (road.score === null && best === undefined) return null;
  return (
    <section class="card road" data-testid="road">
      <h2>The road</h2>
      {road.score ? (
        <Score score={road.score} units={units} />
      ) : (
        <p class="row-line">Too little of the way was measured for a score of the whole.</p>
      )}
      {best ? (
        <>
          <h3>Best stretches</h3>
          <ul class="plain">
            {road.stretches.map(({ fromAt, score }) => (
              <li key={fromAt}>
                <strong>{score.score}</strong> on {lengthOf(score, units)}: {wordsOfParts(score.parts)}
              </li>
            ))}
          </ul>
        </>
      ) : null}
    </section>
  );
}

function Score({ score, units }: { score: RoadScore; units: Units }) {
  return (
    <>
      <p>
        <strong>{score.score}</strong> of 100, on {lengthOf(score, units)} that were measured
      </p>
      <p class="row-line">{wordsOfParts(score.parts)}</p>
    </>
  );
}

/** What a score is made of, each part from 0 to 100. */
export function wordsOfParts({ twist, corners, relief, flow, variety }: RoadParts): string {
  const parts = [`twist ${twist}`, `corners ${corners}`, `flow ${flow}`, `variety ${variety}`];
  return (relief === undefined ? parts : [...parts, `relief ${relief}`]).join(", ");
}

function lengthOf({ measuredM }: RoadScore, units: Units): string {
  const { value, unit } = distance(measuredM, units);
  return `${value} ${unit}`;
}
