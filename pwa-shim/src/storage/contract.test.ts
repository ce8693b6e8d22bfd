// The contract of storages, tested on each implementation. The tests in tests/browser use IndexedDB of a real browser.

import { IDBFactory } from "fake-indexeddb";
import "fake-indexeddb/auto";
import { describe, expect, test, vi } from "vitest";

import type { StoredEntry, StoreOp } from "../generated/types.ts";
import { Fenced, type Storage, StorageError } from "../storage.ts";
import { IndexedDbStorage } from "./indexed-db.ts";
import { MemoryDisk, MemoryStorage } from "./memory.ts";

/** Makes storages that share one disk, like tabs. */
type Disk = () => () => Storage;

const disks: Record<string, Disk> = {
  memory: () => {
    const disk = new MemoryDisk();
    return () => new MemoryStorage(disk);
  },
  IndexedDB: () => {
    const factory = new IDBFactory();
    return () => new IndexedDbStorage("test", factory);
  },
};

const entry = (space: StoredEntry["space"], key: number[], value: number[]): StoredEntry => ({
  space,
  key: Uint8Array.from(key),
  value: Uint8Array.from(value),
});
const put = (...args: Parameters<typeof entry>): StoreOp => ({ type: "put", ...entry(...args) });
const range = (space: StoredEntry["space"], from: number[], to: number[]) => ({
  space,
  from: Uint8Array.from(from),
  to: Uint8Array.from(to),
});

describe.each(Object.entries(disks))("a storage in %s", (_, disk) => {
  async function claimed(): Promise<{ storage: Storage; another: () => Storage }> {
    const another = disk();
    const storage = another();
    await storage.claim("first");
    return { storage, another };
  }

  test("stored entries are there when it is opened again", async () => {
    const { storage, another } = await claimed();
    await storage.store([put("doc", [1], [7, 8]), put("meta", [0], [9])]);
    storage.close();
    const found = await another().loadSpaces(["meta", "doc", "row"]);
    expect(found).toEqual([entry("meta", [0], [9]), entry("doc", [1], [7, 8])]);
  });

  test("keys sort as bytes, and a range has both its ends", async () => {
    const { storage } = await claimed();
    await storage.store([[2], [1, 0], [1], [255], [1, 255]].map((key) => put("change", key, key)));
    const keys = (await storage.load([range("change", [1], [2])])).map(({ key }) => [...key]);
    expect(keys).toEqual([[1], [1, 0], [1, 255], [2]]);
  });

  test("ranges are returned in the order of the request", async () => {
    const { storage } = await claimed();
    await storage.store([put("change", [1], [1]), put("row", [2], [2])]);
    const found = await storage.load([range("row", [0], [9]), range("change", [5], [9]), range("change", [1], [1])]);
    expect(found.map(({ value }) => [...value])).toEqual([[2], [1]]);
  });

  test("operations are performed in their order", async () => {
    const { storage } = await claimed();
    await storage.store([
      put("journal", [1], [1]),
      { type: "delete", ...range("journal", [0], [5]) },
      put("journal", [2], [2]),
      put("journal", [2], [3]),
    ]);
    expect(await storage.loadSpaces(["journal"])).toEqual([entry("journal", [2], [3])]);
  });

  test("of a key that is a view into a larger buffer only the view is stored", async () => {
    const { storage } = await claimed();
    const key = Uint8Array.from([9, 1, 9]).subarray(1, 2);
    await storage.store([{ type: "put", space: "doc", key, value: Uint8Array.from([5]) }]);
    expect(await storage.loadSpaces(["doc"])).toEqual([entry("doc", [1], [5])]);
  });

  test("an owner that lost it stores nothing, and can still read", async () => {
    const { storage, another } = await claimed();
    await storage.store([put("doc", [1], [1])]);
    const successor = another();
    await successor.claim("second");
    await expect(storage.store([put("doc", [1], [2])])).rejects.toBeInstanceOf(Fenced);
    expect(await successor.loadSpaces(["doc"])).toEqual([entry("doc", [1], [1])]);
    await successor.store([put("doc", [1], [3])]);
    expect(await storage.loadSpaces(["doc"])).toEqual([entry("doc", [1], [3])]);
  });

  test("values of the shell are kept apart", async () => {
    const { storage, another } = await claimed();
    expect(await storage.get("deviceKey")).toBeUndefined();
    await storage.put("deviceKey", Uint8Array.from([1, 2]));
    expect(await another().get("deviceKey")).toEqual(Uint8Array.from([1, 2]));
    expect(await storage.loadSpaces(["meta", "journal", "doc", "row", "change"])).toEqual([]);
  });
});

describe("IndexedDB", () => {
  test("a dead handle is replaced", async () => {
    const storage = new IndexedDbStorage("test", dyingFactory(1));
    await storage.claim("first");
    await storage.store([put("doc", [1], [1])]);
    expect(await storage.loadSpaces(["doc"])).toEqual([entry("doc", [1], [1])]);
  });

  test("a transaction that is never answered times out, and is repeated with a new handle", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      const storage = new IndexedDbStorage("test", silentFactory(1));
      const claimed = storage.claim("first");
      await vi.waitFor(() => expect(vi.getTimerCount()).toBe(1));
      await vi.advanceTimersByTimeAsync(10_000);
      vi.useRealTimers();
      await claimed;
      await storage.store([put("doc", [1], [1])]);
      expect(await storage.loadSpaces(["doc"])).toEqual([entry("doc", [1], [1])]);
    } finally {
      vi.useRealTimers();
    }
  });

  test.each([
    ["QuotaExceededError", "quotaExceeded"],
    ["AbortError", "aborted"],
    ["NotAllowedError", "unavailable"],
    ["InvalidStateError", "unavailable"],
  ] as const)("%s is told as %s", async (name, failure) => {
    const storage = new IndexedDbStorage("test", failingFactory(name));
    const failed = await storage.claim("first").catch((thrown: unknown) => thrown);
    expect(failed).toBeInstanceOf(StorageError);
    expect((failed as StorageError).failure).toBe(failure);
  });
});

/** A factory whose first `deaths` handles are dead as soon as they are open. */
function dyingFactory(deaths: number): IDBFactory {
  const factory = new IDBFactory();
  let left = deaths;
  const open = factory.open.bind(factory);
  factory.open = (...args) => {
    const request = open(...args);
    request.addEventListener("success", () => {
      if (left-- > 0) request.result.close();
    });
    return request;
  };
  return factory;
}

/** A factory whose databases refuse every transaction. */
function failingFactory(name: string): IDBFactory {
  const factory = new IDBFactory();
  const open = factory.open.bind(factory);
  factory.open = (...args) => {
    const request = open(...args);
    request.addEventListener("success", () => {
      request.result.transaction = () => {
        throw new DOMException("injected", name);
      };
    });
    return request;
  };
  return factory;
}

/** A factory whose first `silences` handles answer nothing. */
function silentFactory(silences: number): IDBFactory {
  const factory = new IDBFactory();
  let left = silences;
  const open = factory.open.bind(factory);
  factory.open = (...args) => {
    const request = open(...args);
    request.addEventListener("success", () => {
      if (left-- <= 0) return;
      const nothing = { objectStore: () => ({ put: () => undefined }), abort: () => undefined };
      request.result.transaction = () => nothing as unknown as IDBTransaction;
    });
    return request;
  };
  return factory;
}
