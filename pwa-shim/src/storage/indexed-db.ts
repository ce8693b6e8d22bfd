// The storage in IndexedDB: one object store per space, binary keys, strict durability.
//
// Without `strict` a transaction may complete while it is only in a cache of the operating system, so that a power loss would
// lose it. iOS closes the database handle of an app in the background without an event. Every use of such a handle fails, so that
// the handle is dropped and the database is opened again.

import { messageOf } from "../errors.ts";
import type { KeyRange, Space, StorageFailure, StoredEntry, StoreOp } from "../generated/types.ts";
import { Fenced, type ShellName, type Storage, StorageError } from "../storage.ts";

const SPACES = ["meta", "journal", "doc", "row", "change"] as const satisfies readonly Space[];
const SHELL = "shell";
const OWNER = "owner";
const VERSION = 1;
/** Timeout of a request. Some phones never answer a request on a closed handle. */
const SILENCE_MS = 10_000;

export class IndexedDbStorage implements Storage {
  readonly #name: string;
  readonly #factory: IDBFactory;
  #opened: Promise<IDBDatabase> | undefined;
  #owner: string | undefined;

  constructor(name: string, factory: IDBFactory = indexedDB) {
    this.#name = name;
    this.#factory = factory;
  }

  async claim(owner: string): Promise<void> {
    await this.#transaction([SHELL], "readwrite", (tx) => tx.objectStore(SHELL).put(owner, OWNER));
    this.#owner = owner;
  }

  async loadSpaces(spaces: readonly Space[]): Promise<StoredEntry[]> {
    return this.#read(spaces.map((space) => ({ space, keys: null })));
  }

  async load(ranges: readonly KeyRange[]): Promise<StoredEntry[]> {
    return this.#read(ranges.map((range) => ({ space: range.space, keys: keysOf(range) })));
  }

  async store(ops: readonly StoreOp[]): Promise<void> {
    const spaces = new Set(ops.map((op) => op.space));
    await this.#transaction([SHELL, ...spaces], "readwrite", (tx, stop) => {
      const owner = tx.objectStore(SHELL).get(OWNER);
      owner.onsuccess = () => {
        if (owner.result !== this.#owner) stop(new Fenced());
      };
      for (const op of ops) {
        const entries = tx.objectStore(op.space);
        switch (op.type) {
          case "put":
            entries.put(op.value, key(op.key));
            break;
          case "delete":
            entries.delete(keysOf(op));
            break;
          default:
            op satisfies never;
        }
      }
    });
  }

  async get(name: ShellName): Promise<unknown> {
    let request: IDBRequest<unknown> | undefined;
    await this.#transaction([SHELL], "readonly", (tx) => {
      request = tx.objectStore(SHELL).get(name);
    });
    return request?.result;
  }

  async put(name: ShellName, value: unknown): Promise<void> {
    await this.#transaction([SHELL], "readwrite", (tx) => tx.objectStore(SHELL).put(value, name));
  }

  close(): void {
    void this.#opened?.then((db) => db.close()).catch(() => {});
    this.#opened = undefined;
  }

  async #read(parts: readonly { space: Space; keys: IDBKeyRange | null }[]): Promise<StoredEntry[]> {
    if (parts.length === 0) return [];
    const requests: { space: Space; keys: IDBRequest<IDBValidKey[]>; values: IDBRequest<Uint8Array[]> }[] = [];
    await this.#transaction([...new Set(parts.map((part) => part.space))], "readonly", (tx) => {
      requests.length = 0;
      for (const { space, keys } of parts) {
        const entries = tx.objectStore(space);
        requests.push({ space, keys: entries.getAllKeys(keys), values: entries.getAll(keys) });
      }
    });
    return requests.flatMap(({ space, keys, values }) =>
      keys.result.map((key, i) => ({
        space,
        key: new Uint8Array(key as ArrayBuffer),
        value: values.result[i] as Uint8Array,
      })),
    );
  }

  /** Runs a transaction. If the handle is dead, opens the database again and repeats the transaction once. */
  async #transaction(stores: string[], mode: IDBTransactionMode, fill: Fill): Promise<void> {
    try {
      return await runTransaction(await this.#open(), stores, mode, fill);
    } catch (thrown) {
      if (!isDeadHandle(thrown)) throw mapped(thrown);
    }
    this.close();
    try {
      await runTransaction(await this.#open(), stores, mode, fill);
    } catch (thrown) {
      this.close();
      throw mapped(thrown);
    }
  }

  #open(): Promise<IDBDatabase> {
    this.#opened ??= open(this.#factory, this.#name, () => (this.#opened = undefined));
    return this.#opened;
  }
}

