// The search field and the filters of the user's drives.

import { useSignal } from "@preact/signals";

import { carName } from "../car-name.ts";
import { clearFilter, conditionsOf, driveFilter, isFiltered, setFilter } from "../drive-filter.ts";
import { cars, units } from "../engine.ts";
import { inDistanceUnit } from "../format.ts";
import { FilterIcon } from "./icons.tsx";
import { PlaceMap } from "./place-map.tsx";

/** The core refuses longer texts. */
const MAX_TEXT = 200;
const DISTANCES_KM = [2, 5, 20, 50];

export function DriveSearch() {
  const { text } = driveFilter.value;
  const conditions = conditionsOf(driveFilter.value);
  const isOpen = useSignal(false);
  return (
    <search class="drive-search">
      <div class="search-line">
        <input
          type="search"
          aria-label="Search drives"
          placeholder="Title, notes or car"
          enterkeyhint="search"
          maxLength={MAX_TEXT}
          value={text}
          onInput={(event) => setFilter({ text: event.currentTarget.value })}
        />
        <button
          type="button"
          class="button small"
          aria-expanded={isOpen.value}
          aria-controls="drive-filters"
          onClick={() => (isOpen.value = !isOpen.value)}
        >
          <FilterIcon /> {conditions === 0 ? "Filter" : `Filter (${conditions})`}
        </button>
      </div>
      {isOpen.value ? <Filters /> : null}
    </search>
  );
}

function Filters() {
  const filter = driveFilter.value;
  return (
    <div class="card form" id="drive-filters" data-testid="filters">
      <div class="pair">
        <label class="field">
          <span>Car</span>
          <select
            value={filter.car ?? ""}
            onChange={(event) => setFilter({ car: event.currentTarget.value === "" ? null : event.currentTarget.value })}
          >
            <option value="">Any car</option>
            {cars.value.map(({ id, fields }) => (
              <option key={id} value={id}>
                {carName(fields)}
              </option>
            ))}
          </select>
        </label>
        <label class="field">
          <span>First day</span>
          <input
            type="date"
            max={filter.to || undefined}
            value={filter.from}
            onInput={(event) => setFilter({ from: event.currentTarget.value })}
          />
        </label>
        <label class="field">
          <span>Last day</span>
          <input
            type="date"
            min={filter.from || undefined}
            value={filter.to}
            onInput={(event) => setFilter({ to: event.currentTarget.value })}
          />
        </label>
      </div>
      <PlaceFilter />
      {isFiltered(filter) ? (
        <button type="button" class="button" onClick={clearFilter}>
          Clear all
        </button>
      ) : null}
    </div>
  );
}

/** Drives that passed near a place on the map. */
function PlaceFilter() {
  const { place, withinKm } = driveFilter.value;
  const isOpen = useSignal(place !== null);
  return (
    <details open={isOpen.value} onToggle={(event) => (isOpen.value = event.currentTarget.open)}>
      <summary>Near a place</summary>
      {isOpen.value ? (
        <div class="form place-filter">
          <PlaceMap position={place} onPick={(at) => setFilter({ place: at })} />
          {place === null ? (
            <p class="hint">Tap the map to find drives that passed there.</p>
          ) : (
            <div class="pair">
              <label class="field">
                <span>Within</span>
                <select value={withinKm} onChange={(event) => setFilter({ withinKm: Number(event.currentTarget.value) })}>
                  {DISTANCES_KM.map((km) => (
                    <option key={km} value={km}>
                      {Math.round(inDistanceUnit(km * 1000, units()))} {units() === "metric" ? "km" : "miles"}
                    </option>
                  ))}
                </select>
              </label>
              <button type="button" class="button" onClick={() => setFilter({ place: null })}>
                Any place
              </button>
            </div>
          )}
        </div>
      ) : null}
    </details>
  );
}
