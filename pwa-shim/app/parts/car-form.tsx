// What is known of a car, to be filled in.

import { useSignal } from "@preact/signals";
import type { CarFields } from "@tourismo/client";

export function CarForm(props: { fields: CarFields; onSave: (fields: CarFields) => Promise<void>; onClose: () => void }) {
  const fields = useSignal(props.fields);
  const set = (change: Partial<CarFields>): void => void (fields.value = { ...fields.value, ...change });

  function save(event: Event): void {
    event.preventDefault();
    void props.onSave(fields.value);
  }

  const text = (label: string, key: "make" | "model" | "nickname" | "colour", placeholder: string, maxLength: number) => (
    <label class="field">
      <span>{label}</span>
      <input
        type="text"
        maxLength={maxLength}
        value={fields.value[key]}
        placeholder={placeholder}
        onInput={(event) => set({ [key]: event.currentTarget.value })}
      />
    </label>
  );
  return (
    <form class="card form" onSubmit={save}>
      {text("Make", "make", "Mazda", 100)}
      {text("Model", "model", "MX-5", 100)}
      <div class="pair">
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
        {text("Colour", "colour", "Red", 50)}
      </div>
      {text("What you call it", "nickname", "", 100)}
      <label class="choice">
        <input type="checkbox" checked={fields.value.isPublic} onChange={(event) => set({ isPublic: event.currentTarget.checked })} />
        <span>
          <strong>Show it to others</strong>
          <span class="hint">What is in this form, on your page. Never its logbook, its odometer or its drives.</span>
        </span>
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
