// The form of a logbook entry. An empty field means that the value is unknown.

import { useSignal } from "@preact/signals";
import type { LogEntry, LogKind } from "@tourismo/client";

import { useDraft } from "../drafts.ts";
import { units } from "../engine.ts";
import { fromDistanceUnit, inDistanceUnit } from "../format.ts";
import { describeLogKind } from "../messages.ts";
import { ownTimeZone } from "../time-zone.ts";
import { NumberField, TimeField } from "./fields.tsx";

const KINDS: LogKind[] = ["fuel", "service", "odometer"];
const CURRENCIES = ["EUR", "USD", "GBP", "CHF", "SEK", "NOK", "DKK", "PLN", "CZK", "HUF", "JPY", "CAD", "AUD"];

export function freshEntry(): LogEntry {
  return { kind: "fuel", at: Date.now(), odometerM: null, litres: null, cost: null, note: "" };
}

export function LogForm(props: {
  /** The name of its draft. */
  draft: string;
  entry: LogEntry;
  /** Saves the entry and returns whether it was saved. */
  onSave: (entry: LogEntry) => Promise<boolean>;
  onClose: () => void;
  onRemove?: () => void;
}) {
  const { value: entry, set, clear } = useDraft(props.draft, props.entry);
  const { kind, at, odometerM, litres, cost, note } = entry;
  const currency = useSignal(cost?.currency ?? lastCurrency());

  function pay(amount: number | null, of: string): void {
    set({ cost: amount === null ? null : { minor: Math.round(amount * minorUnits(of)), currency: of } });
  }

  function save(event: Event): void {
    event.preventDefault();
    keepCurrency(currency.value);
    void props.onSave({ ...entry, note: note.trim() }).then((isSaved) => {
      if (isSaved) close();
    });
  }

  function close(): void {
    clear();
    props.onClose();
  }

  return (
    <form class="card form" onSubmit={save}>
      <label class="field">
        <span>What</span>
        <select value={kind} onChange={(event) => set({ kind: event.currentTarget.value as LogKind })}>
          {KINDS.map((one) => (
            <option key={one} value={one}>
              {describeLogKind(one)}
            </option>
          ))}
        </select>
      </label>
      <div class="pair times">
        <label class="field">
          <span>When</span>
          <TimeField required value={at} timeZone={ownTimeZone()} onTime={(time) => time === null || set({ at: time })} />
        </label>
        <label class="field">
          <span>Odometer, {units() === "metric" ? "km" : "miles"}</span>
          <NumberField
            whole
            min={0}
            max={9_999_999}
            required={kind === "odometer"}
            value={odometerM === null ? null : Math.round(inDistanceUnit(odometerM, units()))}
            onNumber={(shown) => set({ odometerM: shown === null ? null : fromDistanceUnit(shown, units()) })}
          />
        </label>
      </div>
      {kind === "fuel" ? (
        <label class="field">
          <span>Litres</span>
          <NumberField min={0} max={10_000} value={litres} onNumber={(litres) => set({ litres })} />
        </label>
      ) : null}
      {kind === "odometer" ? null : (
        <div class="pair">
          <label class="field">
            <span>Cost</span>
            <NumberField
              min={0}
              max={1_000_000_000}
              value={cost === null ? null : cost.minor / minorUnits(cost.currency)}
              onNumber={(amount) => pay(amount, currency.value)}
            />
          </label>
          <label class="field">
            <span>Currency</span>
            <select
              value={currency.value}
              onChange={(event) => {
                const amount = cost === null ? null : cost.minor / minorUnits(cost.currency);
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
        <button type="button" class="button" onClick={close}>
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

/** Minor units per unit of a currency: 100 cents per euro, 1 per yen. */
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
    // Next time the default is offered.
  }
}
