// A car of the user: its totals, logbook and drives.

import { useSignal } from "@preact/signals";
import type { CarFields, CarView, LogEntry, LogItem } from "@tourismo/client";

import { carDetails, carName } from "../car-name.ts";
import { CarForm } from "../components/car-form.tsx";
import { StatBox } from "../components/drive-stats.tsx";
import { GrowingList } from "../components/growing-list.tsx";
import { BackIcon, PlusIcon } from "../components/icons.tsx";
import { freshEntry, LogForm } from "../components/log-form.tsx";
import { hasDraft } from "../drafts.ts";
import { cars, drives, engine, run, succeeds, units } from "../engine.ts";
import { day, distance, odometer } from "../format.ts";
import { describeLogKind } from "../messages.ts";
import { href } from "../route.ts";
import { DriveRow } from "./drives.tsx";

export function CarScreen({ id }: { id: string }) {
  const car = cars.value.find((one) => one.id === id);
  return (
    <section class="page drive-page">
      <a class="back" href={href({ screen: "garage" })}>
        <BackIcon /> Garage
      </a>
      {car ? (
        <Shown car={car} />
      ) : (
        <p class="empty">{engine.value.type === "open" ? "There is no such car on this phone." : "Opening…"}</p>
      )}
    </section>
  );
}

function Shown({ car }: { car: CarView }) {
  const isEditing = useSignal(hasDraft(`car ${car.id}`));
  const save = (fields: CarFields): Promise<boolean> => succeeds((tourismo) => tourismo.putCar(fields, car.id));
  if (isEditing.value) {
    return <CarForm draft={`car ${car.id}`} fields={car.fields} onSave={save} onClose={() => (isEditing.value = false)} />;
  }
  return (
    <>
      <header class="page-head">
        <div>
          <h1>{carName(car.fields)}</h1>
          <p class="row-line">
            {[carDetails(car.fields), car.fields.isPublic ? "On your profile" : "Only me"].filter(Boolean).join(" · ")}
          </p>
        </div>
        <button type="button" class="button small" onClick={() => (isEditing.value = true)}>
          Edit
        </button>
      </header>
      <div class="figures">
        <StatBox
          quantity={{ value: car.odometerM === null ? "–" : odometer(car.odometerM, units()), unit: "" }}
          label="Odometer"
        />
        <StatBox quantity={distance(car.distanceM, units())} label="Recorded" />
        <StatBox quantity={{ value: String(car.drives), unit: "" }} label={car.drives === 1 ? "Drive" : "Drives"} />
      </div>
      <div class="columns even">
        <Logbook car={car} />
        <History car={car} />
      </div>
    </>
  );
}

function Logbook({ car }: { car: CarView }) {
  const edited = useSignal<LogItem | "new" | undefined>(entryWithDraft(car));
  const close = (): void => void (edited.value = undefined);
  const save = (entry: LogEntry, item: LogItem | undefined): Promise<boolean> =>
    succeeds((tourismo) => tourismo.putLogEntry(car.id, entry, item?.id));
  async function remove({ id }: LogItem): Promise<void> {
    close();
    await run((tourismo) => tourismo.removeLogEntry(car.id, id));
  }
  return (
    <section class="column" aria-label="Logbook">
      <header class="page-head">
        <h2>Logbook</h2>
        <button type="button" class="button small" onClick={() => (edited.value = "new")}>
          <PlusIcon /> Add entry
        </button>
      </header>
      {edited.value === "new" ? <NewEntry car={car.id} onSave={(entry) => save(entry, undefined)} onClose={close} /> : null}
      {car.log.length === 0 && edited.value === undefined ? (
        <p class="hint">Record fuel, service and odometer readings. All your devices show them.</p>
      ) : null}
      <ul class="list">
        {car.log.map((item) => (
          <li key={item.id}>
            {edited.value !== "new" && edited.value?.id === item.id ? (
              <LogForm
                draft={entryDraft(item.id)}
                entry={item.entry}
                onSave={(entry) => save(entry, item)}
                onClose={close}
                onRemove={() => void remove(item)}
              />
            ) : (
              <LogRow entry={item.entry} onEdit={() => (edited.value = item)} />
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

/** The entry that has an unsaved draft. */
function entryWithDraft(car: CarView): LogItem | "new" | undefined {
  return hasDraft(newEntry(car.id)) ? "new" : car.log.find(({ id }) => hasDraft(entryDraft(id)));
}

const newEntry = (car: string): string => `new log entry ${car}`;
const entryDraft = (entry: string): string => `log entry ${entry}`;

function NewEntry(props: { car: string; onSave: (entry: LogEntry) => Promise<boolean>; onClose: () => void }) {
  const fresh = useSignal(freshEntry());
  return <LogForm draft={newEntry(props.car)} entry={fresh.value} onSave={props.onSave} onClose={props.onClose} />;
}

function LogRow({ entry, onEdit }: { entry: LogEntry; onEdit: () => void }) {
  const amounts = [
    entry.litres === null ? "" : `${entry.litres.toLocaleString()} l`,
    entry.cost === null ? "" : money(entry.cost),
    entry.odometerM === null ? "" : odometer(entry.odometerM, units()),
  ];
  return (
    <button type="button" class="row" onClick={onEdit} data-testid="log-entry">
      <div class="row-main">
        <h2>{describeLogKind(entry.kind)}</h2>
        <p class="row-line">{[day(entry.at), ...amounts].filter(Boolean).join(" · ")}</p>
        {entry.note ? <p class="text">{entry.note}</p> : null}
      </div>
    </button>
  );
}

function money({ minor, currency }: { minor: number; currency: string }): string {
  const format = new Intl.NumberFormat(undefined, { style: "currency", currency });
  return format.format(minor / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2));
}

/** The drives of the car on this phone. */
function History({ car }: { car: CarView }) {
  const driven = (drives.value ?? []).filter((drive) => drive.car === car.id);
  return (
    <section class="column" aria-label="Drives">
      <header class="page-head">
        <h2>Drives</h2>
      </header>
      {driven.length === 0 ? (
        <p class="hint">None yet. Choose this car before you record, or later on the page of a drive.</p>
      ) : null}
      <GrowingList name="car" content={car.id} class="list" items={driven}>
        {(drive) => <DriveRow key={drive.id} drive={drive} />}
      </GrowingList>
    </section>
  );
}
