// Imports drives from files of other apps: a preview before anything is imported, progress, and what was refused and why.

import { useSignal } from "@preact/signals";
import type { DocKind, RefusedFile } from "@tourismo/client";
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";

import { carName } from "../car-name.ts";
import { BackIcon } from "../components/icons.tsx";
import { cars, engine, units } from "../engine.ts";
import { clock, day, distance, roughDuration } from "../format.ts";
import {
  type ArchivedCandidate,
  type Candidate,
  cancelImport,
  closeImport,
  importDrives,
  importState,
  nameOf,
  type Preview,
  previewFiles,
  resumeImport,
} from "../importing.ts";
import { describeFileError } from "../messages.ts";
import { href } from "../route.ts";

export function ImportScreen() {
  const state = importState.value;
  const isOpen = engine.value.type === "open";
  useEffect(() => void resumeImport(), [isOpen]);
  return (
    <section class="page import-page" data-testid="import">
      <a class="back" href={href({ screen: "drives" })}>
        <BackIcon /> Drives
      </a>
      <header class="page-head">
        <h1>Import drives</h1>
      </header>
      <Shown state={state} />
    </section>
  );
}

function Shown({ state }: { state: typeof importState.value }) {
  switch (state.type) {
    case "idle":
      return <Choose />;
    case "reading":
      return (
        <Busy
          text={state.drives === 0 ? "Reading files" : `Reading files: ${count(state.drives, "drive")} found`}
          share={state.share}
          detail="Nothing is imported yet."
        />
      );
    case "preview":
      return <Chosen preview={state.preview} />;
    case "importing":
      return (
        <Busy
          text={`${state.done} of ${state.of.toLocaleString()} imported`}
          share={state.of === 0 ? 1 : state.done / state.of}
          detail="You can use the app meanwhile. If it is closed, the import goes on when you open this page again."
        />
      );
    case "done":
      return <Report state={state} />;
    case "failed":
      return (
        <div class="card failed">
          <p>{state.why}</p>
          <button type="button" class="button" onClick={closeImport}>
            Choose files again
          </button>
        </div>
      );
    default:
      return state satisfies never;
  }
}

const ACCEPTED = ".gpx,.fit,.tcx,.kml,.kmz,.geojson,.json,.nmea,.csv,.vbo,.txt,.zip,.gz";

function Choose() {
  const isOver = useSignal(false);
  const take = (files: FileList | null | undefined): void => void previewFiles([...(files ?? [])]);
  return (
    <>
      <label
        class={`card drop ${isOver.value ? "over" : ""}`}
        data-testid="drop"
        onDragOver={(event) => {
          event.preventDefault();
          isOver.value = true;
        }}
        onDragLeave={() => (isOver.value = false)}
        onDrop={(event) => {
          event.preventDefault();
          isOver.value = false;
          take(event.dataTransfer?.files);
        }}
      >
        <span class="button primary">Choose files</span>
        <span class="hint">or drop them here. You see what is in them before anything is imported.</span>
        <input type="file" multiple accept={ACCEPTED} onChange={(event) => take(event.currentTarget.files)} />
      </label>
      <div class="card form">
        <h2>What can be read</h2>
        <p>
          GPX, FIT, TCX, KML and KMZ, GeoJSON, NMEA logs, RaceChrono CSV and VBOX files, also many at once, as <code>.gz</code>,
          or in a <code>.zip</code>.
        </p>
        <p class="hint">
          <strong>Strava</strong>: request the archive of your account under Settings, My account, Download or delete your
          account, and choose the <code>.zip</code> here. Names and kinds of activities are read from it.
        </p>
        <p class="hint">
          <strong>Tourismo</strong>: choose the archive of “Export everything” for all drives, cars, meets and settings of an
          account.
        </p>
        <p class="hint">
          <strong>Garmin Connect</strong> and others: export activities as FIT, TCX or GPX. No connection is needed here: files
          stay on this device, and drives sync like all others.
        </p>
      </div>
    </>
  );
}

function Busy({ text, share, detail }: { text: string; share: number; detail: string }) {
  return (
    <div class="card form" data-testid="import-progress">
      <p role="status">{text}</p>
      <progress max={1} value={share} aria-label={text} />
      <p class="hint">{detail}</p>
      <button type="button" class="button" onClick={cancelImport}>
        Cancel
      </button>
    </div>
  );
}

