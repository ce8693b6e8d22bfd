// What the owner needs of a storage: the core's key-value spaces, and a drawer for the shell's own things.
//
// Both storages (memory and IndexedDB) pass the suite in storage/contract.ts.

import type { KeyRange, Space, StorageFailure, StoredEntry, StoreOp } from "./generated/types.ts";

export interface Storage {
  /**
   * Makes `owner` the only one that may store. Whoever owned the storage before gets `Fenced` from then on, also if it was
   * suspended meanwhile and believes to own it still.
   */
  claim(owner: string): Promise<void>;
  /** Everything in these spaces, ascending in each. */
  loadSpaces(spaces: readonly Space[]): Promise<StoredEntry[]>;
  /** The entries of each range, ascending in each. */
  load(ranges: readonly KeyRange[]): Promise<StoredEntry[]>;
  /** Performs all operations in one transaction, or none. When it resolves they are on disk, not only in a cache. */
  store(ops: readonly StoreOp[]): Promise<void>;
  /** What the shell keeps under this name, or `undefined`. */
  get(name: ShellName): Promise<unknown>;
  /** Keeps something of the shell's, durably. */
  put(name: ShellName, value: unknown): Promise<void>;
  /** Lets go of everything that is held. */
  close(): void;
}

/** What the shell itself keeps. */
export type ShellName = "deviceKey";

/** The storage refused; every method may reject with it. Nothing of the transaction was stored. */
export class StorageError extends Error {
  override readonly name = "StorageError";
  readonly failure: StorageFailure;

  constructor(failure: StorageFailure, message: string) {
    super(message);
    this.failure = failure;
  }
}

/** Somebody else claimed the storage: the one who gets this must stop. */
export class Fenced extends Error {
  override readonly name = "Fenced";
}

/** What to tell the core about anything that a storage threw. */
export function failureOf(thrown: unknown): StorageFailure {
  return thrown instanceof StorageError ? thrown.failure : "unavailable";
}
