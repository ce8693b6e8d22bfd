// Road scores. A score is always shown with its parts and the length from which it was computed.

import type { RoadParts, RoadScore, Units } from "@tourismo/client";

import { distance } from "../format.ts";
import { BANDS, bandOf } from "../score-bands.ts";

/** For lists: the score, a bar for each part, the measured length. */
export function ScoreLine({ score, units, what }: { score: RoadScore; units: Units; what: string }) {
  const length = lengthOf(score.measuredM, units);
  return (
    <span
      class="score-line"
      role="img"
      aria-label={`${what}: ${score.score} of 100 on ${length}, ${describeScoreParts(score.parts)}`}
    >
      <Pill score={score.score} />
      <svg class={`part-bars band-${bandOf(score.score)}`} viewBox="0 0 34 16" aria-hidden="true">
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

/** The score, the length from which it was computed, and each part by its name. `of` says what that length is: "measured". */
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

/** The score alone; its parts must be shown beside it. */
export function Pill({ score }: { score: number }) {
  return <span class={`pill band-${bandOf(score)}`}>{score}</span>;
}

/** The legend of the colours. */
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

/** The parts of a score, each from 0 to 100. */
export function describeScoreParts(parts: RoadParts): string {
  return partsOf(parts)
    .map(({ label, value }) => `${label.toLowerCase()} ${value}`)
    .join(", ");
}

interface Part {
  label: string;
  value: number;
  what: string;
}

function partsOf({ twist, corners, flow, variety, relief }: RoadParts): Part[] {
  const parts: Part[] = [
    { label: "Twist", value: twist, what: "Amount and sharpness of bends" },
    { label: "Corners", value: corners, what: "Corners that flow" },
    { label: "Flow", value: flow, what: "Share without slow traffic" },
    { label: "Variety", value: variety, what: "Variety of bends" },
  ];
  return relief === undefined ? parts : [...parts, { label: "Relief", value: relief, what: "Ascent and descent" }];
}

/** A bar of 0 is still visible. */
function barOf(value: number): number {
  return Math.max(1.5, (value / 100) * 16);
}

function lengthOf(metres: number, units: Units): string {
  const { value, unit } = distance(metres, units);
  return `${value} ${unit}`;
}
