import { describe, expect, test } from "vitest";

import type { Core, Status } from "./core.ts";
import { TourismoError } from "./errors.ts";
import type { Bootstrap, Effect, FoundDrives, Input, MembersView, StatusView, Topic } from "./generated/types.ts";
import { type Environment, Owner } from "./owner.ts";
import type { SocketEvents } from "./relay-socket.ts";
import { MemoryDisk, MemoryStorage } from "./storage/memory.ts";
import { Fenced, type Storage, StorageError } from "./storage.ts";
import { settle, Tabs } from "./testing/tabs.ts";

/** A core that returns the scripted effects for each input. */
class ScriptedCore implements Core {
  readonly inputs: Input[] = [];
  readonly script: Partial<Record<Input["type"], Effect[]>> = {};

  handle(_: unknown, input: Input): Effect[] {
    this.inputs.push(input);
    return this.script[input.type] ?? [];
  }

  types(): string[] {
    return this.inputs.map(({ type }) => type);
  }

  recording = (): null => null;
  drives = (): [] => [];
  findDrives = (): FoundDrives => {
    throw new Error("unreachable");
  };
  cars = (): [] => [];
  social = (): never => {
    throw new Error("unreachable");
  };
  meets = (): [] => [];
  track = (): null => null;
  account = (): never => {
    throw new Error("unreachable");
  };
  members = (): MembersView => ({ isRemoved: false, devices: [], recovery: [] });
  status = (): StatusView => ({}) as StatusView;
}

async function open(storage: Storage = new MemoryStorage(new MemoryDisk())) {
  const core = new ScriptedCore();
  const tab = new Tabs().open();
  const seen = {
    opening: undefined as Bootstrap | undefined,
    socket: undefined as SocketEvents | undefined,
    said: [] as string[],
    changed: [] as Topic[],
    stopped: [] as string[],
  };
  const environment: Environment = {
    openCore: (opening) => {
      seen.opening = opening;
      return core;
    },
    storage,
    openSocket: (events) => {
      seen.socket = events;
      return {
        connect: () => seen.said.push("connect"),
        send: (bytes) => seen.said.push(`send ${[...bytes]}`),
        disconnect: () => seen.said.push("disconnect"),
      };
    },
    clock: tab.clock,
    isOnline: () => true,
  };
  const owner = await Owner.open("owner", environment, {
    changed: (topics) => seen.changed.push(...topics),
    stopped: (why) => seen.stopped.push(why.code),
  });
  return { owner, core, tab, seen };
}

const store: Effect = {
  type: "store",
  batch: 7,
  ops: [{ type: "put", space: "doc", key: Uint8Array.of(1), value: Uint8Array.of(2) }],
};

describe("the status", () => {
  const isRefused = (owner: Owner): boolean => (owner.read("status") as Status).isPageRefused;

  test("says that the page is refused after two handshakes that the relay refused while it answers", async () => {
    const { owner, seen } = await open();
    seen.changed.length = 0;
    seen.socket?.handshakeFailed(true);
    expect(isRefused(owner), "a relay that restarts may refuse one").toBe(false);
    seen.socket?.handshakeFailed(true);
    expect([isRefused(owner), seen.changed]).toEqual([true, ["status"]]);
    seen.socket?.handshakeFailed(true);
    expect(seen.changed, "nothing has changed").toEqual(["status"]);
    seen.socket?.connected("https://relay.example");
    expect([isRefused(owner), seen.changed]).toEqual([false, ["status", "status"]]);
  });

  test("does not say so when the relay cannot be reached at all", async () => {
    const { owner, seen } = await open();
    for (const isAnswering of [true, false, true, false]) seen.socket?.handshakeFailed(isAnswering);
    expect(isRefused(owner)).toBe(false);
  });
});

