// One of several tabs. At most one tab owns the replica, the others follow it.
//
// A Web Lock elects the owner, and another tab when the owner's tab is closed. Followers forward requests of their pages to the
// owner, which announces changed topics. A phone may suspend a tab while it holds the lock: if the owner answers no ping, another
// tab steals the lock. When the suspended tab wakes up, the storage refuses its writes (Storage.claim), so that two owners never
// write.

import { TOPICS } from "./core.ts";
import { messageOf, TourismoError } from "./errors.ts";
import type { Topic } from "./generated/types.ts";
import { errorOf, failedReply, type PageRequest, type PeerMessage, type Reply, type RequestResult } from "./messages.ts";
import type { Clock, Owner, OwnerEvents } from "./owner.ts";

/** How long an owner may leave a ping unanswered while a request waits. */
const OWNER_SILENCE_MS = 5_000;

/** The environment of a peer. */
export interface PeerEnvironment {
  /** The id of this peer among the tabs, never reused. */
  id: string;
  /** The name of the lock of the owner. */
  lock: string;
  locks: Pick<LockManager, "request">;
  channel: Channel;
  clock: Clock;
  openOwner(id: string, events: OwnerEvents): Promise<OwnerLike>;
}

/** The part of `BroadcastChannel` that a peer uses. */
export interface Channel {
  postMessage(message: PeerMessage): void;
  onmessage: ((event: MessageEvent<PeerMessage>) => void) | null;
  close(): void;
}

/** The part of `Owner` that a peer uses. */
export type OwnerLike = Pick<Owner, "command" | "read" | "findDrives" | "device" | "documents" | "tell" | "stop">;

export interface PeerEvents {
  changed(topics: readonly Topic[]): void;
  /** This tab cannot own the replica and has ended. */
  failed(why: TourismoError): void;
}

/** The role of this peer. */
type Role =
  | { type: "unknown" }
  | { type: "follows"; owner: string }
  /** This peer holds the lock and opens the replica. */
  | { type: "opens" }
  | { type: "owns"; owner: OwnerLike };

interface Pending {
  ask: PageRequest;
  /** The owner to which it was sent, if it was. */
  sentTo: string | undefined;
  resolve(result: RequestResult): void;
  reject(why: TourismoError): void;
}

export class Peer {
  readonly #environment: PeerEnvironment;
  readonly #events: PeerEvents;
  readonly #pending = new Map<number, Pending>();
  #role: Role = { type: "unknown" };
  #requests = 0;
  #ended: TourismoError | undefined;
  /** Releases the lock, or leaves its queue. */
  #leaveElection: () => void = () => {};
  #cancelWatch: (() => void) | undefined;
  #heard = false;

  constructor(environment: PeerEnvironment, events: PeerEvents) {
    this.#environment = environment;
    this.#events = events;
    environment.channel.onmessage = (event) => this.#receive(event.data);
    this.#requestLock(false);
    this.#post({ type: "who", from: environment.id });
  }

  /** Sends a request to the owner, in this tab or another. Settles on every path. */
  ask(ask: PageRequest): Promise<RequestResult> {
    if (this.#ended) return Promise.reject(this.#ended);
    if (this.#role.type === "owns") return perform(this.#role.owner, ask);
    const request = ++this.#requests;
    return new Promise((resolve, reject) => {
      this.#pending.set(request, { ask, sentTo: undefined, resolve, reject });
      this.#sendPending();
      this.#watch();
    });
  }

  /** Closes this peer. Another tab may own the replica at once. */
  close(): void {
    this.#end(new TourismoError("closed", "the engine was closed"));
  }

  /** Waits for the lock, or steals it from an owner that does not respond. */
  #requestLock(steal: boolean): void {
    this.#leaveElection();
    const waiting = new AbortController();
    const left = new Promise<void>((resolve) => waiting.signal.addEventListener("abort", () => resolve()));
    const isCurrent = (): boolean => !waiting.signal.aborted;
    this.#leaveElection = () => waiting.abort();
    const options: LockOptions = steal ? { steal: true } : { signal: waiting.signal };
    this.#environment.locks
      .request(this.#environment.lock, options, () => (isCurrent() ? this.#own(left, isCurrent) : undefined))
      .catch((thrown: unknown) => {
        if (!isCurrent()) return;
        if (!isAbort(thrown)) {
          this.#fail(new TourismoError("unsupported", `the Web Lock cannot be requested: ${messageOf(thrown)}`));
          return;
        }
        // Another tab stole the lock.
        this.#disown(takenOver());
        this.#requestLock(false);
      });
  }

  /** Owns the replica for as long as the lock is held: until `left`, or until the lock is stolen. */
  async #own(left: Promise<void>, isCurrent: () => boolean): Promise<void> {
    this.#role = { type: "opens" };
    this.#stopWatching();
    let stopped: TourismoError | undefined;
    let owner: OwnerLike;
    try {
      owner = await this.#environment.openOwner(this.#environment.id, {
        changed: (topics) => this.#announce(topics),
        stopped: (why) => {
          stopped = why;
          this.#onOwnerStopped(why);
        },
      });
    } catch (thrown) {
      if (isCurrent()) this.#fail(TourismoError.from(thrown, "core_failed"));
      return;
    }
    if (!isCurrent() || stopped) {
      owner.stop(stopped ?? takenOver());
      return;
    }
    this.#role = { type: "owns", owner };
    this.#post({ type: "owns", from: this.#environment.id });
    for (const [request, pending] of [...this.#pending]) {
      this.#pending.delete(request);
      if (isLostWith(pending)) pending.reject(ownerLost());
      else perform(owner, pending.ask).then(pending.resolve, pending.reject);
    }
    this.#events.changed(TOPICS);
    await left;
  }

