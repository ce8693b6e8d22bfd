// The one engine of this page, and what it shows as signals. Screens read signals and give commands; nothing else does.

import { effect, signal } from "@preact/signals";
import {
  BrowserReadCache,
  openTourismo,
  type Person,
  type Persistence,
  RelayReads,
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
  /** Nobody needed it yet: who only looks at what others published gets no account. */
  | { type: "closed" }
  | { type: "opening" }
  | { type: "open"; tourismo: Tourismo }
  | { type: "failed"; why: TourismoError };

export const engine = signal<EngineState>({ type: "closed" });
export const recording = signal<Views["recording"]>(null);
export const drives = signal<Views["drives"] | undefined>(undefined);
export const cars = signal<Views["cars"]>([]);
export const social = signal<Views["social"] | undefined>(undefined);
export const meets = signal<Views["meets"]>([]);
export const track = signal<Views["track"]>(null);
export const account = signal<Views["account"] | undefined>(undefined);
export const status = signal<Views["status"] | undefined>(undefined);
let readsAs: string | undefined;
export const persistence = signal<Persistence>("unknown");

/** What the relay tells: to everybody, and to the account once it is open. */
export const relay = new RelayReads(new URL("/", location.href), new BrowserReadCache());

effect(() => {
  const id = account.value?.account;
  const reader = id === undefined ? undefined : { account: id, token: () => opened().then((tourismo) => tourismo.token()) };
  if (readsAs !== id) relay.readAs(reader);
  readsAs = id;
});

/** Whether the engine is open, or is about to be because this phone was used before. */
export function isInUse(): boolean {
  return engine.value.type !== "closed" || wasUsed();
}

/** In the browser's own drawer: whether the engine was ever opened here. */
const USED = "tourismo used";

const signals = { recording, drives, cars, social, meets, track, account, status } satisfies Record<Topic, { value: unknown }>;

/** Opens the engine when it is first needed: by a screen of the person's own, or because this phone holds their data. */
export function openWhenNeeded(isOwnScreen: boolean): void {
  if (engine.value.type === "closed" && (isOwnScreen || wasUsed())) void openEngine();
}

/** Opens the engine; again after it failed. */
export function openEngine(): Promise<void> {
  opening ??= open().finally(() => (opening = undefined));
  return opening;
}

let opening: Promise<void> | undefined;

async function open(): Promise<void> {
  engine.value = { type: "opening" };
  try {
    const tourismo = await openTourismo();
    tourismo.onFailed(fail);
    tourismo.subscribe("recording", (view) => (signals.recording.value = view));
    tourismo.subscribe("drives", (view) => (signals.drives.value = view));
    tourismo.subscribe("cars", (view) => (signals.cars.value = view));
    tourismo.subscribe("social", (view) => (signals.social.value = view));
    tourismo.subscribe("meets", (view) => (signals.meets.value = view));
    tourismo.subscribe("track", (view) => (signals.track.value = view));
    tourismo.subscribe("account", (view) => (signals.account.value = view));
    tourismo.subscribe("status", (view) => (signals.status.value = view));
    engine.value = { type: "open", tourismo };
    markUsed();
    void requestPersistence().then((answer) => (persistence.value = answer));
  } catch (thrown) {
    fail(thrown instanceof TourismoError ? thrown : new TourismoError("core_failed", String(thrown)));
  }
}

/** Whether the browser refused the location when a drive was begun. */
export const wasDenied = signal(false);

effect(() => {
  const view = recording.value;
  const isDenied = view?.signal.type === "failed" && view.signal.reason === "denied";
  const isEmpty = view?.state === "active" && view.taken === 0 && view.stats.fixes + view.stats.refused === 0;
  if (!isDenied || !isEmpty || document.visibilityState !== "visible") return;
  // A drive of which nothing can be measured is none. Of several tabs one is taken.
  wasDenied.value = true;
  opened().then((tourismo) => tourismo.discardDrive()).catch(() => {});
});

/** The engine, opened if nobody needed it before. */
async function opened(): Promise<Tourismo> {
  if (engine.value.type === "closed" || engine.value.type === "opening") await openEngine();
  if (engine.value.type !== "open") throw new TourismoError("closed", "the engine is not open");
  return engine.value.tourismo;
}

/**
 * Gives a command. If it is refused, the person is told why and gets `undefined`. Who has only looked so far gets an account
 * with the first thing that they say.
 */
export async function give<T>(command: (tourismo: Tourismo) => Promise<T>): Promise<T | undefined> {
  try {
    return await command(await opened());
  } catch (thrown) {
    showNotice(wordsOfError(thrown));
    return undefined;
  }
}

/** Gives a command of which nothing is wanted but that it is done; says whether it was. */
export async function isDone(command: (tourismo: Tourismo) => Promise<unknown>): Promise<boolean> {
  const done = await give(async (tourismo) => {
    await command(tourismo);
    return true;
  });
  return done ?? false;
}

/** In which units this person reads. */
export function units(): Units {
  return account.value?.settings.units ?? "metric";
}

/** This person, as others see them. */
export function me(): Person {
  const { account: id = "", profile } = account.value ?? {};
  return { account: id, handle: profile?.handle || null, displayName: profile?.displayName || null };
}

function wasUsed(): boolean {
  try {
    return localStorage.getItem(USED) !== null;
  } catch {
    // A browser that keeps nothing for this site holds nobody's data.
    return false;
  }
}

function markUsed(): void {
  try {
    localStorage.setItem(USED, "yes");
  } catch {
    // The engine is opened by the screens that need it.
  }
}

function fail(why: TourismoError): void {
  engine.value = { type: "failed", why };
}