describe("an owner", () => {
  test("refuses a command that the core cannot read, and continues", async () => {
    const { owner, core, seen } = await open();
    core.handle = (_, input) => {
      if (input.type === "command") throw Object.assign(new Error("drive: an id has 32 digits"), { code: "not_convertible" });
      return [];
    };
    const refused = owner.command({ type: "openDrive", drive: "what somebody typed" });
    await expect(refused).rejects.toMatchObject({ code: "invalid", message: "openDrive: drive: an id has 32 digits" });
    expect(seen.stopped).toEqual([]);
  });

  test("refuses a search that the core cannot read or refuses, and stops if the core fails", async () => {
    const { owner, core, seen } = await open();
    for (const code of ["not_convertible", "invalid"]) {
      core.findDrives = () => {
        throw Object.assign(new Error("text: at most 200 characters"), { code });
      };
      expect(() => owner.findDrives({ text: "x".repeat(201) })).toThrow("text: at most 200 characters");
    }
    expect(seen.stopped).toEqual([]);
    core.findDrives = () => {
      throw new Error("unreachable executed");
    };
    expect(() => owner.findDrives({})).toThrow("unreachable executed");
    expect(seen.stopped).toEqual(["core_failed"]);
  });

  test("refuses an event of a page that the core cannot read, and continues", async () => {
    const { owner, core, seen } = await open();
    core.handle = (_, input) => {
      if (input.type === "network") throw Object.assign(new Error("online: true or false"), { code: "not_convertible" });
      return [];
    };
    expect(() => owner.tell({ type: "network", online: "yes" as never })).toThrow("network: online: true or false");
    expect(() => owner.read("cart" as never)).toThrow("there is no topic cart");
    expect(seen.stopped).toEqual([]);
    expect(() => owner.read("cars")).not.toThrow();
  });

  test("stops if the core cannot read another input", async () => {
    const { owner, core, seen } = await open();
    core.handle = (_, input) => {
      if (input.type === "received") throw Object.assign(new Error("bytes"), { code: "not_convertible" });
      return [];
    };
    owner.tell({ type: "received", bytes: Uint8Array.of() });
    expect(seen.stopped).toEqual(["core_failed"]);
  });

  test("starts the core with the stored entries, a new seed and always the same key", async () => {
    const disk = new MemoryDisk();
    const first = await open(new MemoryStorage(disk));
    first.core.script.hidden = [store];
    first.owner.tell({ type: "hidden" });
    await settle();
    const second = await open(new MemoryStorage(disk));
    expect(second.core.types()).toEqual(["start", "zone", "network"]);
    expect(second.seen.opening?.stored).toHaveLength(1);
    expect(second.seen.opening?.device).toEqual(first.seen.opening?.device);
    expect(second.seen.opening?.seed).not.toEqual(first.seen.opening?.seed);
  });

  test("returns its public key", async () => {
    const { owner, seen } = await open();
    expect(owner.device()).toEqual(seen.opening?.device);
    expect(owner.device()).toHaveLength(32);
  });

  test("reports to the core when a transaction is on disk", async () => {
    const { owner, core } = await open();
    core.script.hidden = [store];
    owner.tell({ type: "hidden" });
    await settle();
    expect(core.inputs.at(-1)).toEqual({ type: "stored", batch: 7 });
  });

  test.each(["quotaExceeded", "aborted", "unavailable"] as const)(
    "reports the storage failure %s to the core",
    async (failure) => {
      const storage = new MemoryStorage(new MemoryDisk());
      const { owner, core } = await open(storage);
      storage.store = () => Promise.reject(new StorageError(failure, "injected"));
      storage.load = () => Promise.reject(new StorageError(failure, "injected"));
      core.script.hidden = [store, { type: "load", request: 3, ranges: [] }];
      owner.tell({ type: "hidden" });
      await settle();
      expect(core.inputs).toContainEqual({ type: "storeFailed", batch: 7, failure });
      expect(core.inputs).toContainEqual({ type: "loadFailed", request: 3, failure });
    },
  );

  test("signs with its key", async () => {
    const { owner, core, seen } = await open();
    core.script.hidden = [{ type: "sign", request: 1, bytes: Uint8Array.of(1, 2, 3) }];
    owner.tell({ type: "hidden" });
    await expect.poll(() => core.types()).toContain("signed");
    const signed = core.inputs.find((input) => input.type === "signed");
    const key = await crypto.subtle.importKey("raw", Uint8Array.from(seen.opening?.device ?? []), "Ed25519", true, ["verify"]);
    const signature = Uint8Array.from(signed?.signature ?? []);
    expect(await crypto.subtle.verify("Ed25519", key, signature, Uint8Array.of(1, 2, 3))).toBe(true);
  });

  test("carries messages both ways", async () => {
    const { owner, core, seen } = await open();
    core.script.hidden = [{ type: "connect" }, { type: "send", bytes: Uint8Array.of(1) }, { type: "disconnect" }];
    owner.tell({ type: "hidden" });
    expect(seen.said).toEqual(["connect", "send 1", "disconnect"]);
    seen.socket?.connected("https://relay.example");
    seen.socket?.received(Uint8Array.of(9));
    seen.socket?.disconnected();
    expect(core.types().slice(-3)).toEqual(["connected", "received", "disconnected"]);
    expect(core.inputs.at(-3)).toEqual({ type: "connected", origin: "https://relay.example" });
  });

  test("has one timer, which a new one replaces", async () => {
    const { owner, core, tab } = await open();
    core.script.hidden = [{ type: "setTimer", inMs: 100, why: "test" }];
    owner.tell({ type: "hidden" });
    owner.tell({ type: "hidden" });
    tab.advance(99);
    expect(core.types()).not.toContain("tick");
    tab.advance(1);
    expect(core.types().filter((type) => type === "tick")).toHaveLength(1);
  });

  test("resolves each command with its own outcome", async () => {
    const { owner, core } = await open();
    const [first, second] = [owner.command({ type: "pauseDrive" }), owner.command({ type: "pauseDrive" })];
    core.script.tick = [
      { type: "settled", request: 2, outcome: { type: "refused", code: "not_recording" } },
      { type: "settled", request: 1, outcome: { type: "done", doc: null } },
    ];
    owner.tell({ type: "tick" });
    expect(await first).toEqual({ type: "done", doc: null });
    expect(await second).toEqual({ type: "refused", code: "not_recording" });
  });

  test("stops when another owner claimed the storage", async () => {
    const storage = new MemoryStorage(new MemoryDisk());
    const { owner, core, seen } = await open(storage);
    const waiting = owner.command({ type: "pauseDrive" });
    storage.store = () => Promise.reject(new Fenced());
    core.script.hidden = [store];
    owner.tell({ type: "hidden" });
    await expect(waiting).rejects.toMatchObject({ code: "owner_lost" });
    expect(seen.stopped).toEqual(["owner_lost"]);
    const before = core.inputs.length;
    owner.tell({ type: "tick" });
    expect(core.inputs).toHaveLength(before);
  });

  test("stops when the core fails, and rejects waiting commands", async () => {
    const { owner, seen } = await open();
    const waiting = owner.command({ type: "pauseDrive" });
    expect(() => owner.read("account")).toThrow(TourismoError);
    await expect(waiting).rejects.toMatchObject({ code: "core_failed" });
    expect(seen.stopped).toEqual(["core_failed"]);
    await expect(owner.command({ type: "pauseDrive" })).rejects.toMatchObject({ code: "core_failed" });
  });

  test("does not open if the storage cannot be read", async () => {
    const storage = new MemoryStorage(new MemoryDisk());
    storage.loadSpaces = () => Promise.reject(new StorageError("unavailable", "injected"));
    await expect(open(storage)).rejects.toMatchObject({ code: "storage_unavailable" });
  });
});
