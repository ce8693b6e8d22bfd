// The storage of an owner: the key-value spaces of the core, and a few values of the shell.
//
// Both implementations (memory and IndexedDB) pass the tests in storage/contract.test.ts.

import type { KeyRange, Space, StorageFailure, StoredEntry, StoreOp } from "./generated/types.ts";

export interface Storage {
  /**
   * Makes `owner` the only one that may write. Writes of earlier owners reject with `Fenced` from then on, also after they were
   * suspended.
   */
  claim(owner: string): Promise<void>;
  /** All entries of these spaces, ascending in each. */
  loadSpaces(spaces: readonly Space[]): Promise<StoredEntry[]>;
  /** The entries of each range, ascending in each. */
  load(ranges: readonly KeyRange[]): Promise<StoredEntry[]>;
  /** Performs the operations in one transaction. When it resolves they are on disk, not only in a cache. */
  store(ops: readonly StoreOp[]): Promise<void>;
  /** Reads a value of the shell; `undefined` if there is none. */
  get(name: ShellName): Promise<unknown>;
  /** Stores a value of the shell durably. */
  put(name: ShellName, value: unknown): Promise<void>;
  /** Releases all resources. */
  close(): void;
}

/** The values of the shell. */
export type ShellName = "deviceKey";

/** A failure of the storage. Every method may reject with it. Nothing of the transaction was stored. */
export class StorageError extends Error {
  override readonly name = "StorageError";
  readonly failure: StorageFailure;

  constructor(failure: StorageFailure, message: string) {
    super(message);
    this.failure = failure;
  }
}

/** Another owner claimed the storage: this one must stop. */
export class Fenced extends Error {
  override readonly name = "Fenced";
}

/** The failure, for the core, of anything that a storage threw. */
export function failureOf(thrown: unknown): StorageFailure {
  return thrown instanceof StorageError ? thrown.failure : "unavailable";
}
