// The user's drives, newest first, with the sync state of each.

import type { DriveView, RecordingView, RoadView } from "@tourismo/client";

import { carName } from "../car-name.ts";
import { Badge } from "../components/badge.tsx";
import { RowStats } from "../components/drive-stats.tsx";
import { Progress } from "../components/progress.tsx";
import { RecoveryReminder } from "../components/recovery-reminder.tsx";
import { ScoreLine } from "../components/score.tsx";
import { cars, drives, recording, status, units } from "../engine.ts";
import { clock, day, distance, titleOf } from "../format.ts";
import { describeRecording, describeSync } from "../messages.ts";
import { href } from "../route.ts";
import { bandOf } from "../score-bands.ts";

export function DrivesScreen() {
  const all = drives.value;
  if (all === undefined) return <p class="opening">Opening…</p>;
  const recorded = recording.value;
  const shown = all.filter(({ id }) => id !== recorded?.drive);
  return (
    <section class="page">
      <header class="page-head">
        <h1>Drives</h1>
        {shown.length > 0 ? <Sums drives={shown} /> : null}
        <a class="button small" href={href({ screen: "import" })}>
          Import
        </a>
      </header>
      {shown.length > 0 && status.value ? <Progress status={status.value} drives={shown} /> : null}
      <RecoveryReminder hasDrives={shown.some(({ endedAt }) => endedAt !== null)} />
      {recorded ? <Recorded view={recorded} /> : null}
      {shown.length === 0 && !recorded ? <Empty /> : null}
      <ul class="list cards">
        {shown.map((drive) => (
          <DriveRow key={drive.id} drive={drive} />
        ))}
      </ul>
    </section>
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
  const { value, unit } = distance(
    drives.reduce((sum, { stats }) => sum + (stats?.distanceM ?? 0), 0),
    units(),
  );
  return (
    <p class="hint">
      {drives.length === 1 ? "1 drive" : `${drives.length} drives`}, {value} {unit}
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
