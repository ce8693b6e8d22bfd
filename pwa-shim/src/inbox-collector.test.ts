import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import type { Tourismo } from "./client.ts";
import { TourismoError } from "./errors.ts";
import { type CollectingEngine, collectInbox, collectOnce, type InboxReads, nextWaitMs } from "./inbox-collector.ts";
import type { Inbox, InboxDrive } from "./relay-answers.ts";
import type { RelayReads } from "./relay-reads.ts";
import { type InboxFault, type InboxPlan, runInbox } from "./testing/inbox.ts";

/** More than the steps of the first device. */
const STEPS = 50;

/** Every step at which a device is killed or lost, with several steps at which the recorder posts again. */
function* plans(fault?: InboxFault): Generator<InboxPlan> {
  for (let killAt = 0; killAt <= STEPS; killAt++) {
    for (const postAt of [0, 2, 3, 4, 5, 8, killAt, killAt + 1]) {
      for (const isLost of [false, true]) yield { killAt, postAt, isLost, ...(fault ? { fault } : {}) };
    }
  }
}

describe("whenever a device is killed or lost, and whenever the recorder posts", () => {
  test("i6_no_position_is_lost_or_doubled_and_the_inbox_is_empty", async () => {
    expect((await runInbox({})).steps).toBeGreaterThan(20);
    for (const plan of plans()) expect((await runInbox(plan)).wrong, JSON.stringify(plan)).toEqual([]);
  });

  test.each<[InboxFault, RegExp]>([
    ["takesTooEarly", /^lost/],
    ["takesFirst", /^lost/],
    ["importsUnderNewIds", /^doubled/],
    ["claimsNothing", /^lost/],
    ["storesTwice", /^doubled/],
  ])("the check finds a collector that %s", async (fault, found) => {
    for (const plan of plans(fault)) if ((await runInbox(plan)).wrong.some((one) => found.test(one))) return;
    expect.unreachable("no plan finds it");
  });
});

function drive(change: Partial<InboxDrive> = {}): InboxDrive {
  const fields = { startedAt: 0, endedAt: 10, distanceM: 1_000, fixes: 1, isFinished: true, receivedAt: 99 };
  return { source: "ab".repeat(32), recorder: "phone", ...fields, ...change };
}

/** An engine and a relay that note what they are asked. */
function scripted(drives: InboxDrive[], change: { fails?: TourismoError; bytes?: number; sync?: string } = {}) {
  const asked: string[] = [];
  const inbox: Inbox = { secret: "00", postedAt: 1, waiting: 1, refused: 0, drives, idle: [] };
  const relay: InboxReads = {
    inbox: async () => ({ ...inbox, fetchedAt: 0, isStale: false }),
    claimInInbox: async ({ recorder, until, receivedAt }) => void asked.push(`claim ${recorder} ${until} ${receivedAt}`),
    inboxFixes: async () => new Uint8Array(change.bytes ?? 64),
    takeFromInbox: async ({ recorder, until, receivedAt }) => void asked.push(`take ${recorder} ${until} ${receivedAt}`),
  };
  const subscribe = (_: string, show: (view: unknown) => void) => {
    show([{ id: "drive", sync: { type: change.sync ?? "onRelay", trackHere: true } }]);
    return () => {};
  };
  const importDrive = async ({ source, title }: { source: Uint8Array; title: string }) => {
    if (change.fails) throw change.fails;
    asked.push(`import ${source.length} "${title}"`);
    return "drive";
  };
  return { asked, inbox, relay, engine: { importDrive, subscribe } as CollectingEngine };
}

const awake = new AbortController().signal;

