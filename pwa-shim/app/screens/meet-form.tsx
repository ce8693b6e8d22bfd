// The form of a meet: a new one, or changes to an existing one.

import { useSignal } from "@preact/signals";
import type { DocId, MeetFields, Visibility } from "@tourismo/client";
import { NumberField, TimeField } from "../components/fields.tsx";
import { BackIcon } from "../components/icons.tsx";
import { showNotice } from "../components/notice.tsx";
import { PlaceMap } from "../components/place-map.tsx";
import { currentPosition } from "../current-position.ts";
import { useDraft } from "../drafts.ts";
import { account, me, meets, relay, run } from "../engine.ts";
import { type LonLat, metresBetween } from "../geometry.ts";
import { describeVisibility } from "../messages.ts";
import { withOwnChanges } from "../optimistic.ts";
import { useRelayQuery } from "../relay-query.ts";
import { go, href } from "../route.ts";
import { fromInput, nameOfTimeZone, ownTimeZone, timeZones, toInput } from "../time-zone.ts";

/** Whether a position is in the zone of a private place of the user, so that a drive would hide it. */
function isNearPrivatePlace(position: LonLat): boolean {
  const places = account.value?.places ?? [];
  return places.some(({ zone }) => zone !== null && metresBetween(zone.center, position) <= zone.radiusM);
}

const VISIBILITIES: Visibility[] = ["public", "followers", "link", "private"];

/** The defaults of a new meet: tomorrow at ten. */
function defaultFields(): MeetFields {
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
    timeZone: ownTimeZone(),
    capacity: null,
    visibility: "public",
    cancelled: false,
  };
}

export function NewMeetScreen() {
  async function save(fields: MeetFields): Promise<DocId | undefined> {
    return run((tourismo) => tourismo.putMeet(fields));
  }
  const fields = useSignal(defaultFields());
  return <MeetForm draft="new meet" title="New meet" fields={fields.value} back={href({ screen: "meets" })} save={save} />;
}

export function EditMeetScreen({ id }: { id: string }) {
  const { data, failed } = useRelayQuery(`meet ${id}`, () => relay.meet(id));
  const view = meets.value.find((view) => view.id === id);
  const seen = withOwnChanges(data, view, me());
  if (!seen) return <p class="opening">{failed ?? "Loading…"}</p>;
  // Another device may have renewed the link meanwhile.
  const own = seen.account === me().account;
  const before = fieldsOf(seen);
  async function save(fields: MeetFields): Promise<DocId | undefined> {
    return run(async (tourismo) => {
      const seenAt = data?.changedAt ?? null;
      if (own) return tourismo.putMeet(fields, id, seenAt);
      await tourismo.amendMeet(id, before, fields, seenAt);
      return id;
    });
  }
  return <MeetForm draft={`meet ${id}`} title="Edit meet" fields={before} back={href({ screen: "meet", id })} save={save} />;
}

/** The fields of a meet without the rest. */
export function fieldsOf(meet: MeetFields): MeetFields {
  const { title, text, place, position, startsAt, endsAt, timeZone, capacity, visibility, cancelled } = meet;
  return { title, text, place, position, startsAt, endsAt, timeZone, capacity, visibility, cancelled };
}

function MeetForm(props: {
  /** The name of its draft. */
  draft: string;
  title: string;
  fields: MeetFields;
  back: string;
  save: (fields: MeetFields) => Promise<DocId | undefined>;
}) {
  const { value: fields, set, clear, isChanged } = useDraft(props.draft, props.fields);
  const { title, text, place, position, startsAt, endsAt, capacity, visibility, cancelled } = fields;
  // Times are local to the place of the meet. A meet that an earlier version of the app made has no zone.
  const timeZone = fields.timeZone || ownTimeZone();

  async function submit(event: Event): Promise<void> {
    event.preventDefault();
    const id = await props.save({ ...fields, timeZone, title: title.trim(), place: place.trim() });
    if (id === undefined) return;
    clear();
    go({ screen: "meet", id });
  }

  async function here(): Promise<void> {
    const found = await currentPosition();
    if (Array.isArray(found)) set({ position: found });
    else showNotice(found.failed);
  }

  function begin(next: number | null): void {
    if (next === null) return;
    set({ startsAt: next, endsAt: endsAt === null ? null : endsAt + next - startsAt });
  }

  /** Keeps the local times when the zone changes. */
  function move(next: string): void {
    const there = (at: number): number => fromInput(toInput(at, timeZone), next) ?? at;
    set({ timeZone: next, startsAt: there(startsAt), endsAt: endsAt === null ? null : there(endsAt) });
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
          <span>Title</span>
          <input
            type="text"
            required
            maxLength={200}
            value={title}
            placeholder="Sunday at the pass"
            onInput={(event) => set({ title: event.currentTarget.value })}
          />
        </label>
        <div class="pair times">
          <label class="field">
            <span>Starts</span>
            <TimeField required timeZone={timeZone} value={startsAt} onTime={begin} />
          </label>
          <label class="field">
            <span>Ends (optional)</span>
            <TimeField
              min={toInput(startsAt, timeZone)}
              timeZone={timeZone}
              value={endsAt}
              onTime={(endsAt) => set({ endsAt })}
            />
          </label>
        </div>
        <label class="field">
          <span>Time zone of the place</span>
          <select value={timeZone} onChange={(event) => move(event.currentTarget.value)}>
            {timeZones(timeZone).map((one) => (
              <option key={one} value={one}>
                {nameOfTimeZone(one)}
              </option>
            ))}
          </select>
        </label>
        <label class="field">
          <span>Where</span>
          <input
            type="text"
            maxLength={200}
            value={place}
            placeholder="The car park below the summit"
            onInput={(event) => set({ place: event.currentTarget.value })}
          />
        </label>
        <div class="field">
          <span>On the map: tap the place</span>
          <PlaceMap position={position} onPick={(at) => set({ position: at })} />
          <div class="controls">
            <button type="button" class="button" onClick={() => void here()}>
              Use my location
            </button>
            {position ? (
              <button type="button" class="button" onClick={() => set({ position: null })}>
                Remove pin
              </button>
            ) : null}
          </div>
          {position && visibility !== "private" && isNearPrivatePlace(position) ? (
            <p class="hint bad" data-testid="near-private">
              This pin is near one of your private places, and everyone who sees the meet sees the pin. Choose another meeting
              point, or remove the pin and tell those who come where it is.
            </p>
          ) : null}
        </div>
        <label class="field">
          <span>Details</span>
          <textarea rows={4} maxLength={10_000} value={text} onInput={(event) => set({ text: event.currentTarget.value })} />
        </label>
        <div class="pair">
          <label class="field">
            <span>Max. attendees (optional)</span>
            <NumberField whole min={1} max={1_000_000} value={capacity} onNumber={(capacity) => set({ capacity })} />
          </label>
          <label class="field">
            <span>Who can see this</span>
            <select value={visibility} onChange={(event) => set({ visibility: event.currentTarget.value as Visibility })}>
              {VISIBILITIES.map((one) => (
                <option key={one} value={one}>
                  {describeVisibility(one)}
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
        <div class="controls">
          {isChanged ? (
            <button type="button" class="button" onClick={clear}>
              Discard
            </button>
          ) : null}
          <button type="submit" class="button primary">
            Save
          </button>
        </div>
      </form>
    </section>
  );
}