function Chosen({ preview: { files, drives, documents, refused, ignored } }: { preview: Preview }) {
  const isNew = ({ match }: Candidate): boolean => match.type === "new";
  const overlapping = drives.filter(({ match }) => match.type === "overlaps" || match.type === "repeated");
  const here = drives.filter(({ match }) => match.type === "here");
  const fresh = drives.filter(isNew);
  const kinds = [...new Set(fresh.map(({ kind }) => kind))].sort();
  const left = useSignal<ReadonlySet<number>>(new Set(overlapping.map(({ index }) => index)));
  const car = useSignal("");
  const newDocuments = documents.filter(({ isHere }) => !isHere).length;
  const takesArchive = useSignal(newDocuments > 0);
  const chosen = [...fresh, ...overlapping].filter(({ index }) => !left.value.has(index));
  const choose = (which: readonly Candidate[], isChosen: boolean): void => {
    const next = new Set(left.value);
    for (const { index } of which) isChosen ? next.delete(index) : next.add(index);
    left.value = next;
  };
  const list = (which: readonly Candidate[]) => (
    <CandidateList drives={which} left={left.value} onChoose={(drive, isChosen) => choose([drive], isChosen)} />
  );
  const { value, unit } = distance(
    chosen.reduce((sum, { distanceM }) => sum + distanceM, 0),
    units(),
  );
  return (
    <>
      <div class="card form" data-testid="import-preview">
        <p>
          <strong>{count(drives.length, "drive")}</strong> in {count(files.length, "file")}: {fresh.length} new, {here.length}{" "}
          here already, {overlapping.length} like others.{" "}
          {refused.length > 0 ? `${count(refused.length, "part")} cannot be read.` : ""}{" "}
          {ignored > 0 ? `${count(ignored, "other file")} ${ignored === 1 ? "is not a drive" : "are not drives"}.` : ""}
        </p>
        {documents.length > 0 ? (
          <label class="check" data-testid="archive">
            <input
              type="checkbox"
              checked={takesArchive.value}
              onChange={(event) => (takesArchive.value = event.currentTarget.checked)}
            />
            Archive of an account: {contentOf(documents)}; {documents.length - newDocuments} of{" "}
            {count(documents.length, "document")} here already
          </label>
        ) : null}
        {kinds.length > 1 ? (
          <fieldset class="field kinds">
            <legend>Kinds</legend>
            {kinds.map((kind) => {
              const of = fresh.filter((drive) => drive.kind === kind);
              return (
                <label key={kind} class="check">
                  <input
                    type="checkbox"
                    checked={of.some(({ index }) => !left.value.has(index))}
                    onChange={(event) => choose(of, event.currentTarget.checked)}
                  />
                  {kind || "Unknown kind"} ({of.length})
                </label>
              );
            })}
          </fieldset>
        ) : null}
        {cars.value.length > 0 ? (
          <label class="field">
            <span>Car</span>
            <select value={car.value} onChange={(event) => (car.value = event.currentTarget.value)}>
              <option value="">No car</option>
              {cars.value.map(({ id, fields }) => (
                <option key={id} value={id}>
                  {carName(fields)}
                </option>
              ))}
            </select>
          </label>
        ) : null}
        <button
          type="button"
          class="button primary wide"
          data-testid="keep"
          disabled={chosen.length === 0 && !takesArchive.value}
          onClick={() =>
            void importDrives(files, {
              sources: new Set(chosen.map(({ source }) => nameOf(source))),
              documents: takesArchive.value ? documents.length : 0,
              car: car.value || null,
            })
          }
        >
          {chosen.length > 0
            ? `Import ${count(chosen.length, "drive")}, ${value} ${unit}`
            : takesArchive.value
              ? "Import the archive"
              : "Nothing chosen"}
        </button>
        <button type="button" class="button quiet" onClick={closeImport}>
          Cancel
        </button>
      </div>
      <Group title="New" drives={fresh} isOpen>
        {list(fresh)}
      </Group>
      <Group title="Same time and place as another drive" drives={overlapping} isOpen>
        <p class="hint">They are not imported unless you choose them.</p>
        {list(overlapping)}
      </Group>
      <Group title="Here already" drives={here}>
        {list(here)}
      </Group>
      <RefusedFiles refused={refused} />
    </>
  );
}

/** The number of documents of each kind that a person knows. */
function contentOf(documents: readonly ArchivedCandidate[]): string {
  const of = (kind: DocKind): number => documents.filter((document) => document.kind === kind).length;
  return [count(of("drive"), "drive"), count(of("car"), "car"), count(of("meet"), "meet")].join(", ");
}