describe("one look", () => {
  test("takes finished drives in order, and nothing of a recorder after one that has to wait", async () => {
    const drives = [
      drive({ endedAt: 10 }),
      drive({ endedAt: 20 }),
      drive({ endedAt: 30, isFinished: false }),
      drive({ recorder: "car", endedAt: 15, isFinished: false }),
    ];
    const { asked, inbox, relay, engine } = scripted(drives);
    inbox.idle.push({ recorder: "car", until: 5, receivedAt: 98 });
    const looked = await collectOnce(engine, relay, awake);
    expect(looked).toEqual({ isUsed: true, hasTaken: true, isStuck: false });
    const imported = 'import 32 ""';
    const first = ["claim phone 10 99", imported, "take phone 10 99"];
    expect(asked).toEqual([...first, "claim phone 20 99", imported, "take phone 20 99", "take car 5 98"]);
  });

  test("takes nothing that the relay refuses, or that changed since the list was read", async () => {
    for (const change of [{ sync: "refused" }, { bytes: 128 }]) {
      const { asked, relay, engine } = scripted([drive(), drive({ endedAt: 20 })], change);
      expect(await collectOnce(engine, relay, awake)).toMatchObject({ hasTaken: false, isStuck: true });
      expect(asked.filter((one) => one.startsWith("take"))).toEqual([]);
    }
  });

  test("takes what no drive can be made of", async () => {
    const { asked, relay, engine } = scripted([drive()], { fails: new TourismoError("nothing_to_import") });
    await collectOnce(engine, relay, awake);
    expect(asked).toEqual(["claim phone 10 99", "take phone 10 99"]);
    const { relay: again, engine: failing } = scripted([drive()], { fails: new TourismoError("not_stored") });
    await expect(collectOnce(failing, again, awake)).rejects.toMatchObject({ code: "not_stored" });
  });

  test("waits for a track that only another device has", async () => {
    const { asked, relay, engine } = scripted([drive()]);
    const stopped = new AbortController();
    const subscribe = (_: string, show: (view: unknown) => void) => {
      show([{ id: "drive", sync: { type: "onRelay", trackHere: false } }]);
      queueMicrotask(() => stopped.abort());
      return () => {};
    };
    await collectOnce({ ...engine, subscribe } as CollectingEngine, relay, stopped.signal);
    expect(asked).toEqual(["claim phone 10 99", 'import 32 ""']);
  });
});

test("the time until the next look doubles while it fails", () => {
  const wait = (looked: Parameters<typeof nextWaitMs>[0], before: number) => nextWaitMs(looked, before, 60, 900);
  expect(wait(undefined, 60)).toBe(120);
  expect(wait(undefined, 800)).toBe(900);
  expect(wait({ isUsed: true, hasTaken: false, isStuck: true }, 120)).toBe(240);
  expect(wait({ isUsed: true, hasTaken: false, isStuck: false }, 900)).toBe(60);
  expect(wait({ isUsed: false, hasTaken: false, isStuck: false }, 60)).toBe(900);
});

describe("the collector", () => {
  const page = Object.assign(new EventTarget(), { visibilityState: "visible" });
  let online: EventTarget;
  beforeEach(() => {
    vi.useFakeTimers();
    page.visibilityState = "visible";
    online = new EventTarget();
    vi.stubGlobal("document", page);
    vi.stubGlobal("navigator", { onLine: true });
    vi.stubGlobal("addEventListener", online.addEventListener.bind(online));
  });
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.useRealTimers();
  });

  /** A collector of an inbox without drives. `connect` tells it that the engine is connected. */
  function running(secret: string | null = "00") {
    let looks = 0;
    let connect = (_: string): void => {};
    let close = (): void => {};
    const relay = {
      inbox: async () => {
        looks++;
        return { secret, postedAt: null, waiting: 0, refused: 0, drives: [], idle: [] };
      },
    } as unknown as RelayReads;
    const tourismo = {
      subscribe: (_: string, show: (view: unknown) => void) => {
        connect = (type) => show({ link: { type } });
        return () => {};
      },
      onClose: (end: () => void) => void (close = end),
    } as unknown as Tourismo;
    const collector = collectInbox(tourismo, relay);
    return { collector, looks: () => looks, connect: (type: string) => connect(type), close: () => close() };
  }

  test("looks when it is connected, each minute, and when the page is shown", async () => {
    const { looks, connect, close } = running();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(looks()).toBe(0);
    for (const state of ["connecting", "syncing", "upToDate", "syncing", "upToDate"]) connect(state);
    await vi.advanceTimersByTimeAsync(0);
    expect(looks()).toBe(1);
    await vi.advanceTimersByTimeAsync(120_000);
    expect(looks()).toBe(3);
    page.visibilityState = "hidden";
    await vi.advanceTimersByTimeAsync(600_000);
    expect(looks()).toBe(3);
    page.visibilityState = "visible";
    page.dispatchEvent(new Event("visibilitychange"));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(looks()).toBe(5);
    online.dispatchEvent(new Event("online"));
    await vi.advanceTimersByTimeAsync(0);
    expect(looks()).toBe(6);
    close();
    await vi.advanceTimersByTimeAsync(600_000);
    expect(looks()).toBe(6);
  });

  test("looks rarely into an inbox without an address, and at once when it gets one", async () => {
    const { collector, looks, connect } = running(null);
    connect("upToDate");
    await vi.advanceTimersByTimeAsync(899_000);
    expect(looks()).toBe(1);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(looks()).toBe(2);
    collector.look();
    await vi.advanceTimersByTimeAsync(0);
    expect(looks()).toBe(3);
    collector.stop();
  });
});
