// The screen for recording: the start button, and the live drive.

import { useSignal } from "@preact/signals";
import type { CarView, DocId, DriveView, RecordingView } from "@tourismo/client";

import { carName } from "../car-name.ts";
import { Badge, StatusMessage } from "../components/badge.tsx";
import { HoldButton } from "../components/hold-button.tsx";
import { FlagIcon, PlayIcon } from "../components/icons.tsx";
import { Invitation } from "../components/invitation.tsx";
import { LocationDenied, usePermission } from "../components/location-permission.tsx";
import { showNotice } from "../components/notice.tsx";
import { cars, drives, recording, run, status, succeeds, units, wasDenied } from "../engine.ts";
import { clock, day, distance, duration, inGaps } from "../format.ts";
import { describeProgress, describeStorage } from "../messages.ts";
import { go, href } from "../route.ts";
import { LiveDrive } from "./live-drive.tsx";

/** `invitation` is the code of a link. */
export function RecordScreen({ invitation }: { invitation?: string }) {
  const view = recording.value;
  if (view === null) return <Start invitation={invitation} />;
  switch (view.state) {
    case "recovering":
      return <p class="opening">Restoring the recording…</p>;
    case "unfinished":
      return <Unfinished view={view} />;
    case "active":
    case "paused":
      return <LiveDrive view={view} />;
    default:
      return view.state satisfies never;
  }
}

/** Finishes the drive and shows it. A drive without positions is discarded. */
export async function finish({ drive, stats }: RecordingView): Promise<void> {
  if (stats.fixes + stats.refused === 0) {
    const done = await succeeds((tourismo) => tourismo.discardDrive());
    if (done) showNotice("No position was recorded. The drive was discarded.");
    return;
  }
  const done = await succeeds((tourismo) => tourismo.finishDrive());
  if (done) go({ screen: "drive", id: drive });
}

function Start({ invitation }: { invitation: string | undefined }) {
  /** `undefined`: the car of the last drive. */
  const chosen = useSignal<DocId | null | undefined>(undefined);
  const car = chosen.value === undefined ? lastDriven(drives.value ?? [], cars.value) : chosen.value;
  const storage = status.value?.storage;
  const permission = usePermission();
  const isDenied = permission === "denied" || (permission !== "granted" && wasDenied.value);

  async function start(): Promise<void> {
    await run(async (tourismo) => {
      // On a cold start the lists may not be loaded yet.
      const last = async (): Promise<DocId | null> => lastDriven(await tourismo.read("drives"), await tourismo.read("cars"));
      await tourismo.startDrive(chosen.value === undefined ? await last() : chosen.value);
    });
  }

  return (
    <section class="record start">
      <header class="record-head">
        <h1>Ready when you are</h1>
        {storage?.type === "failing" ? <StatusMessage message={describeStorage(storage)} /> : <SyncSummary />}
      </header>
      {isDenied ? (
        <LocationDenied onAllowed={() => (wasDenied.value = false)} />
      ) : (
        <button type="button" class="start-button" data-testid="start" onClick={() => void start()}>
          <span class="start-ring" />
          <span class="start-label">Start</span>
        </button>
      )}
      <Invitation code={invitation ?? ""} />
      <div class="record-foot">
        {cars.value.length > 0 ? (
          <label class="field inline">
            <span>Driving</span>
            <select value={car ?? ""} onChange={(event) => (chosen.value = event.currentTarget.value || null)}>
              {cars.value.map(({ id, fields }) => (
                <option key={id} value={id}>
                  {carName(fields)}
                </option>
              ))}
              <option value="">No car</option>
            </select>
          </label>
        ) : null}
        <p class="hint">Works without signal. Keep Tourismo open on screen while you drive.</p>
      </div>
    </section>
  );
}

/** The car of the last drive, else the newest car. */
function lastDriven(drives: readonly DriveView[], cars: readonly CarView[]): DocId | null {
  const last = drives.find((drive) => cars.some(({ id }) => id === drive.car))?.car;
  return last ?? cars[0]?.id ?? null;
}

/** The sync progress of earlier drives. */
function SyncSummary() {
  const all = drives.value ?? [];
  if (all.length === 0 || !status.value) return null;
  return (
    <a class="quiet" href={href({ screen: "drives" })}>
      <Badge message={describeProgress(status.value, all)} />
    </a>
  );
}

/** A drive that was left when the app was killed. */
function Unfinished({ view }: { view: RecordingView }) {
  const { value, unit } = distance(view.stats.distanceM, units());
  return (
    <section
      class="record unfinished"
      data-testid="unfinished"
      data-fixes={view.stats.fixes}
      data-recorded={view.stats.fixes + view.stats.refused}
    >
      <header class="record-head">
        <h1>Continue your drive?</h1>
        <p class="lead">
          Started {day(view.startedAt)}, {clock(view.startedAt)}
          {view.leftOffAt === null ? "" : `, recorded until ${clock(view.leftOffAt)}`}
        </p>
      </header>
      <div class="card">
        <p class="big-figure">
          {value} <span class="figure-unit">{unit}</span>
        </p>
        {inGaps(view.stats, units()) === undefined ? null : <p class="hint">{inGaps(view.stats, units())}</p>}
        <p class="hint">
          {duration(view.stats.durationMs)} recorded and saved on this phone. If you resume, the time since then is a gap.
        </p>
      </div>
      <div class="controls">
        <HoldButton class="button big" hint="Hold to finish" onHeld={() => void finish(view)}>
          <FlagIcon /> Finish
        </HoldButton>
        <button
          type="button"
          class="button big primary"
          data-testid="resume"
          onClick={() => void run((tourismo) => tourismo.resumeDrive())}
        >
          <PlayIcon /> Resume
        </button>
      </div>
    </section>
  );
}
