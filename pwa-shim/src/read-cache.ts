// A cache of answers of the relay, so that they can be shown with their age where there is no signal.
//
// Keys contain the account, since answers depend on who asks. The cache is small, since published data may be withdrawn; the
// oldest answers are deleted first.

import type { Timestamp } from "./generated/types.ts";

/** An answer and the time of its fetch. */
export interface CachedAnswer {
  body: string;
  fetchedAt: Timestamp;
}

/** A cache of answers. If it fails, reads work without it. */
export interface ReadCache {
  keep(key: string, kept: CachedAnswer): Promise<void>;
  find(key: string): Promise<CachedAnswer | undefined>;
  delete(key: string): Promise<void>;
  clear(): Promise<void>;
}

/** Larger answers, such as tracks of very long drives, are not kept. */
const MAX_CHARS = 400_000;
const FETCHED_AT = "x-fetched-at";

/** A cache in the browser's Cache API. */
export class BrowserReadCache implements ReadCache {
  readonly #name: string;
  readonly #entries: number;

  /** Caches of one name share their answers, at most `entries` of them. */
  constructor(name = "tourismo-answers", entries = 150) {
    this.#name = name;
    this.#entries = entries;
  }

  async keep(key: string, kept: CachedAnswer): Promise<void> {
    if (kept.body.length > MAX_CHARS) return;
    const cache = await caches.open(this.#name);
    await cache.put(addressOf(key), new Response(kept.body, { headers: { [FETCHED_AT]: String(kept.fetchedAt) } }));
    // Keys are in the order of insertion.
    const keys = await cache.keys();
    await Promise.all(keys.slice(0, Math.max(0, keys.length - this.#entries)).map((old) => cache.delete(old)));
  }

  async find(key: string): Promise<CachedAnswer | undefined> {
    const response = await (await caches.open(this.#name)).match(addressOf(key));
    const fetchedAt = Number(response?.headers.get(FETCHED_AT) ?? undefined);
    // An earlier version of the app kept it without this header.
    return response && Number.isFinite(fetchedAt) ? { body: await response.text(), fetchedAt } : undefined;
  }

  async delete(key: string): Promise<void> {
    await (await caches.open(this.#name)).delete(addressOf(key));
  }

  async clear(): Promise<void> {
    await caches.delete(this.#name);
  }
}

/** A cache in memory, for tests and for browsers without a Cache API. */
export class MemoryReadCache implements ReadCache {
  readonly #kept = new Map<string, CachedAnswer>();

  async keep(key: string, kept: CachedAnswer): Promise<void> {
    this.#kept.set(key, kept);
  }

  async find(key: string): Promise<CachedAnswer | undefined> {
    return this.#kept.get(key);
  }

  async delete(key: string): Promise<void> {
    this.#kept.delete(key);
  }

  async clear(): Promise<void> {
    this.#kept.clear();
  }
}

/** The Cache API needs URLs as keys. */
function addressOf(key: string): string {
  return `https://cache.invalid/${encodeURIComponent(key)}`;
}
