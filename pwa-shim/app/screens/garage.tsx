// The user's cars, newest first.

import { useSignal } from "@preact/signals";
import type { CarFields, CarView } from "@tourismo/client";

import { carDetails, carName } from "../car-name.ts";
import { CarForm, NO_FIELDS } from "../components/car-form.tsx";
import { CarIcon, PlusIcon } from "../components/icons.tsx";
import { hasDraft } from "../drafts.ts";
import { cars, succeeds, units } from "../engine.ts";
import { distance, odometer } from "../format.ts";
import { href } from "../route.ts";

/** The draft of a new car. */
const NEW = "new car";

export function GarageScreen() {
  const isAdding = useSignal(hasDraft(NEW));
  const begin = (): void => void (isAdding.value = true);
  const add = (fields: CarFields): Promise<boolean> => succeeds((tourismo) => tourismo.putCar(fields));
  return (
    <section class="page">
      <header class="page-head">
        <h1>Garage</h1>
        {cars.value.length > 0 && !isAdding.value ? <AddButton size="small" onClick={begin} /> : null}
      </header>
      {isAdding.value ? <CarForm draft={NEW} fields={NO_FIELDS} onSave={add} onClose={() => (isAdding.value = false)} /> : null}
      {cars.value.length === 0 && !isAdding.value ? (
        <div class="empty">
          <p>No cars yet.</p>
          <p class="hint">Add your car to keep its drives, fuel and service together.</p>
          <AddButton onClick={begin} />
        </div>
      ) : null}
      <ul class="list cards">
        {cars.value.map((car) => (
          <li key={car.id}>
            <CarRow car={car} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function AddButton({ size = "", onClick }: { size?: "small" | ""; onClick: () => void }) {
  return (
    <button type="button" class={`button primary ${size}`} onClick={onClick}>
      <PlusIcon /> Add a car
    </button>
  );
}

function CarRow({ car }: { car: CarView }) {
  const { value, unit } = distance(car.distanceM, units());
  const shown = car.odometerM === null ? "" : odometer(car.odometerM, units());
  return (
    <a class="row" href={href({ screen: "car", id: car.id })} data-testid="car">
      <CarIcon />
      <div class="row-main">
        <h2>{carName(car.fields)}</h2>
        <p class="row-line">{[carDetails(car.fields), shown].filter(Boolean).join(" · ")}</p>
      </div>
      <div class="row-figure">
        <span class="figure-value">
          {value}
          <span class="figure-unit">{unit}</span>
        </span>
        <span class="figure-label">{car.drives === 1 ? "1 drive" : `${car.drives} drives`}</span>
      </div>
    </a>
  );
}
