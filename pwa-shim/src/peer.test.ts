import { describe, expect, test } from "vitest";

import type { Status } from "./core.ts";

import { TourismoError } from "./errors.ts";
import type { Command, CommandOutcome, FoundDrives } from "./generated/types.ts";
import type { RequestResult } from "./messages.ts";
import type { OwnerEvents } from "./owner.ts";
import { type OwnerLike, Peer } from "./peer.ts";
import { settle, type Tab, Tabs } from "./testing/tabs.ts";

const pause: Command = { type: "pauseDrive" };
const done: CommandOutcome = { type: "done", doc: null };

/** A tab with its peer and their events. */
interface World {
  tab: Tab;
  peer: Peer;
  /** The owner that the peer opened last. */
  owner: TestOwner | undefined;
  failed: TourismoError[];
  changes: number;
}

/** Returns the tab's name as every view, and resolves commands when the test says so. */
class TestOwner implements OwnerLike {
  readonly name: string;
  readonly events: OwnerEvents;
  stopped: TourismoError | undefined;
  told: string[] = [];
  #waiting: { resolve(outcome: CommandOutcome): void; reject(why: TourismoError): void }[] = [];

  constructor(name: string, events: OwnerEvents) {
    this.name = name;
    this.events = events;
  }

  command(): Promise<CommandOutcome> {
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  settleCommands(): void {
    for (const { resolve } of this.#waiting.splice(0)) resolve(done);
  }

  device(): Uint8Array {
    return Uint8Array.of(1);
  }

  async documents(): Promise<never[]> {
    return [];
  }

  read(): Status {
    return { name: this.name } as unknown as Status;
  }

  findDrives(): FoundDrives {
    return { drives: [this.name], years: [], months: [], cars: [] } as unknown as FoundDrives;
  }

  tell(input: { type: string }): void {
    this.told.push(input.type);
  }

  stop(why: TourismoError): void {
    this.stopped = why;
    for (const { reject } of this.#waiting.splice(0)) reject(why);
  }
}

function open(tabs: Tabs, opening: (name: string) => Promise<void> = async () => {}): World {
  const tab = tabs.open();
  const world: Partial<World> & { failed: TourismoError[] } = { tab, failed: [] };
  world.changes = 0;
  world.peer = new Peer(
    {
      id: tab.name,
      lock: "engine",
      locks: tab.locks,
      channel: tab,
      clock: tab.clock,
      openOwner: async (name, events) => {
        await opening(name);
        return (world.owner = new TestOwner(name, events));
      },
    },
    { changed: () => (world.changes = (world.changes ?? 0) + 1), failed: (why) => world.failed.push(why) },
  );
  return world as World;
}

const whoAnswers = async (world: World): Promise<string> => {
  const view = (await world.peer.ask({ type: "read", topic: "status" })) as unknown as { name: string };
  return view.name;
};

async function codeOf(promise: Promise<RequestResult>): Promise<string> {
  return promise.then(
    () => "resolved",
    (thrown) => (thrown as TourismoError).code,
  );
}

describe("of several tabs", () => {
  test("the first owns the engine and serves all", async () => {
    const tabs = new Tabs();
    const [first, second, third] = [open(tabs), open(tabs), open(tabs)];
    expect(await Promise.all([first, second, third].map(whoAnswers))).toEqual(["tab 1", "tab 1", "tab 1"]);
    expect([first.owner, second.owner, third.owner].filter(Boolean)).toHaveLength(1);
  });

  test("a follower's command is executed by the owner", async () => {
    const tabs = new Tabs();
    const [first, second] = [open(tabs), open(tabs)];
    await whoAnswers(second);
    const commanded = second.peer.ask({ type: "command", command: pause });
    await settle();
    first.owner?.settleCommands();
    expect(await commanded).toEqual(done);
  });

  test("a change is announced to every tab", async () => {
    const tabs = new Tabs();
    const [first, second] = [open(tabs), open(tabs)];
    await whoAnswers(second);
    const before = second.changes;
    first.owner?.events.changed(["drives"]);
    await settle();
    expect(second.changes).toBe(before + 1);
  });

  test("another one takes over at once when the owner closes", async () => {
    const tabs = new Tabs();
    const [first, second] = [open(tabs), open(tabs)];
    await whoAnswers(second);
    first.peer.close();
    await settle();
    expect(await whoAnswers(second)).toBe("tab 2");
    expect(first.owner?.stopped?.code).toBe("closed");
    expect(await codeOf(first.peer.ask({ type: "read", topic: "status" }))).toBe("closed");
  });

  test("when the owner is killed, its commands reject and its reads go to the next owner", async () => {
    const tabs = new Tabs();
    const [first, second, third] = [open(tabs), open(tabs), open(tabs)];
    await Promise.all([whoAnswers(second), whoAnswers(third)]);
    const commands = [second, third].map((world) => codeOf(world.peer.ask({ type: "command", command: pause })));
    await settle();
    first.tab.suspend();
    const reads = [second, third].map(whoAnswers);
    await settle();
    tabs.kill(first.tab);
    expect(await Promise.all(commands)).toEqual(["owner_lost", "owner_lost"]);
    expect(await Promise.all(reads)).toEqual(["tab 2", "tab 2"]);
  });

  test("a command that was not sent yet waits for an owner", async () => {
    const tabs = new Tabs();
    const gate = { open: (): void => {} };
    const first = open(tabs, () => new Promise((resolve) => (gate.open = resolve)));
    const second = open(tabs);
    const commanded = second.peer.ask({ type: "command", command: pause });
    await settle();
    tabs.kill(first.tab);
    await settle();
    second.owner?.settleCommands();
    expect(await commanded).toEqual(done);
  });
});

describe("an owner that does not respond", () => {
  test("loses the lock, and notices when it wakes up", async () => {
    const tabs = new Tabs();
    const [first, second] = [open(tabs), open(tabs)];
    await whoAnswers(second);
    first.tab.suspend();
    const read = whoAnswers(second);
    await settle();
    second.tab.advance(5_000);
    expect(await read).toBe("tab 2");

    first.tab.wake();
    await settle();
    expect(first.owner?.stopped?.code).toBe("owner_lost");
    expect(await whoAnswers(first)).toBe("tab 2");
  });

  test("loses the lock also to a tab that never got a message from it", async () => {
    const tabs = new Tabs();
    const first = open(tabs);
    await whoAnswers(first);
    first.tab.suspend();
    const second = open(tabs);
    const read = whoAnswers(second);
    await settle();
    second.tab.advance(5_000);
    expect(await read).toBe("tab 2");
  });

  test("keeps the lock if only a command is slow", async () => {
    const tabs = new Tabs();
    const [first, second] = [open(tabs), open(tabs)];
    await whoAnswers(second);
    const commanded = second.peer.ask({ type: "command", command: pause });
    for (let i = 0; i < 5; i++) {
      await settle();
      second.tab.advance(5_000);
    }
    first.owner?.settleCommands();
    expect(await commanded).toEqual(done);
    expect(second.owner).toBeUndefined();
  });

  test("keeps the lock if it is slow to open", async () => {
    const tabs = new Tabs();
    const gate = { open: (): void => {} };
    const first = open(tabs, () => new Promise((resolve) => (gate.open = resolve)));
    await settle();
    const second = open(tabs);
    const read = whoAnswers(second);
    await settle();
    second.tab.advance(5_000);
    await settle();
    gate.open();
    expect(await read).toBe("tab 1");
    expect(first.failed).toEqual([]);
  });
});

describe("an owner that must stop", () => {
  test("because its storage was claimed follows the new owner", async () => {
    const tabs = new Tabs();
    const [first, second] = [open(tabs), open(tabs)];
    await whoAnswers(second);
    first.owner?.events.stopped(new TourismoError("owner_lost"));
    await settle();
    expect(await whoAnswers(first)).toBe("tab 2");
    expect(first.failed).toEqual([]);
  });

  test("because its core failed reports it to its page, and another tab takes over", async () => {
    const tabs = new Tabs();
    const [first, second] = [open(tabs), open(tabs)];
    await whoAnswers(second);
    first.owner?.events.stopped(new TourismoError("core_failed"));
    await settle();
    expect(first.failed.map(({ code }) => code)).toEqual(["core_failed"]);
    expect(await whoAnswers(second)).toBe("tab 2");
  });

  test("before it opened rejects requests with its reason", async () => {
    const tabs = new Tabs();
    const first = open(tabs, () => Promise.reject(new TourismoError("storage_unavailable")));
    const read = codeOf(first.peer.ask({ type: "read", topic: "status" }));
    expect(await read).toBe("storage_unavailable");
    expect(first.failed.map(({ code }) => code)).toEqual(["storage_unavailable"]);
  });
});
