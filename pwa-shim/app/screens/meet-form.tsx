// A new meet, or changes to one that is there.

import { useSignal } from "@preact/signals";
import type { DocId, MeetFields, Visibility } from "@tourismo/client";

import { give, me, meets, relay } from "../engine.ts";
import { fromInput, toInput } from "../format.ts";
import { meetNow } from "../merge.ts";
import { BackIcon } from "../parts/icons.tsx";
import { PlaceMap } from "../parts/place-map.tsx";
import { showNotice } from "../parts/notice.tsx";
import { exactlyWhereIAm } from "../place.ts";
import { go, href } from "../route.ts";
import { useTold } from "../told.ts";
import { wordsOfVisibility } from "../words.ts";

const VISIBILITIES: Visibility[] = ["public", "followers", "link", "private"];

/** Tomorrow at ten, by this device's clock. */
function fresh(): MeetFields {
  const start = new Date();
  start.setDate(start.getDate() + 1);
  start.setHours(10, 0, 0, 0);
  return {
    title: "",
    text: "",
    place: "",
    position: null,
    startsAt: start.getTime(),
    endsAt: null,
    timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    capacity: null,
    visibility: "public",
    cancelled: false,
  };
}

export function NewMeetScreen() {
  async function save(fields: MeetFields): Promise<DocId | undefined> {
    return give((tourismo) => tourismo.putMeet(fields));
  }
  return <MeetForm title="A new meet" fields={fresh()} back={href({ screen: "meets" })} save={save} />;
}

export function EditMeetScreen({ id }: { id: string }) {
  const { told, failed } = useTold(`meet ${id}`, () => relay.meet(id));
  const view = meets.value.find((view) => view.id === id);
  const own = view?.own ?? false;
  const seen = meetNow(told, view, me());
  if (!seen) return <p class="opening">{failed ?? "Asking the relay…"}</p>;
  const before = fieldsOf(seen);
  async function save(fields: MeetFields): Promise<DocId | undefined> {
    return give(async (tourismo) => {
      const seenAt = told?.changedAt ?? null;
      if (own) await tourismo.putMeet(fields, id, seenAt);
      else await tourismo.amendMeet(id, before, fields, seenAt);
      return id;
    });
  }
  return <MeetForm title="Change the meet" fields={before} back={href({ screen: "meet", id })} save={save} />;
}

/** The fields alone, in an object of their own. */
function fieldsOf(meet: MeetFields): MeetFields {
  const { title, text, place, position, startsAt, endsAt, timeZone, capacity, visibility, cancelled } = meet;
  return { title, text, place, position, startsAt, endsAt, timeZone, capacity, visibility, cancelled };
}

function MeetForm(props: {
  title: string;
  fields: MeetFields;
  back: string;
  save: (fields: MeetFields) => Promise<DocId | undefined>;
}) {
  const fields = useSignal(props.fields);
  const set = (change: Partial<MeetFields>): void => void (fields.value = { ...fields.value, ...change });
  const { title, text, place, position, startsAt, endsAt, capacity, visibility, cancelled } = fields.value;

  async function submit(event: Event): Promise<void> {
    event.preventDefault();
    const id = await props.save({ ...fields.value, title: title.trim(), place: place.trim() });
    if (id !== undefined) go({ screen: "meet", id });
  }

  async function here(): Promise<void> {
    const found = await exactlyWhereIAm();
    if (Array.isArray(found)) set({ position: found });
    else showNotice(found.failed);
  }

  function begin(value: string): void {
    const next = fromInput(value);
    if (next === null) return;
    set({ startsAt: next, endsAt: endsAt === null ? null : endsAt + next - startsAt });
  }

  return (
    <section class="page">
      <a class="back" href={props.back}>
        <BackIcon /> Back
      </a>
      <header class="page-head">
        <h1>{props.title}</h1>
      </header>
      <form class="card form" onSubmit={(event) => void submit(event)}>
        <label class="field">
          <span>What</span>
          <input type="text" required maxLength={200} value={title} placeholder="Sunday at the pass" onInput={(event) => set({ title: event.currentTarget.value })} />
        </label>
        <div class="pair times">
          <label class="field">
            <span>From</span>
            <input type="datetime-local" required value={toInput(startsAt)} onChange={(event) => begin(event.currentTarget.value)} />
          </label>
          <label class="field">
            <span>Until, if you know</span>
            <input type="datetime-local" min={toInput(startsAt)} value={endsAt === null ? "" : toInput(endsAt)} onChange={(event) => set({ endsAt: fromInput(event.currentTarget.value) })} />
          </label>
        </div>
        <label class="field">
          <span>Where</span>
          <input type="text" maxLength={200} value={place} placeholder="The car park below the summit" onInput={(event) => set({ place: event.currentTarget.value })} />
        </label>
        <div class="field">
          <span>On the map: tap the place</span>
          <PlaceMap position={position} onPick={(at) => set({ position: at })} />
          <div class="controls">
            <button type="button" class="button" onClick={() => void here()}>
              Where I am
            </button>
            {position ? (
              <button type="button" class="button" onClick={() => set({ position: null })}>
                No place
              </button>
            ) : null}
          </div>
        </div>
        <label class="field">
          <span>What to know</span>
          <textarea rows={4} maxLength={10_000} value={text} onInput={(event) => set({ text: event.currentTarget.value })} />
        </label>
        <div class="pair">
          <label class="field">
            <span>Room for (empty: everybody)</span>
            <input type="number" inputMode="numeric" min={1} max={1_000_000} value={capacity ?? ""} onInput={(event) => set({ capacity: event.currentTarget.value === "" ? null : Number(event.currentTarget.value) })} />
          </label>
          <label class="field">
            <span>Who sees it</span>
            <select value={visibility} onChange={(event) => set({ visibility: event.currentTarget.value as Visibility })}>
              {VISIBILITIES.map((one) => (
                <option key={one} value={one}>
                  {wordsOfVisibility(one)}
                </option>
              ))}
            </select>
          </label>
        </div>
        {cancelled ? (
          <label class="choice">
            <input type="checkbox" checked={!cancelled} onChange={() => set({ cancelled: false })} />
            <span>It takes place after all</span>
          </label>
        ) : null}
        <button type="submit" class="button primary">
          Save
        </button>
      </form>
    </section>
  );
}
