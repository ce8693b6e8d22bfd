// The screen that is in the phone's mount: start, and while a drive is recorded what must be seen at a glance.

import { useSignal } from "@preact/signals";
import type { DocId, RecordingView } from "@tourismo/client";

import { nameOf } from "../car-name.ts";
import { cars, drives, give, isDone, recording, status, units } from "../engine.ts";
import { clock, day, distance, duration } from "../format.ts";
import { Badge, State } from "../parts/badge.tsx";
import { HoldButton } from "../parts/hold-button.tsx";
import { FlagIcon, PlayIcon } from "../parts/icons.tsx";
import { go, href } from "../route.ts";
import { wordsOfProgress, wordsOfStorage } from "../words.ts";
import { LiveDrive } from "./live-drive.tsx";

export function RecordScreen() {
  const view = recording.value;
  if (view === null) return <Start />;
  switch (view.state) {
    case "recovering":
      return <p class="opening">Looking for what was recorded…</p>;
    case "unfinished":
      return <Unfinished view={view} />;
    case "active":
    case "paused":
      return <LiveDrive view={view} />;
    default:
      return view.state satisfies never;
  }
}

/** Ends the drive and shows it. */
export async function finish(drive: DocId): Promise<void> {
  const done = await isDone((tourismo) => tourismo.finishDrive());
  if (done) go({ screen: "drive", id: drive });
}

function Start() {
  // The one that was driven last, else the newest.
  const last = drives.value?.find((drive) => cars.value.some(({ id }) => id === drive.car))?.car;
  const car = useSignal<DocId | null>(last ?? cars.value[0]?.id ?? null);
  const storage = status.value?.storage;
  return (
    <section class="record start">
      <header class="record-head">
        <h1>Ready when you are</h1>
        {storage?.type === "failing" ? <State words={wordsOfStorage(storage)} /> : <Standing />}
      </header>
      <button
        type="button"
        class="start-button"
        data-testid="start"
        onClick={() => void give((tourismo) => tourismo.startDrive(car.value))}
      >
        <span class="start-ring" />
        <span class="start-label">Start</span>
      </button>
      <div class="record-foot">
        {cars.value.length > 0 ? (
          <label class="field inline">
            <span>Driving</span>
            <select value={car.value ?? ""} onChange={(event) => (car.value = event.currentTarget.value || null)}>
              {cars.value.map(({ id, fields }) => (
                <option key={id} value={id}>
                  {nameOf(fields)}
                </option>
              ))}
              <option value="">No car of mine</option>
            </select>
          </label>
        ) : null}
        <p class="hint">
          Works without signal. The screen stays on by itself; a browser measures only while this page is seen.
        </p>
      </div>
    </section>
  );
}

/** Whether what was driven before is safe, at the first glance. */
function Standing() {
  const all = drives.value ?? [];
  if (all.length === 0 || !status.value) return null;
  return (
    <a class="quiet" href={href({ screen: "drives" })}>
      <Badge words={wordsOfProgress(status.value, all)} />
    </a>
  );
}

/** What a killed app left behind. */
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
        <h1>A drive was left unfinished</h1>
        <p class="lead">
          {day(view.startedAt)}, {clock(view.startedAt)}
        </p>
      </header>
      <div class="card">
        <p class="big-figure">
          {value} <span class="figure-unit">{unit}</span>
        </p>
        <p class="hint">
          {duration(view.stats.durationMs)} and {view.stats.fixes} positions are safe on this phone. If you go on, what was
          driven meanwhile stays an honest gap.
        </p>
      </div>
      <div class="controls">
        <HoldButton class="button big" hint="Hold to finish" onHeld={() => void finish(view.drive)}>
          <FlagIcon /> Finish
        </HoldButton>
        <button
          type="button"
          class="button big primary"
          data-testid="resume"
          onClick={() => void give((tourismo) => tourismo.resumeDrive())}
        >
          <PlayIcon /> Go on
        </button>
      </div>
    </section>
  );
}
