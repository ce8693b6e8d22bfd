// The person's cars.

import { useSignal } from "@preact/signals";
import type { CarFields, CarView, DocId } from "@tourismo/client";

import { nameOf } from "../car-name.ts";
import { cars, give, units } from "../engine.ts";
import { distance } from "../format.ts";
import { CarIcon, PlusIcon } from "../parts/icons.tsx";

const NO_FIELDS: CarFields = { make: "", model: "", year: null, nickname: "", colour: "", isPublic: false };

/** Which car is being edited; `new` is one that is not there yet. */
type Edited = DocId | "new" | undefined;

export function GarageScreen() {
  const edited = useSignal<Edited>(undefined);
  const close = (): void => void (edited.value = undefined);
  return (
    <section class="page">
      <header class="page-head">
        <h1>Garage</h1>
      </header>
      {cars.value.length === 0 && edited.value !== "new" ? (
        <p class="empty">An empty garage. Add the car you drive, and its drives add up.</p>
      ) : null}
      <ul class="list">
        {cars.value.map((car) => (
          <li key={car.id}>
            {edited.value === car.id ? (
              <CarForm car={car.id} fields={car.fields} onClose={close} />
            ) : (
              <CarRow car={car} onEdit={() => (edited.value = car.id)} />
            )}
          </li>
        ))}
      </ul>
      {edited.value === "new" ? (
        <CarForm car={null} fields={NO_FIELDS} onClose={close} />
      ) : (
        <button type="button" class="button primary wide" onClick={() => (edited.value = "new")}>
          <PlusIcon /> Add a car
        </button>
      )}
    </section>
  );
}

function CarRow({ car, onEdit }: { car: CarView; onEdit: () => void }) {
  const { value, unit } = distance(car.distanceM, units());
  const { make, model, year } = car.fields;
  return (
    <button type="button" class="row" onClick={onEdit}>
      <CarIcon />
      <div class="row-main">
        <h2>{nameOf(car.fields)}</h2>
        <p class="row-line">{[make, model, year].filter(Boolean).join(" ")}</p>
      </div>
      <div class="row-figure">
        <span class="figure-value">
          {value}
          <span class="figure-unit">{unit}</span>
        </span>
        <span class="figure-label">{car.drives === 1 ? "1 drive" : `${car.drives} drives`}</span>
      </div>
    </button>
  );
}

function CarForm(props: { car: DocId | null; fields: CarFields; onClose: () => void }) {
  const fields = useSignal(props.fields);
  const set = (change: Partial<CarFields>): void => void (fields.value = { ...fields.value, ...change });

  async function save(event: Event): Promise<void> {
    event.preventDefault();
    const car = await give((tourismo) => tourismo.putCar(fields.value, props.car));
    if (car !== undefined) props.onClose();
  }

  return (
    <form class="card form" onSubmit={(event) => void save(event)}>
      <label class="field">
        <span>Make</span>
        <input type="text" maxLength={100} value={fields.value.make} placeholder="Mazda" onInput={(event) => set({ make: event.currentTarget.value })} />
      </label>
      <label class="field">
        <span>Model</span>
        <input type="text" maxLength={100} value={fields.value.model} placeholder="MX-5" onInput={(event) => set({ model: event.currentTarget.value })} />
      </label>
      <label class="field">
        <span>Year</span>
        <input
          type="number"
          inputMode="numeric"
          min={1880}
          max={2200}
          value={fields.value.year ?? ""}
          onInput={(event) => set({ year: event.currentTarget.value === "" ? null : Number(event.currentTarget.value) })}
        />
      </label>
      <label class="field">
        <span>What you call it</span>
        <input type="text" maxLength={100} value={fields.value.nickname} onInput={(event) => set({ nickname: event.currentTarget.value })} />
      </label>
      <div class="controls">
        <button type="button" class="button" onClick={props.onClose}>
          Cancel
        </button>
        <button type="submit" class="button primary">
          Save
        </button>
      </div>
    </form>
  );
}
