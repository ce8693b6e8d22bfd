// Collects the drives in the inbox of an account: claims each finished one, imports it, waits until the relay has acknowledged it, and
// only then deletes it from the inbox. PROTOCOL.md has the rules (I1 to I7).
//
// Every step may be repeated: a claimed drive has the same positions for each device that asks, its source decides its id, so that a
// second import changes nothing, and the inbox keeps the positions until the end. So an app that is killed between two steps neither
// loses nor doubles a drive.

import type { Tourismo } from "./client.ts";
import { TourismoError } from "./errors.ts";
import type { DocId } from "./generated/types.ts";
import type { Inbox, InboxDrive } from "./relay-answers.ts";
import type { RelayReads } from "./relay-reads.ts";

/** The bytes of a position in the answer of the relay. */
const BYTES_PER_FIX = 64;
/** How long a drive may take to be acknowledged before the collector goes on, and tries it again later. */
const PATIENCE_MS = 60_000;

export interface CollectorOptions {
  /** The time between two looks into the inbox, while it has an address. Default: a minute. */
  everyMs?: number;
  /** The time between two looks after failures, at most, and while the inbox has no address. Default: 15 minutes. */
  atMostEveryMs?: number;
}

/** A running collector. */
export interface InboxCollector {
  /** Looks into the inbox at once. */
  look(): void;
  stop(): void;
}

/** The part of an engine that collecting uses. */
export type CollectingEngine = Pick<Tourismo, "importDrive" | "subscribe">;
/** The part of the relay's reads that collecting uses. */
export type InboxReads = Pick<RelayReads, "inbox" | "claimInInbox" | "inboxFixes" | "takeFromInbox">;

/**
 * Collects the drives in the inbox of the account, now and then until it is stopped: while this page is visible and online, and as
 * soon as the engine is connected. `relay` reads as the account of the engine. Several tabs and devices may collect at once.
 *
 * @example
 * const collector = collectInbox(tourismo, relay);
 */
export function collectInbox(tourismo: Tourismo, relay: RelayReads, options: CollectorOptions = {}): InboxCollector {
  const { everyMs = 60_000, atMostEveryMs = 900_000 } = options;
  const stopped = new AbortController();
  const { signal } = stopped;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isLooking = false;
  let isAskedAgain = false;
  let waitMs = everyMs;

  const isAwake = (): boolean => document.visibilityState === "visible" && navigator.onLine;
  const look = async (): Promise<void> => {
    clearTimeout(timer);
    if (isLooking) {
      isAskedAgain = true;
      return;
    }
    // A hidden page looks when it is shown.
    if (signal.aborted || !isAwake()) return;
    isLooking = true;
    const looked = await collectOnce(tourismo, relay, signal).catch(() => undefined);
    isLooking = false;
    if (signal.aborted) return;
    waitMs = nextWaitMs(looked, waitMs, everyMs, atMostEveryMs);
    const isNow = isAskedAgain || looked?.hasTaken === true;
    isAskedAgain = false;
    timer = setTimeout(() => void look(), isNow ? 0 : waitMs);
  };

  document.addEventListener("visibilitychange", () => void look(), { signal });
  addEventListener("online", () => void look(), { signal });
  let isConnected = false;
  const unsubscribe = tourismo.subscribe("status", ({ link }) => {
    const wasConnected = isConnected;
    isConnected = link.type === "upToDate" || (wasConnected && link.type === "syncing");
    if (isConnected && !wasConnected) void look();
  });
  const stop = (): void => {
    stopped.abort();
    clearTimeout(timer);
    unsubscribe();
  };
  tourismo.onClose(stop);
  return { look: () => void look(), stop };
}

/** What one look into the inbox did. */
export interface Looked {
  /** Whether the inbox has an address, or something waits in it. */
  isUsed: boolean;
  /** Whether something was taken: there may be more. */
  hasTaken: boolean;
  /** Whether a finished drive could not be taken. */
  isStuck: boolean;
}

/** The time until the next look: it doubles while the relay cannot be reached, or a drive cannot be taken. */
export function nextWaitMs(looked: Looked | undefined, before: number, everyMs: number, atMostEveryMs: number): number {
  if (looked === undefined || looked.isStuck) return Math.min(2 * before, atMostEveryMs);
  return looked.isUsed ? everyMs : atMostEveryMs;
}

/** Looks once into the inbox, and takes what can be taken. */
export async function collectOnce(tourismo: CollectingEngine, relay: InboxReads, signal: AbortSignal): Promise<Looked> {
  const inbox = await relay.inbox();
  const looked: Looked = { isUsed: isUsed(inbox), hasTaken: false, isStuck: false };
  // What a recorder posted is deleted up to a time, so that its earlier drives come first.
  const waiting = new Set<string>();
  for (const drive of inbox.drives) {
    const { recorder, isFinished, endedAt: until, receivedAt } = drive;
    if (signal.aborted) return looked;
    if (waiting.has(recorder)) continue;
    const portion = { recorder, until, receivedAt };
    if (isFinished) await relay.claimInInbox(portion);
    if (isFinished && (await isSafe(tourismo, relay, drive, signal))) {
      await relay.takeFromInbox(portion);
      looked.hasTaken = true;
    } else {
      waiting.add(recorder);
      looked.isStuck ||= isFinished;
    }
  }
  // They are before the first drive of their recorder.
  for (const idle of inbox.idle) {
    if (signal.aborted) return looked;
    await relay.takeFromInbox(idle);
  }
  return looked;
}

function isUsed({ secret, waiting }: Inbox): boolean {
  return secret !== null || waiting > 0;
}

/** Imports a drive. Resolves to whether the inbox may delete it. */
async function isSafe(
  tourismo: CollectingEngine,
  relay: InboxReads,
  { source, fixes: count }: InboxDrive,
  signal: AbortSignal,
): Promise<boolean> {
  const fixes = await relay.inboxFixes(source);
  // Another device claimed it with other positions after the list was read.
  if (fixes.length !== count * BYTES_PER_FIX) return false;
  try {
    const drive = await tourismo.importDrive({ source: bytesOf(source), title: "", fixes });
    return await isOnRelay(tourismo, drive, signal);
  } catch (thrown) {
    // No drive can ever be made of it.
    if (thrown instanceof TourismoError && thrown.code === "nothing_to_import") return true;
    throw thrown;
  }
}

/** Resolves to whether the relay acknowledges all changes of a drive and its track in time. */
function isOnRelay(tourismo: CollectingEngine, id: DocId, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const end = (isOn: boolean): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", giveUp);
      // The first call may come before `subscribe` returns.
      queueMicrotask(() => unsubscribe());
      resolve(isOn);
    };
    const giveUp = (): void => end(false);
    const timer = setTimeout(giveUp, PATIENCE_MS);
    signal.addEventListener("abort", giveUp);
    const unsubscribe = tourismo.subscribe("drives", (drives) => {
      const sync = drives.find((drive) => drive.id === id)?.sync;
      // A drive of another device may be here before its track, which only that device has.
      if (sync?.type === "onRelay" && sync.trackHere) end(true);
      if (sync?.type === "refused") end(false);
    });
  });
}

/** The bytes of hexadecimal digits. */
function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16));
}
