// The engine of this page. Its views are signals that screens read; screens run commands on it.

import { effect, signal } from "@preact/signals";
import {
  BrowserReadCache,
  collectInbox,
  type InboxCollector,
  openTourismo,
  type Persistence,
  type Person,
  RelayReads,
  requestPersistence,
  type Topic,
  type Tourismo,
  TourismoError,
  type Units,
  type Views,
} from "@tourismo/client";

import { showNotice } from "./components/notice.tsx";
import { describeError } from "./messages.ts";

export type EngineState =
  /** Not opened: someone who only reads public data gets no account. */
  { type: "closed" } | { type: "opening" } | { type: "open"; tourismo: Tourismo } | { type: "failed"; why: TourismoError };

export const engine = signal<EngineState>({ type: "closed" });
export const recording = signal<Views["recording"]>(null);
export const drives = signal<Views["drives"] | undefined>(undefined);
export const cars = signal<Views["cars"]>([]);
export const social = signal<Views["social"] | undefined>(undefined);
export const meets = signal<Views["meets"]>([]);
export const track = signal<Views["track"]>(null);
export const account = signal<Views["account"] | undefined>(undefined);
export const members = signal<Views["members"] | undefined>(undefined);
export const status = signal<Views["status"] | undefined>(undefined);
let readsAs: string | undefined;
export const persistence = signal<Persistence>("unknown");

/** Reads of the relay: anonymous until the account is open. */
export const relay = new RelayReads(new URL("/", location.href), new BrowserReadCache());

effect(() => {
  const id = account.value?.account;
  const reader = id === undefined ? undefined : { account: id, token: () => opened().then((tourismo) => tourismo.token()) };
  if (readsAs !== id) relay.readAs(reader);
  readsAs = id;
});

/** Whether the engine is open, or will be opened because this device has an account. */
export function isInUse(): boolean {
  return engine.value.type !== "closed" || wasUsed();
}

/** The key in `localStorage` that says whether the engine was ever opened here. */
const USED = "tourismo used";

const signals = { recording, drives, cars, social, meets, track, account, members, status } satisfies Record<
  Topic,
  { value: unknown }
>;

/** Opens the engine if the screen needs an account, or if this device has one. */
export function openWhenNeeded(needsAccount: boolean): void {
  if (engine.value.type === "closed" && (needsAccount || wasUsed())) void openEngine();
}

/** Opens the engine. After a failure it can be opened again. */
export function openEngine(): Promise<void> {
  opening ??= open().finally(() => (opening = undefined));
  return opening;
}

let opening: Promise<void> | undefined;

let inboxCollector: InboxCollector | undefined;

/** Looks for drives in the inbox at once. */
export function lookIntoInbox(): void {
  inboxCollector?.look();
}

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
    tourismo.subscribe("members", (view) => (signals.members.value = view));
    tourismo.subscribe("status", (view) => (signals.status.value = view));
    engine.value = { type: "open", tourismo };
    markUsed();
    // `relay` reads as the account only once that is known.
    void tourismo.read("account").then(() => (inboxCollector = collectInbox(tourismo, relay)));
    void requestPersistence().then((answer) => (persistence.value = answer));
  } catch (thrown) {
    fail(thrown instanceof TourismoError ? thrown : new TourismoError("core_failed", String(thrown)));
  }
}

/** Whether the browser denied the location when a drive was started. */
export const wasDenied = signal(false);

effect(() => {
  const view = recording.value;
  const isDenied = view?.signal.type === "failed" && view.signal.reason === "denied";
  const isEmpty = view?.state === "active" && view.taken === 0 && view.stats.fixes + view.stats.refused === 0;
  if (!isDenied || !isEmpty || document.visibilityState !== "visible") return;
  // The drive is empty and stays so. Of several tabs one discards it, the others are refused.
  wasDenied.value = true;
  opened()
    .then((tourismo) => tourismo.discardDrive())
    .catch(() => {});
});

/** Resolves to the open engine. Opens it if needed. */
export async function opened(): Promise<Tourismo> {
  if (engine.value.type === "closed" || engine.value.type === "opening") await openEngine();
  if (engine.value.type !== "open") throw new TourismoError("closed", "the engine is not open");
  return engine.value.tourismo;
}

/**
 * Runs a command. If it is refused, a notice says why and the result is `undefined`. The first command creates the account.
 */
export async function run<T>(command: (tourismo: Tourismo) => Promise<T>): Promise<T | undefined> {
  try {
    return await command(await opened());
  } catch (thrown) {
    showNotice(describeError(thrown));
    return undefined;
  }
}

/** Runs a command and returns whether it succeeded. */
export async function succeeds(command: (tourismo: Tourismo) => Promise<unknown>): Promise<boolean> {
  const done = await run(async (tourismo) => {
    await command(tourismo);
    return true;
  });
  return done ?? false;
}

/** The units of the user. */
export function units(): Units {
  return account.value?.settings.units ?? "metric";
}

/** The user as others see them. */
export function me(): Person {
  const { account: id = "", profile } = account.value ?? {};
  return { account: id, handle: profile?.handle || null, displayName: profile?.displayName || null };
}

function wasUsed(): boolean {
  try {
    return localStorage.getItem(USED) !== null;
  } catch {
    // The browser stores nothing for this site, hence no account.
    return false;
  }
}

function markUsed(): void {
  try {
    localStorage.setItem(USED, "yes");
  } catch {
    // Screens that need the engine open it.
  }
}

function fail(why: TourismoError): void {
  engine.value = { type: "failed", why };
}
