// A drive of the user: map, charts, title, notes, car, and who can see it.

import { useSignal } from "@preact/signals";
import { type DriveView, TourismoError, type TrackView } from "@tourismo/client";
import { useEffect, useMemo, useRef } from "preact/hooks";

import { carName } from "../car-name.ts";
import { AutosavedText } from "../components/autosaved-text.tsx";
import { Badge, StatusMessage } from "../components/badge.tsx";
import { Charts } from "../components/charts.tsx";
import { DriveStatsGrid } from "../components/drive-stats.tsx";
import { ExportCard } from "../components/export-card.tsx";
import { HiddenNotice } from "../components/hidden-notice.tsx";
import { BackIcon } from "../components/icons.tsx";
import { DriveMap } from "../components/map.tsx";
import { RefusedFixes } from "../components/refused-fixes.tsx";
import { RoadCard } from "../components/road-card.tsx";
import { cars, drives, engine, recording, status, succeeds, track, units } from "../engine.ts";
import { clock, day, titleOf } from "../format.ts";
import { describeAudience, describeError, describeSync } from "../messages.ts";
import { go, href } from "../route.ts";
import { Conflicts } from "./conflicts.tsx";
import { Publish } from "./publish.tsx";

type ReadyView = Extract<TrackView, { type: "ready" }>;

export function DriveScreen({ id }: { id: string }) {
  useOpenedTrack(id);
  const chosen = useSignal<string | undefined>(undefined);
  const drive = drives.value?.find((one) => one.id === id);
  if (!drive) {
    return (
      <section class="page">
        <BackTo />
        <p class="empty">{drives.value === undefined ? "Opening…" : "There is no such drive on this phone."}</p>
      </section>
    );
  }
  const ready = track.value?.type === "ready" && track.value.drive === id ? track.value : undefined;
  return (
    <section class="page drive-page">
      <BackTo />
      <header class="page-head">
        <div>
          <h1>{titleOf(drive)}</h1>
          <p class="row-line">
            {day(drive.startedAt, drive.utcOffsetMin)}, {clock(drive.startedAt, drive.utcOffsetMin)}
            {drive.endedAt === null ? "" : ` – ${clock(drive.endedAt, drive.utcOffsetMin)}`}
          </p>
          <div class="drive-states">
            <div data-testid="sync">
              <StatusMessage message={describeSync(drive.sync)} />
            </div>
            <Badge message={describeAudience(drive.visibility)} />
            {drive.isImported ? <Badge message={{ tone: "plain", text: "Imported" }} /> : null}
          </div>
        </div>
      </header>
      <div class="columns">
        <div class="column">
          <Track view={track.value?.drive === id ? track.value : null} drive={drive} chosen={chosen.value} />
          {drive.stats ? <DriveStatsGrid stats={drive.stats} units={units()} /> : null}
          {ready ? (
            <>
              <RoadCard road={ready.road} units={units()} />
              <Charts profile={ready.profile} units={units()} />
              <RefusedFixes drive={drive} refused={ready.refused} chosen={chosen} />
            </>
          ) : null}
        </div>
        <div class="column">
          <HiddenNotice ids={[drive.id, drive.published]} />
          <Conflicts drive={drive} />
          <TakeOver drive={drive} />
          <Publish drive={drive} track={ready} />
          <Details drive={drive} />
          {drive.endedAt === null ? null : <ExportCard drive={drive} />}
          <button type="button" class="button quiet danger" onClick={() => void remove(drive)}>
            Delete this drive
          </button>
        </div>
      </div>
    </section>
  );
}

function BackTo() {
  return (
    <a class="back" href={href({ screen: "drives" })}>
      <BackIcon /> Drives
    </a>
  );
}

/** Keeps the track of the drive in memory while the screen is shown. */
function useOpenedTrack(id: string): void {
  // In place of the track the screen shows why it is missing.
  const open = (): void => {
    if (engine.value.type === "open") engine.value.tourismo.openDrive(id).catch(() => {});
  };
  const isMissing = track.value?.type === "unavailable" && track.value.code === "track_not_here";
  const isConnected = status.value?.link.type === "upToDate";
  useEffect(() => {
    if (isMissing && isConnected) open();
  }, [isMissing, isConnected]);
  useEffect(() => {
    // All tabs share one opened drive, and another tab may have opened another one.
    const onVisibility = (): void => {
      if (document.visibilityState === "visible" && track.peek()?.drive !== id) open();
    };
    open();
    document.addEventListener("visibilitychange", onVisibility);
    return () => {
      document.removeEventListener("visibilitychange", onVisibility);
      if (engine.value.type === "open") engine.value.tourismo.closeDrive().catch(() => {});
    };
  }, [id]);
}

