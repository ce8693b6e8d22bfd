// Fields whose text stands for a number or a time. What is typed is shown as it was typed, whatever arrives meanwhile.

import { useSignal } from "@preact/signals";
import type { Timestamp } from "@tourismo/client";

import { fromInput, toInput } from "../time-zone.ts";

interface Limits<T> {
  min?: T;
  max?: T;
  required?: boolean;
}

/** A number; an empty field is `null`. `whole`: without decimals. */
export function NumberField(props: Limits<number> & { value: number | null; whole?: boolean; onNumber: (value: number | null) => void }) {
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

/** A date and time by the clocks of a time zone; an empty field is `null`. */
export function TimeField(props: Limits<string> & { value: Timestamp | null; timeZone: string; onTime: (at: Timestamp | null) => void }) {
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
  /** How the value is written. */
  shown: string;
  onText: (text: string) => void;
}

/** While somebody types, the field shows their text, and not how its value would be written. */
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