/** Adds requests to a transaction. `stop` aborts it with a reason. */
type Fill = (tx: IDBTransaction, stop: (reason: Error) => void) => void;

function open(factory: IDBFactory, name: string, onGone: () => void): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const failed = (thrown: unknown): void => {
      clearTimeout(silence);
      onGone();
      reject(thrown);
    };
    let isAwaited = true;
    const silence = setTimeout(() => {
      isAwaited = false;
      failed(silent("the database does not open"));
    }, SILENCE_MS);
    try {
      const request = factory.open(name, VERSION);
      request.onupgradeneeded = () => {
        for (const store of [...SPACES, SHELL]) request.result.createObjectStore(store);
      };
      request.onsuccess = () => {
        const db = request.result;
        clearTimeout(silence);
        if (!isAwaited) {
          db.close();
          return;
        }
        db.onclose = onGone;
        // A newer version of the app upgrades the database and must not wait for this one.
        db.onversionchange = () => {
          onGone();
          db.close();
        };
        resolve(db);
      };
      request.onerror = () => failed(request.error);
      request.onblocked = () => failed(new StorageError("unavailable", "an older version of the app holds the database"));
    } catch (thrown) {
      failed(thrown);
    }
  });
}

function runTransaction(db: IDBDatabase, stores: string[], mode: IDBTransactionMode, fill: Fill): Promise<void> {
  return new Promise((resolve, reject) => {
    let reason: Error | undefined;
    const tx = db.transaction(stores, mode, { durability: "strict" });
    const stop = (why: Error): void => {
      reason = why;
      tx.abort();
    };
    // It may still be performed afterwards. Performing it twice does no harm.
    const silence = setTimeout(() => {
      reject(silent("a transaction does not end"));
      tryTo(() => tx.abort());
    }, SILENCE_MS);
    tx.oncomplete = () => {
      clearTimeout(silence);
      resolve();
    };
    // An error of a request aborts its transaction. Quota errors are only on the transaction.
    tx.onabort = () => {
      clearTimeout(silence);
      reject(reason ?? tx.error ?? new DOMException("the transaction was aborted", "AbortError"));
    };
    try {
      fill(tx, stop);
    } catch (thrown) {
      clearTimeout(silence);
      reject(thrown);
      // The handle may be dead by now.
      tryTo(() => tx.abort());
    }
  });
}

/** A timeout, handled like a dead handle. */
function silent(message: string): DOMException {
  return new DOMException(message, "UnknownError");
}

function tryTo(act: () => void): void {
  try {
    act();
  } catch {
    // The transaction has ended already.
  }
}

function isDeadHandle(thrown: unknown): boolean {
  return thrown instanceof DOMException && (thrown.name === "InvalidStateError" || thrown.name === "UnknownError");
}

function mapped(thrown: unknown): Error {
  if (thrown instanceof Fenced || thrown instanceof StorageError) return thrown;
  return new StorageError(failureNamed(thrown instanceof DOMException ? thrown.name : ""), messageOf(thrown));
}

function failureNamed(name: string): StorageFailure {
  switch (name) {
    case "QuotaExceededError":
      return "quotaExceeded";
    case "AbortError":
      return "aborted";
    default:
      return "unavailable";
  }
}

function keysOf(range: KeyRange): IDBKeyRange {
  return IDBKeyRange.bound(key(range.from), key(range.to));
}

// Bytes from the core may be a view into a larger buffer. The key is a copy of the view.
function key(bytes: Uint8Array): ArrayBuffer {
  return bytes.slice().buffer as ArrayBuffer;
}
