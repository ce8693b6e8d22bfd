// Input fields for numbers and times. A field shows the typed text as it is, also while the value changes elsewhere.

import { useSignal } from "@preact/signals";
import type { Timestamp } from "@tourismo/client";

import { fromInput, toInput } from "../time-zone.ts";

interface Limits<T> {
  min?: T;
  max?: T;
  required?: boolean;
}

/** A number; `null` if the field is empty. `whole`: without decimals. */
export function NumberField(
  props: Limits<number> & { value: number | null; whole?: boolean; onNumber: (value: number | null) => void },
) {
  const { value, whole, onNumber, ...limits } = props;
  return (
    <TypedField
      {...limits}
      type="number"
      inputMode={whole ? "numeric" : "decimal"}
      step={whole ? 1 : "any"}
      shown={value === null ? "" : String(value)}
      onText={(text) => onNumber(text === "" ? null : Number(text))}
    />
  );
}

/** A local date and time in a time zone; `null` if the field is empty. */
export function TimeField(
  props: Limits<string> & { value: Timestamp | null; timeZone: string; onTime: (at: Timestamp | null) => void },
) {
  const { value, timeZone, onTime, ...limits } = props;
  return (
    <TypedField
      {...limits}
      type="datetime-local"
      shown={value === null ? "" : toInput(value, timeZone)}
      onText={(text) => onTime(fromInput(text, timeZone))}
    />
  );
}

interface Shown extends Limits<number | string> {
  type: "number" | "datetime-local";
  inputMode?: "numeric" | "decimal";
  step?: number | "any";
  /** The text of the value. */
  shown: string;
  onText: (text: string) => void;
}

/** Shows the typed text until the field loses the focus, then the text of the value. */
function TypedField({ shown, onText, ...attributes }: Shown) {
  const typed = useSignal<string | undefined>(undefined);
  return (
    <input
      {...attributes}
      value={typed.value ?? shown}
      onInput={(event) => {
        typed.value = event.currentTarget.value;
        onText(typed.value);
      }}
      onBlur={() => (typed.value = undefined)}
    />
  );
}
