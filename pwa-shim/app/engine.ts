// The one engine of this page, and what it shows as signals. Screens read signals and give commands; nothing else does.

import { signal } from "@preact/signals";
import {
  openTourismo,
  type Persistence,
  requestPersistence,
  type Topic,
  type Tourismo,
  TourismoError,
  type Units,
  type Views,
} from "@tourismo/client";

import { showNotice } from "./parts/notice.tsx";
import { wordsOfError } from "./words.ts";

export type EngineState =
  | { type: "opening" }
  | { type: "open"; tourismo: Tourismo }
  | { type: "failed"; why: TourismoError };

export const engine = signal<EngineState>({ type: "opening" });
export const recording = signal<Views["recording"]>(null);
export const drives = signal<Views["drives"] | undefined>(undefined);
export const cars = signal<Views["cars"]>([]);
export const track = signal<Views["track"]>(null);
export const account = signal<Views["account"] | undefined>(undefined);
export const status = signal<Views["status"] | undefined>(undefined);
export const persistence = signal<Persistence>("unknown");

const signals = { recording, drives, cars, track, account, status } satisfies Record<Topic, { value: unknown }>;

/** Opens the engine; again after it failed. */
export async function openEngine(): Promise<void> {
  engine.value = { type: "opening" };
  try {
    const tourismo = await openTourismo();
    tourismo.onFailed(fail);
    tourismo.subscribe("recording", (view) => (signals.recording.value = view));
    tourismo.subscribe("drives", (view) => (signals.drives.value = view));
    tourismo.subscribe("cars", (view) => (signals.cars.value = view));
    tourismo.subscribe("track", (view) => (signals.track.value = view));
    tourismo.subscribe("account", (view) => (signals.account.value = view));
    tourismo.subscribe("status", (view) => (signals.status.value = view));
    engine.value = { type: "open", tourismo };
    persistence.value = await requestPersistence();
  } catch (thrown) {
    fail(thrown instanceof TourismoError ? thrown : new TourismoError("core_failed", String(thrown)));
  }
}

/** Gives a command. If it is refused, the person is told why and gets `undefined`. */
export async function give<T>(command: (tourismo: Tourismo) => Promise<T>): Promise<T | undefined> {
  if (engine.value.type !== "open") return undefined;
  try {
    return await command(engine.value.tourismo);
  } catch (thrown) {
    showNotice(wordsOfError(thrown));
    return undefined;
  }
}

/** In which units this person reads. */
export function units(): Units {
  return account.value?.settings.units ?? "metric";
}

function fail(why: TourismoError): void {
  engine.value = { type: "failed", why };
}
