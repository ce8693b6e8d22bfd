// The incomplete import, stored so that it can continue after a kill of the app.

import type { Choice } from "./importing.ts";

/** Files to import, and the choices of the user. */
export interface PendingImport {
  files: File[];
  choice: Choice;
  /** The number of times that it was begun. */
  starts: number;
}

const DATABASE = "tourismo import";
const STORE = "pending";

/** Stores a pending import and replaces the previous one. Rejects if there is no room for the files. */
export function keepPending(pending: PendingImport): Promise<void> {
  return transact("readwrite", (store) => store.put(pending, STORE)).then(() => undefined);
}

/** Resolves to the pending import. Damaged or missing ones are `undefined`. */
export async function readPending(): Promise<PendingImport | undefined> {
  return (await transact("readonly", (store) => store.get(STORE)).catch(() => undefined)) as PendingImport | undefined;
}

export async function removePending(): Promise<void> {
  await transact("readwrite", (store) => store.delete(STORE)).catch(() => undefined);
}

function transact(mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(DATABASE, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const database = opening.result;
      const transaction = database.transaction(STORE, mode);
      const request = act(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(transaction.error);
      transaction.addEventListener("complete", () => database.close());
      transaction.addEventListener("abort", () => database.close());
    };
  });
}
