// Simulated tabs for tests of the election: a lock manager, a channel between tabs, and a clock that the test advances. A tab can be
// ended or suspended at any moment, like on a phone.

import type { PeerMessage } from "../messages.ts";
import type { Clock } from "../owner.ts";
import type { Channel } from "../peer.ts";

/** The lock manager of an origin, for one exclusive lock of each name. */
export class Locks {
  readonly #held = new Map<string, { tab: Tab; rejectHolder: (why: unknown) => void }>();
  readonly #queues = new Map<string, Waiting[]>();

  /** The lock manager as a tab sees it. */
  of(tab: Tab): Pick<LockManager, "request"> {
    const request = (name: string, options: LockOptions, callback: () => Promise<unknown>): Promise<unknown> =>
      new Promise((resolve, reject) => {
        const waiting: Waiting = { tab, callback, resolve, reject };
        options.signal?.addEventListener("abort", () => {
          this.#queue(name).splice(this.#queue(name).indexOf(waiting) >>> 0, 1);
          reject(abortError());
        });
        if (options.steal) {
          const robbed = this.#held.get(name);
          robbed?.tab.whenAwake(() => robbed.rejectHolder(abortError()));
          this.#grant(name, waiting);
        } else {
          this.#queue(name).push(waiting);
          this.#next(name);
        }
      });
    return { request: request as LockManager["request"] };
  }

  /** Releases the locks of an ended tab. */
  release(tab: Tab): void {
    for (const [name, queue] of this.#queues)
      this.#queues.set(
        name,
        queue.filter((waiting) => waiting.tab !== tab),
      );
    for (const [name, held] of this.#held) {
      if (held.tab !== tab) continue;
      this.#held.delete(name);
      this.#next(name);
    }
  }

  #next(name: string): void {
    if (this.#held.has(name)) return;
    const waiting = this.#queue(name).shift();
    if (waiting) this.#grant(name, waiting);
  }

  #grant(name: string, { tab, callback, resolve, reject }: Waiting): void {
    const held = { tab, rejectHolder: reject };
    this.#held.set(name, held);
    void Promise.resolve()
      .then(callback)
      .then(resolve, reject)
      .finally(() => {
        if (this.#held.get(name) !== held) return;
        this.#held.delete(name);
        this.#next(name);
      });
  }

  #queue(name: string): Waiting[] {
    let queue = this.#queues.get(name);
    if (!queue) this.#queues.set(name, (queue = []));
    return queue;
  }
}

interface Waiting {
  tab: Tab;
  callback: () => Promise<unknown>;
  resolve: (value: unknown) => void;
  reject: (why: unknown) => void;
}

/** The tabs of an origin. */
export class Tabs {
  readonly locks = new Locks();
  readonly #open: Tab[] = [];
  #names = 0;

  open(): Tab {
    const tab = new Tab(`tab ${++this.#names}`, this);
    this.#open.push(tab);
    return tab;
  }

  /** Ends a tab without an event. */
  kill(tab: Tab): void {
    tab.suspend();
    this.#open.splice(this.#open.indexOf(tab), 1);
    this.locks.release(tab);
  }

  broadcast(from: Tab, message: PeerMessage): void {
    for (const tab of this.#open) if (tab !== from) tab.deliver(structuredClone(message));
  }
}

/** One tab: its end of the channel, its lock manager and its clock. */
export class Tab implements Channel {
  onmessage: ((event: MessageEvent<PeerMessage>) => void) | null = null;
  readonly name: string;
  readonly #tabs: Tabs;
  readonly locks: Pick<LockManager, "request">;
  readonly clock: Clock;
  readonly #timers = new Set<{ at: number; call: () => void }>();
  #nowMs = 0;
  /** Events of a suspended tab, delivered when it wakes up. */
  #missed: (() => void)[] | undefined;

  constructor(name: string, tabs: Tabs) {
    this.name = name;
    this.#tabs = tabs;
    this.locks = tabs.locks.of(this);
    this.clock = {
      utcOffsetMin: () => 120,
      now: () => ({ wall: this.#nowMs, monotonicMs: this.#nowMs }),
      after: (ms, call) => {
        const timer = { at: this.#nowMs + ms, call };
        this.#timers.add(timer);
        return () => this.#timers.delete(timer);
      },
    };
  }

  /** Advances the clock of this tab. */
  advance(ms: number): void {
    this.#nowMs += ms;
    for (const timer of [...this.#timers]) {
      if (timer.at > this.#nowMs || !this.#timers.delete(timer)) continue;
      timer.call();
    }
  }

  /** Suspends the tab: it keeps its locks and handles no events. */
  suspend(): void {
    this.#missed ??= [];
  }

  wake(): void {
    const missed = this.#missed ?? [];
    this.#missed = undefined;
    for (const happen of missed) happen();
  }

  whenAwake(happen: () => void): void {
    if (this.#missed) this.#missed.push(happen);
    else happen();
  }

  postMessage(message: PeerMessage): void {
    this.#tabs.broadcast(this, message);
  }

  deliver(message: PeerMessage): void {
    queueMicrotask(() => this.whenAwake(() => this.onmessage?.({ data: message } as MessageEvent<PeerMessage>)));
  }

  close(): void {
    this.onmessage = null;
  }
}

/** Runs all pending microtasks and timers that are due. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
}

function abortError(): DOMException {
  return new DOMException("injected", "AbortError");
}
