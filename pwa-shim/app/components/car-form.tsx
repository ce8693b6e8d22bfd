// The form of a car.

import type { CarFields } from "@tourismo/client";

import { useDraft } from "../drafts.ts";
import { NumberField } from "./fields.tsx";

/** The fields of a new car. */
export const NO_FIELDS: CarFields = { make: "", model: "", year: null, nickname: "", colour: "", isPublic: false };

export function CarForm(props: {
  /** The name of its draft. */
  draft: string;
  fields: CarFields;
  /** Saves the fields and returns whether they were saved. */
  onSave: (fields: CarFields) => Promise<boolean>;
  onClose: () => void;
}) {
  const { value: fields, set, clear } = useDraft(props.draft, props.fields);

  function save(event: Event): void {
    event.preventDefault();
    void props.onSave(fields).then((isSaved) => {
      if (isSaved) close();
    });
  }

  function close(): void {
    clear();
    props.onClose();
  }

  const text = (label: string, key: "make" | "model" | "nickname" | "colour", placeholder: string, maxLength: number) => (
    <label class="field">
      <span>{label}</span>
      <input
        type="text"
        maxLength={maxLength}
        value={fields[key]}
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
          <NumberField whole min={1880} max={2200} value={fields.year} onNumber={(year) => set({ year })} />
        </label>
        {text("Colour", "colour", "Red", 50)}
      </div>
      {text("Nickname", "nickname", "", 100)}
      <label class="choice">
        <input type="checkbox" checked={fields.isPublic} onChange={(event) => set({ isPublic: event.currentTarget.checked })} />
        <span>
          <strong>Show on my profile</strong>
          <span class="hint">Others see the fields of this form, never its logbook, odometer or drives.</span>
        </span>
      </label>
      <div class="controls">
        <button type="button" class="button" onClick={close}>
          Cancel
        </button>
        <button type="submit" class="button primary">
          Save
        </button>
      </div>
    </form>
  );
}
