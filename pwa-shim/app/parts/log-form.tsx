// An entry of a car's logbook, to be filled in. What is left empty is not known.

import { useSignal } from "@preact/signals";
import type { LogEntry, LogKind } from "@tourismo/client";

import { units } from "../engine.ts";
import { fromDistanceUnit, fromInput, inDistanceUnit, toInput } from "../format.ts";
import { wordsOfLogKind } from "../words.ts";

const KINDS: LogKind[] = ["fuel", "service", "odometer"];
const CURRENCIES = ["EUR", "USD", "GBP", "CHF", "SEK", "NOK", "DKK", "PLN", "CZK", "HUF", "JPY", "CAD", "AUD"];

export function freshEntry(): LogEntry {
  return { kind: "fuel", at: Date.now(), odometerM: null, litres: null, cost: null, note: "" };
}

export function LogForm(props: {
  entry: LogEntry;
  onSave: (entry: LogEntry) => Promise<void>;
  onClose: () => void;
  onRemove?: () => void;
}) {
  const entry = useSignal(props.entry);
  const set = (change: Partial<LogEntry>): void => void (entry.value = { ...entry.value, ...change });
  const { kind, at, odometerM, litres, cost, note } = entry.value;
  const currency = useSignal(cost?.currency ?? lastCurrency());
  const shown = odometerM === null ? "" : String(Math.round(inDistanceUnit(odometerM, units())));

  function pay(value: string, of: string): void {
    set({ cost: value === "" ? null : { minor: Math.round(Number(value) * minorUnits(of)), currency: of } });
  }

  function save(event: Event): void {
    event.preventDefault();
    keepCurrency(currency.value);
    void props.onSave({ ...entry.value, note: note.trim() });
  }

  return (
    <form class="card form" onSubmit={save}>
      <label class="field">
        <span>What</span>
        <select value={kind} onChange={(event) => set({ kind: event.currentTarget.value as LogKind })}>
          {KINDS.map((one) => (
            <option key={one} value={one}>
              {wordsOfLogKind(one)}
            </option>
          ))}
        </select>
      </label>
      <div class="pair times">
        <label class="field">
          <span>When</span>
          <input type="datetime-local" required value={toInput(at)} onChange={(event) => set({ at: fromInput(event.currentTarget.value) ?? at })} />
        </label>
        <label class="field">
          <span>Odometer, {units() === "metric" ? "km" : "miles"}</span>
          <input
            type="number"
            inputMode="numeric"
            min={0}
            max={9_999_999}
            required={kind === "odometer"}
            value={shown}
            onChange={(event) => set({ odometerM: event.currentTarget.value === "" ? null : fromDistanceUnit(Number(event.currentTarget.value), units()) })}
          />
        </label>
      </div>
      {kind === "fuel" ? (
        <label class="field">
          <span>Litres</span>
          <input type="number" inputMode="decimal" min={0} max={10_000} step="any" value={litres ?? ""} onChange={(event) => set({ litres: event.currentTarget.value === "" ? null : Number(event.currentTarget.value) })} />
        </label>
      ) : null}
      {kind === "odometer" ? null : (
        <div class="pair">
          <label class="field">
            <span>Cost</span>
            <input
              type="number"
              inputMode="decimal"
              min={0}
              max={1_000_000_000}
              step="any"
              value={cost === null ? "" : cost.minor / minorUnits(cost.currency)}
              onChange={(event) => pay(event.currentTarget.value, currency.value)}
            />
          </label>
          <label class="field">
            <span>Currency</span>
            <select
              value={currency.value}
              onChange={(event) => {
                const amount = cost === null ? "" : String(cost.minor / minorUnits(cost.currency));
                currency.value = event.currentTarget.value;
                pay(amount, currency.value);
              }}
            >
              {[...new Set([currency.value, ...CURRENCIES])].map((one) => (
                <option key={one}>{one}</option>
              ))}
            </select>
          </label>
        </div>
      )}
      <label class="field">
        <span>Note</span>
        <textarea rows={2} maxLength={1_000} value={note} onInput={(event) => set({ note: event.currentTarget.value })} />
      </label>
      <div class="controls">
        <button type="button" class="button" onClick={props.onClose}>
          Cancel
        </button>
        {props.onRemove ? (
          <button type="button" class="button danger" onClick={props.onRemove}>
            Remove
          </button>
        ) : null}
        <button type="submit" class="button primary">
          Save
        </button>
      </div>
    </form>
  );
}

/** How many of the smallest unit make one of a currency: 100 cents, but one yen. */
function minorUnits(currency: string): number {
  const { maximumFractionDigits = 2 } = new Intl.NumberFormat(undefined, { style: "currency", currency }).resolvedOptions();
  return 10 ** maximumFractionDigits;
}

const CURRENCY = "tourismo currency";

function lastCurrency(): string {
  try {
    return localStorage.getItem(CURRENCY) ?? "EUR";
  } catch {
    return "EUR";
  }
}

function keepCurrency(currency: string): void {
  try {
    localStorage.setItem(CURRENCY, currency);
  } catch {
    // It is offered anew next time.
  }
}
