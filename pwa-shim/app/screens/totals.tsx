// Totals of the user's drives by month, year and car: of all, or of those that the filter of the list finds.

import { useSignal } from "@preact/signals";
import type { CarTotals, DriveTotals, FoundDrives } from "@tourismo/client";

import { carName } from "../car-name.ts";
import { type Bar, BarChart } from "../components/bar-chart.tsx";
import { StatBox } from "../components/drive-stats.tsx";
import { BackIcon } from "../components/icons.tsx";
import { Segments } from "../components/segments.tsx";
import { clearFilter, type DriveFilter, daysOf, driveFilter, isFiltered, setFilter } from "../drive-filter.ts";
import { cars, units } from "../engine.ts";
import { count, height, longDistance, roughDuration } from "../format.ts";
import { useFoundDrives } from "../found-drives.ts";
import { lastPeriods } from "../periods.ts";
import { go, href } from "../route.ts";

type Grouping = "months" | "years" | "cars";

/** The number of bars that fit on a phone. */
const BARS = { months: 12, years: 10 };

export function TotalsScreen() {
  const found = useFoundDrives(true);
  const grouping = useSignal<Grouping>("months");
  return (
    <section class="page totals-page">
      <a class="back" href={href({ screen: "drives" })}>
        <BackIcon /> Drives
      </a>
      <header class="page-head">
        <h1>Totals</h1>
        {isFiltered(driveFilter.value) ? (
          <button type="button" class="button small" onClick={clearFilter}>
            Show all
          </button>
        ) : null}
      </header>
      {isFiltered(driveFilter.value) ? <p class="hint">Only drives that match the filter of the list.</p> : null}
      {found === undefined ? <p class="opening">Adding up…</p> : null}
      {found && found.total.drives === 0 ? <p class="empty">No drives.</p> : null}
      {found && found.total.drives > 0 ? (
        <>
          <Sums totals={found.total} />
          <Segments
            label="Group by"
            segments={[
              { value: "months", label: "Months" },
              { value: "years", label: "Years" },
              { value: "cars", label: "Cars" },
            ]}
            chosen={grouping.value}
            onChoose={(value) => (grouping.value = value)}
          />
          <Groups found={found} by={grouping.value} />
        </>
      ) : null}
    </section>
  );
}

function Sums({ totals }: { totals: DriveTotals }) {
  return (
    <div class="figures" data-testid="totals">
      <StatBox quantity={longDistance(totals.distanceM, units())} label="Distance" />
      <StatBox quantity={{ value: count(totals.drives), unit: "" }} label={totals.drives === 1 ? "Drive" : "Drives"} />
      <StatBox quantity={{ value: roughDuration(totals.durationMs), unit: "" }} label="Duration" />
      <StatBox quantity={height(totals.ascentM, units())} label="Ascent" />
    </div>
  );
}

interface Group {
  key: string;
  name: string;
  label: string;
  totals: DriveTotals;
  /** The filter that finds its drives. */
  filter: Partial<DriveFilter>;
}

function Groups({ found, by }: { found: FoundDrives; by: Grouping }) {
  const groups = by === "cars" ? found.cars.map(groupOfCar) : found[by].map(({ period, totals }) => groupOf(period, totals));
  const greatest = Math.max(...groups.map(({ totals }) => totals.distanceM), 1);
  return (
    <>
      {by === "cars" ? null : <PeriodChart found={found} by={by} />}
      <ul class="list group-list">
        {groups.map(({ key, name, totals, filter }) => (
          <li key={key}>
            <button type="button" class="row" data-testid="group" onClick={() => show(filter)}>
              <div class="row-main">
                <h2>{name}</h2>
                <p class="row-line">
                  {totals.drives === 1 ? "1 drive" : `${count(totals.drives)} drives`} · {roughDuration(totals.durationMs)}
                </p>
                <span class="share" aria-hidden="true">
                  <span style={{ width: `${(100 * totals.distanceM) / greatest}%` }} />
                </span>
              </div>
              <Distance totals={totals} />
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}

function Distance({ totals }: { totals: DriveTotals }) {
  const { value, unit } = longDistance(totals.distanceM, units());
  return (
    <div class="row-figure">
      <span class="figure-value">
        {value}
        <span class="figure-unit">{unit}</span>
      </span>
    </div>
  );
}

/** The latest periods, also those without drives. */
function PeriodChart({ found, by }: { found: FoundDrives; by: "months" | "years" }) {
  const known = new Map(found[by].map(({ period, totals }) => [period, totals]));
  const bars = lastPeriods([...known.keys()], BARS[by]).map((period): Bar => {
    const totals = known.get(period);
    const { name, label, filter } = groupOf(period, totals ?? NONE);
    const { value, unit } = longDistance(totals?.distanceM ?? 0, units());
    const bar = { title: `${name}: ${value} ${unit}`, label, value: totals?.distanceM ?? 0 };
    return totals ? { ...bar, onChoose: () => show(filter) } : bar;
  });
  const { value, unit } = longDistance(Math.max(...bars.map((bar) => bar.value)), units());
  return <BarChart label="Distance" top={`${value} ${unit}`} bars={bars} />;
}

const NONE: DriveTotals = { drives: 0, distanceM: 0, durationMs: 0, movingMs: 0, ascentM: 0 };

function groupOf(period: string, totals: DriveTotals): Group {
  const [year = "", month] = period.split("-");
  const shared = { key: period, totals, filter: daysOf(period) };
  if (month === undefined) return { ...shared, name: year, label: year };
  const start = new Date(`${period}-01T00:00Z`);
  const inUtc = (options: Intl.DateTimeFormatOptions) => start.toLocaleDateString(undefined, { ...options, timeZone: "UTC" });
  return { ...shared, name: inUtc({ month: "long", year: "numeric" }), label: inUtc({ month: "narrow" }) };
}

function groupOfCar({ car, totals }: CarTotals): Group {
  const known = cars.value.find(({ id }) => id === car);
  const name = known ? carName(known.fields) : "No car";
  return { key: car ?? "", name, label: name, totals, filter: car === null ? {} : { car } };
}

/** Shows the drives of a group in the list. */
function show(filter: Partial<DriveFilter>): void {
  setFilter(filter);
  go({ screen: "drives" });
}
