// What the relay told, kept on this device, so that it can be shown with its age where there is no signal.
//
// Kept apart by account: an answer was made for whoever asked. What others published may be withdrawn, so little is kept,
// and the oldest goes first.

import type { Timestamp } from "./generated/types.ts";

/** An answer and when it was given. */
export interface Kept {
  body: string;
  toldAt: Timestamp;
}

/** Where answers are kept. A cache that fails keeps nothing, which is no failure of a read. */
export interface ReadCache {
  keep(key: string, kept: Kept): Promise<void>;
  find(key: string): Promise<Kept | undefined>;
  clear(): Promise<void>;
}

/** Whole tracks of long drives are larger. */
const MAX_CHARS = 400_000;
const TOLD_AT = "x-told-at";

/** In the browser's Cache API, which service workers and pages share. */
export class BrowserReadCache implements ReadCache {
  readonly #name: string;
  readonly #entries: number;

  /** Caches of one name share what they keep: so many answers. */
  constructor(name = "tourismo-told", entries = 150) {
    this.#name = name;
    this.#entries = entries;
  }

  async keep(key: string, kept: Kept): Promise<void> {
    if (kept.body.length > MAX_CHARS) return;
    const cache = await caches.open(this.#name);
    await cache.put(addressOf(key), new Response(kept.body, { headers: { [TOLD_AT]: String(kept.toldAt) } }));
    // In the order in which they were put.
    const keys = await cache.keys();
    await Promise.all(keys.slice(0, Math.max(0, keys.length - this.#entries)).map((old) => cache.delete(old)));
  }

  async find(key: string): Promise<Kept | undefined> {
    const response = await (await caches.open(this.#name)).match(addressOf(key));
    return response && { body: await response.text(), toldAt: Number(response.headers.get(TOLD_AT)) };
  }

  async clear(): Promise<void> {
    await caches.delete(this.#name);
  }
}

/** In memory, for tests and for browsers without a Cache API. */
export class MemoryReadCache implements ReadCache {
  readonly #kept = new Map<string, Kept>();

  async keep(key: string, kept: Kept): Promise<void> {
    this.#kept.set(key, kept);
  }

  async find(key: string): Promise<Kept | undefined> {
    return this.#kept.get(key);
  }

  async clear(): Promise<void> {
    this.#kept.clear();
  }
}

/** The Cache API wants addresses. */
function addressOf(key: string): string {
  return `https://told.invalid/${encodeURIComponent(key)}`;
}
