// The private places of the account, and the zones around them that are left out of everything others see.

import { useSignal } from "@preact/signals";
import type { PlaceKind, PlaceView, ZoneSize } from "@tourismo/client";

import { AttackProfile } from "../components/attack-profile.tsx";
import { BackIcon } from "../components/icons.tsx";
import { PlaceMap } from "../components/place-map.tsx";
import { account, succeeds } from "../engine.ts";
import type { LonLat } from "../geometry.ts";
import { nameOfPlace } from "../messages.ts";
import { href } from "../route.ts";

const KINDS: PlaceKind[] = ["stop", "home", "work", "friend", "open"];

const SIZES: { size: ZoneSize; title: string }[] = [
  { size: "standard", title: "Hide 800 m, in long drives up to 2 km" },
  { size: "large", title: "Hide 1,100 m, in long drives up to 2.3 km" },
  { size: "none", title: "Hide nothing" },
];

export function PlacesScreen() {
  if (!account.value) return <p class="opening">Opening…</p>;
  const { places } = account.value;
  const isPrivate = ({ kind }: PlaceView) => kind !== "open";
  return (
    <section class="page">
      <a class="back" href={href({ screen: "settings" })}>
        <BackIcon /> You
      </a>
      <header class="page-head">
        <h1>Private places</h1>
      </header>
      <p class="hint">
        Others never see the part of a drive that is near one of these places, in any of your drives. The app adds a place
        wherever a drive begins, ends or stops for three minutes. Only your own devices have this list. The centre of each hidden
        circle is off the place in a direction that only they know.
      </p>
      <div class="columns even">
        <div class="column">
          <AddPlace />
          <AttackProfile />
        </div>
        <div class="column" data-testid="places">
          {places.length === 0 ? <p class="hint">No places yet.</p> : null}
          {places.filter(isPrivate).map((place) => (
            <Place key={place.id} place={place} />
          ))}
          {places
            .filter((place) => !isPrivate(place))
            .map((place) => (
              <Place key={place.id} place={place} />
            ))}
        </div>
      </div>
    </section>
  );
}

/** A form for a new place. A tap on the map chooses the position. */
function AddPlace() {
  const position = useSignal<LonLat | null>(null);
  const kind = useSignal<PlaceKind>("home");
  const size = useSignal<ZoneSize>("standard");
  const isBusy = useSignal(false);

  async function add(): Promise<void> {
    if (position.value === null) return;
    const at = position.value;
    isBusy.value = true;
    if (await succeeds((tourismo) => tourismo.addPlace(at, kind.value, size.value))) position.value = null;
    isBusy.value = false;
  }

  return (
    <div class="card form" data-testid="add-place">
      <h2>Add a place</h2>
      <PlaceMap position={position.value} onPick={(at) => (position.value = at)} />
      <p class="hint">Tap the map. What you have published near it is withdrawn at once and published again without it.</p>
      <KindAndSize
        kind={kind.value}
        size={size.value}
        onChange={(nextKind, nextSize) => {
          kind.value = nextKind;
          size.value = nextSize;
        }}
      />
      <button
        type="button"
        class="button primary wide"
        disabled={position.value === null || isBusy.value}
        onClick={() => void add()}
      >
        Add the place
      </button>
    </div>
  );
}

/** A place, with the circle that is hidden. The map opens on request: a list can have hundreds of places. */
function Place({ place }: { place: PlaceView }) {
  const isOpen = useSignal(false);
  return (
    <div class="card form" data-testid="place" data-kind={place.kind}>
      <h2>{nameOfPlace(place.kind)}</h2>
      <p class="hint">
        {place.isFound ? "Found at a stop of a drive" : "Set by you"} at {place.position[1].toFixed(3)}°,{" "}
        {place.position[0].toFixed(3)}°
      </p>
      <details onToggle={(event) => (isOpen.value = event.currentTarget.open)}>
        <summary>Show on the map</summary>
        {isOpen.value ? <PlaceMap position={place.position} {...(place.zone ? { zone: place.zone } : {})} /> : null}
      </details>
      <KindAndSize
        kind={place.kind}
        size={place.size}
        onChange={(kind, size) => void succeeds((tourismo) => tourismo.changePlace(place.id, kind, size))}
      />
      {place.kind === "open" ? <p class="hint">Others can see drives here, also their starts and ends.</p> : null}
    </div>
  );
}

/** The choice of a kind and a size. Only an open place hides nothing, and it does unless the user chooses otherwise. */
function KindAndSize(props: { kind: PlaceKind; size: ZoneSize; onChange: (kind: PlaceKind, size: ZoneSize) => void }) {
  const { kind, size, onChange } = props;
  return (
    <>
      <label class="field">
        <span>What it is</span>
        <select
          value={kind}
          onChange={(event) => {
            const next = event.currentTarget.value as PlaceKind;
            onChange(next, next === "open" ? "none" : size === "none" ? "standard" : size);
          }}
        >
          {KINDS.map((kind) => (
            <option key={kind} value={kind}>
              {nameOfPlace(kind)}
            </option>
          ))}
        </select>
      </label>
      <label class="field">
        <span>What is hidden</span>
        <select value={size} onChange={(event) => onChange(kind, event.currentTarget.value as ZoneSize)}>
          {SIZES.filter(({ size }) => size !== "none" || kind === "open").map(({ size, title }) => (
            <option key={size} value={size}>
              {title}
            </option>
          ))}
        </select>
      </label>
    </>
  );
}