function Group(props: { title: string; drives: readonly Candidate[]; isOpen?: boolean; children: ComponentChildren }) {
  if (props.drives.length === 0) return null;
  return (
    <details class="card" open={props.isOpen ?? false}>
      <summary>
        {props.title} ({props.drives.length})
      </summary>
      {props.children}
    </details>
  );
}

/** Number of rows that are shown at first. */
const ROWS = 50;

function CandidateList(props: {
  drives: readonly Candidate[];
  left: ReadonlySet<number>;
  onChoose: (drive: Candidate, isChosen: boolean) => void;
}) {
  const shown = useSignal(ROWS);
  return (
    <>
      <ul class="list candidates">
        {props.drives.slice(0, shown.value).map((drive) => (
          <CandidateRow
            key={drive.index}
            drive={drive}
            isChosen={!props.left.has(drive.index)}
            onChoose={(isChosen) => props.onChoose(drive, isChosen)}
          />
        ))}
      </ul>
      {props.drives.length > shown.value ? (
        <button type="button" class="button small" onClick={() => (shown.value += 10 * ROWS)}>
          Show more
        </button>
      ) : null}
    </>
  );
}

function CandidateRow(props: { drive: Candidate; isChosen: boolean; onChoose: (isChosen: boolean) => void }) {
  const { drive } = props;
  const { value, unit } = distance(drive.distanceM, units());
  const facts = [
    `${day(drive.startedAt)}, ${clock(drive.startedAt)}`,
    `${value} ${unit}`,
    roughDuration(drive.endedAt - drive.startedAt),
    drive.kind,
  ];
  const text = (
    <span class="row-main">
      <strong>{drive.title || drive.file.split("/").at(-1)}</strong>
      <span class="row-line">{facts.filter(Boolean).join(" · ")}</span>
      {oddities(drive).map((odd) => (
        <span key={odd} class="row-line odd">
          {odd}
        </span>
      ))}
    </span>
  );
  return (
    <li data-testid="candidate">
      {drive.match.type === "here" ? (
        <div class="candidate">{text}</div>
      ) : (
        <label class="candidate">
          <input type="checkbox" checked={props.isChosen} onChange={(event) => props.onChoose(event.currentTarget.checked)} />
          {text}
        </label>
      )}
    </li>
  );
}

/** Unusual properties of a drive. */
function oddities(drive: Candidate): string[] {
  const odd: string[] = [];
  const [problem] = drive.problems;
  if (problem !== undefined) odd.push(`${count(drive.problemCount, "problem")}: ${problem}`);
  if (drive.isReordered) odd.push("Its positions are not in the order of time. They are sorted.");
  if (drive.endedAt - drive.startedAt > 86_400_000) odd.push("It is longer than a day.");
  if (drive.distanceM < 100) odd.push("It is shorter than 100 m.");
  return odd;
}

function Report({ state }: { state: Extract<typeof importState.value, { type: "done" }> }) {
  return (
    <>
      <div class="card form" data-testid="import-report">
        <p role="status">
          <strong>{count(state.imported, "drive")}</strong> {state.imported === 1 ? "is" : "are"} on this phone.
          {state.isCancelled ? " The import was cancelled. Imported drives stay." : ""}
        </p>
        <a class="button primary wide" href={href({ screen: "drives" })} onClick={closeImport}>
          Show drives
        </a>
        <button type="button" class="button" onClick={closeImport}>
          Import more
        </button>
      </div>
      {state.failed.length > 0 ? (
        <details class="card" open>
          <summary>Not imported ({state.failed.length})</summary>
          <ul class="list">
            {state.failed.map(({ file, why }) => (
              <li key={file}>
                <strong>{file}</strong> {why}
              </li>
            ))}
          </ul>
        </details>
      ) : null}
      <RefusedFiles refused={state.refused} />
    </>
  );
}

function RefusedFiles({ refused }: { refused: readonly RefusedFile[] }) {
  const shown = useSignal(ROWS);
  if (refused.length === 0) return null;
  return (
    <details class="card" data-testid="import-refused">
      <summary>Cannot be read ({refused.length})</summary>
      <ul class="list">
        {refused.slice(0, shown.value).map(({ file, error }, i) => (
          <li key={`${file} ${i}`}>
            <strong>{file}</strong> {describeFileError(error)}
          </li>
        ))}
      </ul>
      {refused.length > shown.value ? (
        <button type="button" class="button small" onClick={() => (shown.value += 10 * ROWS)}>
          Show more
        </button>
      ) : null}
    </details>
  );
}

function count(number: number, what: string): string {
  return number === 1 ? `1 ${what}` : `${number.toLocaleString()} ${what}s`;
}