function Track({ view, drive, chosen }: { view: TrackView | null; drive: DriveView; chosen: string | undefined }) {
  const isFinished = drive.endedAt !== null;
  if (view === null || view.type === "loading") return <div class="map waiting">Loading the track…</div>;
  if (view.type === "unavailable") return <div class="map waiting">{describeError(new TourismoError(view.code))}</div>;
  const isEmpty = view.line.parts.every((part) => part.length === 0);
  if (isEmpty && view.refused.length === 0) {
    return <div class="map waiting">{isFinished ? "No position was measured." : "No position yet."}</div>;
  }
  return (
    <>
      <ReadyTrack view={view} isFinished={isFinished} chosen={chosen} />
      {isEmpty ? (
        <p class="hint bad">Every position was refused. You can use them: see below.</p>
      ) : isFinished ? (
        <HiddenNote isShown={drive.visibility !== "private"} isAny={view.hidden.parts.length > 0} />
      ) : null}
    </>
  );
}

function ReadyTrack({ view, isFinished, chosen }: { view: ReadyView; isFinished: boolean; chosen: string | undefined }) {
  const box = useRef<HTMLDivElement>(null);
  const drawn = useMemo(() => {
    const stretches = view.stretches.map((line, i) => ({ line, score: view.road.stretches[i]?.score.score ?? 0 }));
    const refused = view.refused.map(({ id, place, isTakenBack }) => ({ place, isTakenBack, isChosen: id === chosen }));
    return { line: view.line, stretches, refused, ...(isFinished ? { hidden: view.hidden } : {}) };
  }, [view, isFinished, chosen]);
  useEffect(() => {
    if (chosen !== undefined) box.current?.scrollIntoView({ behavior: "smooth", block: "nearest" });
  }, [chosen]);
  return (
    <div ref={box}>
      <DriveMap drawn={drawn} />
    </div>
  );
}

/** Explains the dashed line on the map. */
function HiddenNote({ isShown, isAny }: { isShown: boolean; isAny: boolean }) {
  if (!isAny) {
    return (
      <p class="hint" data-testid="hidden">
        {isShown ? "Others see all of it, from its start to its end." : "Nothing of it is hidden if you publish this drive."}
      </p>
    );
  }
  return (
    <p class="hint dashes" data-testid="hidden">
      {isShown ? "Others do not see the dashed part." : "The dashed part stays hidden if you publish this drive."}
    </p>
  );
}

function Details({ drive }: { drive: DriveView }) {
  function edit(change: { title?: string; notes?: string; car?: string | null }): Promise<boolean> {
    return succeeds((tourismo) => tourismo.editDrive(drive.id, change));
  }
  return (
    <div class="card form">
      <AutosavedText
        draft={`drive ${drive.id} title`}
        label="Title"
        name="title"
        maxLength={200}
        placeholder={titleOf({ ...drive, title: "" })}
        value={drive.title}
        onSave={(title) => edit({ title })}
      />
      <AutosavedText
        draft={`drive ${drive.id} notes`}
        label="Private notes"
        name="notes"
        rows={3}
        maxLength={10_000}
        value={drive.notes}
        onSave={(notes) => edit({ notes })}
      />
      {cars.value.length > 0 ? (
        <label class="field">
          <span>Car</span>
          <select value={drive.car ?? ""} onChange={(event) => void edit({ car: event.currentTarget.value || null })}>
            <option value="">No car</option>
            {cars.value.map(({ id, fields }) => (
              <option key={id} value={id}>
                {carName(fields)}
              </option>
            ))}
          </select>
        </label>
      ) : null}
    </div>
  );
}

/** Offers to continue a drive that another device has not finished. */
function TakeOver({ drive }: { drive: DriveView }) {
  if (drive.endedAt !== null || recording.value !== null) return null;
  async function takeOver(): Promise<void> {
    const done = await succeeds((tourismo) => tourismo.takeOverDrive(drive.id));
    if (done) go({ screen: "record" });
  }
  return (
    <div class="card form" data-testid="take-over">
      <h2>Not finished yet</h2>
      <p class="hint">
        Another of your devices started this drive. If it no longer records, take the drive over to resume or finish it here.
      </p>
      <button type="button" class="button wide" onClick={() => void takeOver()}>
        Take it over
      </button>
    </div>
  );
}

async function remove(drive: DriveView): Promise<void> {
  if (!confirm("Delete this drive from all your devices and withdraw its published copy?")) return;
  const done = await succeeds((tourismo) => tourismo.deleteDrive(drive.id));
  if (done) go({ screen: "drives" });
}