  #onOwnerStopped(why: TourismoError): void {
    if (why.code === "owner_lost") {
      this.#disown(why);
      this.#requestLock(false);
    } else {
      this.#fail(why);
    }
  }

  #disown(why: TourismoError): void {
    if (this.#role.type === "owns") this.#role.owner.stop(why);
    this.#role = { type: "unknown" };
    this.#post({ type: "who", from: this.#environment.id });
    this.#watch();
  }

  #fail(why: TourismoError): void {
    this.#end(why);
    this.#events.failed(why);
  }

  #end(why: TourismoError): void {
    if (this.#ended) return;
    this.#ended = why;
    this.#stopWatching();
    if (this.#role.type === "owns") this.#role.owner.stop(why);
    this.#leaveElection();
    this.#environment.channel.close();
    for (const { reject } of this.#pending.values()) reject(why);
    this.#pending.clear();
  }

  #receive(message: PeerMessage): void {
    if (this.#ended || ("to" in message && message.to !== this.#environment.id)) return;
    switch (message.type) {
      case "who":
        if (this.#role.type === "owns" || this.#role.type === "opens") {
          this.#post({ type: this.#role.type, from: this.#environment.id });
        }
        break;
      case "opens":
        if (this.#role.type === "unknown") this.#heard = true;
        break;
      case "owns":
        this.#follow(message.from);
        break;
      case "ask":
        this.#serve(message.from, message.request, message.ask);
        break;
      case "reply":
        this.#settle(message.request, message.reply);
        break;
      case "ping":
        if (this.#role.type === "owns") this.#post({ type: "pong", from: this.#environment.id, to: message.from });
        break;
      case "pong":
        break;
      case "changed":
        if (this.#role.type === "follows" && this.#role.owner === message.from) this.#events.changed(message.topics);
        break;
      default:
        message satisfies never;
    }
    if (this.#role.type === "follows" && this.#role.owner === message.from) this.#heard = true;
  }

  #follow(owner: string): void {
    // An owner that lost the lock learns it from the lock.
    if (this.#role.type === "owns" || this.#role.type === "opens") return;
    if (this.#role.type === "follows" && this.#role.owner === owner) return;
    this.#role = { type: "follows", owner };
    this.#stopWatching();
    for (const [request, pending] of [...this.#pending]) {
      if (!isLostWith(pending)) continue;
      this.#pending.delete(request);
      pending.reject(ownerLost());
    }
    this.#sendPending();
    this.#watch();
    this.#events.changed(TOPICS);
  }

  /** Sends the requests that were not sent to the owner yet. */
  #sendPending(): void {
    if (this.#role.type !== "follows") return;
    const { owner } = this.#role;
    for (const [request, pending] of this.#pending) {
      if (pending.sentTo === owner) continue;
      pending.sentTo = owner;
      this.#post({ type: "ask", from: this.#environment.id, to: owner, request, ask: pending.ask });
    }
  }

  #serve(from: string, request: number, ask: PageRequest): void {
    if (this.#role.type !== "owns") return;
    const send = (reply: Reply): void => this.#post({ type: "reply", from: this.#environment.id, to: from, request, reply });
    perform(this.#role.owner, ask).then(
      (result) => send({ ok: true, result }),
      (thrown) => send(failedReply(TourismoError.from(thrown, "core_failed"))),
    );
  }

  #settle(request: number, reply: Reply): void {
    const pending = this.#pending.get(request);
    this.#pending.delete(request);
    if (this.#pending.size === 0) this.#stopWatching();
    if (reply.ok) pending?.resolve(reply.result);
    else pending?.reject(errorOf(reply));
  }

  #announce(topics: readonly Topic[]): void {
    this.#post({ type: "changed", from: this.#environment.id, topics });
    this.#events.changed(topics);
  }

  /** Pings the owner while requests wait, and steals the lock if it does not respond. */
  #watch(): void {
    if (this.#cancelWatch || this.#pending.size === 0) return;
    const { id } = this.#environment;
    if (this.#role.type === "follows") this.#post({ type: "ping", from: id, to: this.#role.owner });
    else if (this.#role.type === "unknown") this.#post({ type: "who", from: id });
    else return;
    this.#heard = false;
    this.#cancelWatch = this.#environment.clock.after(OWNER_SILENCE_MS, () => {
      this.#cancelWatch = undefined;
      if (this.#heard) this.#watch();
      else if (this.#pending.size > 0) this.#requestLock(true);
    });
  }

  #stopWatching(): void {
    this.#cancelWatch?.();
    this.#cancelWatch = undefined;
  }

  #post(message: PeerMessage): void {
    if (!this.#ended) this.#environment.channel.postMessage(message);
  }
}

/** Performs a request on the owner. */
async function perform(owner: OwnerLike, ask: PageRequest): Promise<RequestResult> {
  switch (ask.type) {
    case "command":
      return owner.command(ask.command);
    case "read":
      return owner.read(ask.topic);
    case "findDrives":
      return owner.findDrives(ask.query);
    case "device":
      return owner.device();
    case "documents":
      return owner.documents();
    case "tell":
      owner.tell(ask.input);
      return null;
    default:
      return ask satisfies never;
  }
}

function takenOver(): TourismoError {
  return new TourismoError("owner_lost", "another tab took over");
}

/** Whether the outcome of a request is unknown. Reads and events can be repeated; a command might be executed twice. */
function isLostWith(pending: Pending): boolean {
  return pending.ask.type === "command" && pending.sentTo !== undefined;
}

function ownerLost(): TourismoError {
  return new TourismoError(
    "owner_lost",
    "the tab that executed the command was closed; read the view to see whether the command was executed",
  );
}

function isAbort(thrown: unknown): boolean {
  return thrown instanceof DOMException && thrown.name === "AbortError";
}
