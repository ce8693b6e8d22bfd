// The user's drives, newest first, with the sync state of each.

import type { DriveView, RecordingView, RoadView } from "@tourismo/client";

import { carName } from "../car-name.ts";
import { Badge } from "../components/badge.tsx";
import { DriveSearch } from "../components/drive-search.tsx";
import { RowStats } from "../components/drive-stats.tsx";
import { GrowingList } from "../components/growing-list.tsx";
import { Progress } from "../components/progress.tsx";
import { RecoveryReminder } from "../components/recovery-reminder.tsx";
import { ScoreLine } from "../components/score.tsx";
import { clearFilter, driveFilter, isFiltered } from "../drive-filter.ts";
import { cars, drives, recording, status, units } from "../engine.ts";
import { clock, count, day, longDistance, titleOf } from "../format.ts";
import { useFoundDrives } from "../found-drives.ts";
import { describeRecording, describeSync } from "../messages.ts";
import { href } from "../route.ts";
import { bandOf } from "../score-bands.ts";

export function DrivesScreen() {
  const isSearching = isFiltered(driveFilter.value);
  const found = useFoundDrives(isSearching);
  if (drives.value === undefined) return <p class="opening">Opening…</p>;
  const recorded = recording.value;
  const all = drives.value.filter(({ id }) => id !== recorded?.drive);
  const shown = isSearching ? matching(all, found?.drives) : all;
  return (
    <section class="page">
      <header class="page-head">
        <h1>Drives</h1>
        <div class="head-buttons">
          {all.length > 0 ? (
            <a class="button small" href={href({ screen: "totals" })}>
              Totals
            </a>
          ) : null}
          <a class="button small" href={href({ screen: "import" })}>
            Import
          </a>
        </div>
      </header>
      {all.length > 0 && status.value ? <Progress status={status.value} drives={all} /> : null}
      <RecoveryReminder hasDrives={all.some(({ endedAt }) => endedAt !== null)} />
      {recorded ? <Recorded view={recorded} /> : null}
      {all.length > 0 || isSearching ? <DriveSearch /> : null}
      {all.length > 0 ? <Sums drives={shown} /> : null}
      {all.length === 0 && !recorded ? <Empty /> : null}
      {all.length > 0 && found?.drives.length === 0 ? <NothingFound /> : null}
      <GrowingList name="drives" content={JSON.stringify(driveFilter.value)} class="list cards" items={shown}>
        {(drive) => <DriveRow key={drive.id} drive={drive} />}
      </GrowingList>
    </section>
  );
}

/** The drives that were found; all before the first answer. */
function matching(all: readonly DriveView[], ids: readonly string[] | undefined): readonly DriveView[] {
  if (ids === undefined) return all;
  const found = new Set(ids);
  return all.filter(({ id }) => found.has(id));
}

function NothingFound() {
  return (
    <div class="empty">
      <p>No drives found.</p>
      <button type="button" class="button" onClick={clearFilter}>
        Show all
      </button>
    </div>
  );
}

/** The drive that is being recorded, above the others. */
function Recorded({ view }: { view: RecordingView }) {
  return (
    <a class="row recorded" href={href({ screen: "record" })} data-testid="recorded">
      <div class="row-main">
        <h2>{describeRecording(view)}</h2>
        <p class="row-line">Started {clock(view.startedAt)}</p>
      </div>
      <RowStats stats={view.stats} ms={view.stats.durationMs} units={units()} />
    </a>
  );
}

function Sums({ drives }: { drives: readonly DriveView[] }) {
  const { value, unit } = longDistance(
    drives.reduce((sum, { stats }) => sum + (stats?.distanceM ?? 0), 0),
    units(),
  );
  return (
    <p class="hint" data-testid="sums">
      {drives.length === 1 ? "1 drive" : `${count(drives.length)} drives`}, {value} {unit}
    </p>
  );
}

export function DriveRow({ drive }: { drive: DriveView }) {
  const car = cars.value.find(({ id }) => id === drive.car);
  return (
    <li>
      <a class="row" href={href({ screen: "drive", id: drive.id })} data-testid="drive">
        <div class="row-main">
          <h2>{titleOf(drive)}</h2>
          <p class="row-line">
            {day(drive.startedAt, drive.utcOffsetMin)}, {clock(drive.startedAt, drive.utcOffsetMin)}
            {car ? ` · ${carName(car.fields)}` : ""}
          </p>
          {drive.road ? <DriveRoad road={drive.road} /> : null}
          <p class="row-states">
            {drive.endedAt === null ? <Badge message={{ tone: "plain", text: "Not finished" }} /> : null}
            {drive.sync.type === "onRelay" ? null : <Badge message={describeSync(drive.sync)} />}
            {drive.visibility === "public" ? <Badge message={{ tone: "plain", text: "Public" }} /> : null}
            {drive.visibility === "link" ? <Badge message={{ tone: "plain", text: "By link" }} /> : null}
            {drive.visibility === "followers" ? <Badge message={{ tone: "plain", text: "Followers" }} /> : null}
          </p>
        </div>
        {drive.stats ? <RowStats stats={drive.stats} ms={drive.stats.durationMs} units={units()} /> : null}
      </a>
    </li>
  );
}

/** The road score of the whole drive, or of its best stretch if that is in a better band. */
function DriveRoad({ road: { score, stretches } }: { road: RoadView }) {
  const [best] = stretches;
  if (score && (!best || bandOf(score.score) >= bandOf(best.score.score))) {
    return <ScoreLine score={score} units={units()} what="Road" />;
  }
  return best ? <ScoreLine score={best.score} units={units()} what="Best stretch" /> : null;
}

function Empty() {
  return (
    <div class="empty">
      <p>No drives yet.</p>
      <p class="hint">Drives are saved on this phone and backed up when there is signal.</p>
      <a class="button primary" href={href({ screen: "record" })}>
        Record the first one
      </a>
      <a class="button quiet" href={href({ screen: "import" })}>
        Import drives from other apps
      </a>
    </div>
  );
}
