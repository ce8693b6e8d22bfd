// How good a road is. A score is never shown without what makes it and the length it was computed on.

import type { RoadParts, RoadScore, Units } from "@tourismo/client";

import { distance } from "../format.ts";
import { BANDS, bandOf } from "../score-bands.ts";

/** In a list: the score, a bar for each part, the length that it is of. */
export function ScoreLine({ score, units, what }: { score: RoadScore; units: Units; what: string }) {
  const length = lengthOf(score.measuredM, units);
  return (
    <span class="score-line" role="img" aria-label={`${what}: ${score.score} of 100 on ${length}, ${wordsOfParts(score.parts)}`}>
      <Pill score={score.score} />
      <svg class={`part-bars band-${bandOf(score.score)}`} viewBox="0 0 34 16">
        {partsOf(score.parts).map(({ label, value }, i) => (
          <rect key={label} x={i * 7} y={16 - barOf(value)} width="5" height={barOf(value)} rx="1" />
        ))}
      </svg>
      <span>
        {what}, {length}
      </span>
    </span>
  );
}

/** In full: the score, the length that it is of, such as "that were measured", and each part by its name. */
export function ScoreCard({ score, units, of }: { score: RoadScore; units: Units; of: string }) {
  return (
    <>
      <p class="score-head">
        <Pill score={score.score} />
        <span>
          of 100, on {lengthOf(score.measuredM, units)} {of}
        </span>
      </p>
      <dl class="score-parts">
        {partsOf(score.parts).map(({ label, value, what }) => (
          <div key={label} class="score-part" title={what}>
            <dt>{label}</dt>
            <dd>
              <span class={`meter band-${bandOf(score.score)}`} aria-hidden="true">
                <span style={{ width: `${value}%` }} />
              </span>
              <span class="meter-value">{value}</span>
            </dd>
          </div>
        ))}
      </dl>
    </>
  );
}

/** The score alone, for where its parts are beside it. */
export function Pill({ score }: { score: number }) {
  return <span class={`pill band-${bandOf(score)}`}>{score}</span>;
}

/** What the colours mean. */
export function Legend() {
  return (
    <ul class="legend" aria-label="Colours by score">
      {BANDS.map(({ band, least, label }) => (
        <li key={band}>
          <span class={`swatch band-${band}`} aria-hidden="true" />
          {label} {least === 0 ? `under ${BANDS[1]?.least}` : `${least}+`}
        </li>
      ))}
    </ul>
  );
}

/** What a score is made of, each part from 0 to 100. */
export function wordsOfParts(parts: RoadParts): string {
  return partsOf(parts).map(({ label, value }) => `${label.toLowerCase()} ${value}`).join(", ");
}

interface Part {
  label: string;
  value: number;
  what: string;
}

function partsOf({ twist, corners, flow, variety, relief }: RoadParts): Part[] {
  const parts: Part[] = [
    { label: "Twist", value: twist, what: "How much of it bends, and how sharply" },
    { label: "Corners", value: corners, what: "Corners that flow" },
    { label: "Flow", value: flow, what: "How much of it flows: nobody had to crawl" },
    { label: "Variety", value: variety, what: "How different its bends are" },
  ];
  return relief === undefined ? parts : [...parts, { label: "Relief", value: relief, what: "How much it climbs or falls" }];
}

/** A part of nothing is still seen. */
function barOf(value: number): number {
  return Math.max(1.5, (value / 100) * 16);
}

function lengthOf(metres: number, units: Units): string {
  const { value, unit } = distance(metres, units);
  return `${value} ${unit}`;
}
