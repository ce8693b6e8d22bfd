// One tab among several: at most one of them owns the replica, the others follow it.
//
// A Web Lock elects the owner and passes on when its tab dies. Followers send what their pages ask to the owner and hear
// what changed. A phone may suspend a tab without ending it, and its lock with it: an owner that answers no ping is
// dispossessed. Should it wake up, the storage refuses it (Storage.claim), so that two owners never write.

import { TOPICS } from "./core.ts";
import { messageOf, TourismoError } from "./errors.ts";
import type { Topic } from "./generated/types.ts";
import { type Answer, type Ask, errorOf, failedReply, type PeerMessage, type Reply } from "./messages.ts";
import type { Clock, Owner, OwnerEvents } from "./owner.ts";

/** How long an owner may leave a ping unanswered while something is asked of it. */
const OWNER_SILENCE_MS = 5_000;

/** The world around a peer. */
export interface PeerSurroundings {
  /** This peer's name among the tabs; never used again. */
  id: string;
  /** The name of the lock that makes an owner. */
  lock: string;
  locks: Pick<LockManager, "request">;
  channel: Channel;
  clock: Clock;
  openOwner(id: string, events: OwnerEvents): Promise<OwnerLike>;
}

/** What a peer needs of a BroadcastChannel between the tabs. */
export interface Channel {
  postMessage(message: PeerMessage): void;
  onmessage: ((event: MessageEvent<PeerMessage>) => void) | null;
  close(): void;
}

/** What a peer needs of an owner. */
export type OwnerLike = Pick<Owner, "command" | "read" | "device" | "tell" | "stop">;

export interface PeerEvents {
  changed(topics: readonly Topic[]): void;
  /** This tab cannot own the replica, and asks nothing more of others. */
  failed(why: TourismoError): void;
}

/** Who owns the replica, as far as this peer knows. */
type Role =
  | { type: "unknown" }
  | { type: "follows"; owner: string }
  /** This one holds the lock and reads the storage. */
  | { type: "opens" }
  | { type: "owns"; owner: OwnerLike };

interface Pending {
  ask: Ask;
  /** To whom it was sent, if it was. */
  sentTo: string | undefined;
  resolve(answer: Answer): void;
  reject(why: TourismoError): void;
}

export class Peer {
  readonly #around: PeerSurroundings;
  readonly #events: PeerEvents;
  readonly #pending = new Map<number, Pending>();
  #role: Role = { type: "unknown" };
  #requests = 0;
  #ended: TourismoError | undefined;
  /** Lets go of the lock, or of the place in its queue. */
  #leaveElection: () => void = () => {};
  #cancelWatch: (() => void) | undefined;
  #heard = false;

  constructor(around: PeerSurroundings, events: PeerEvents) {
    this.#around = around;
    this.#events = events;
    around.channel.onmessage = (event) => this.#receive(event.data);
    this.#stand(false);
    this.#post({ type: "who", from: around.id });
  }

  /** Asks the owner, whoever and wherever it is. Settles on every path. */
  ask(ask: Ask): Promise<Answer> {
    if (this.#ended) return Promise.reject(this.#ended);
    if (this.#role.type === "owns") return answer(this.#role.owner, ask);
    const request = ++this.#requests;
    return new Promise((resolve, reject) => {
      this.#pending.set(request, { ask, sentTo: undefined, resolve, reject });
      this.#sendPending();
      this.#watch();
    });
  }

  /** Leaves: another tab may own the replica at once. */
  close(): void {
    this.#end(new TourismoError("closed", "the engine was closed"));
  }

  /** Waits for the lock, or takes it from an owner that answers no more. */
  #stand(steal: boolean): void {
    this.#leaveElection();
    const waiting = new AbortController();
    const left = new Promise<void>((resolve) => waiting.signal.addEventListener("abort", () => resolve()));
    const isCurrent = (): boolean => !waiting.signal.aborted;
    this.#leaveElection = () => waiting.abort();
    const options: LockOptions = steal ? { steal: true } : { signal: waiting.signal };
    this.#around.locks
      .request(this.#around.lock, options, () => (isCurrent() ? this.#own(left, isCurrent) : undefined))
      .catch((thrown: unknown) => {
        if (!isCurrent()) return;
        if (!isAbort(thrown)) {
          this.#fail(new TourismoError("unsupported", `no lock to be had: ${messageOf(thrown)}`));
          return;
        }
        // Another tab took the lock away.
        this.#disown(takenOver());
        this.#stand(false);
      });
  }

  /** Owns the replica for as long as the lock is held: until `left`, or until the lock is stolen. */
  async #own(left: Promise<void>, isCurrent: () => boolean): Promise<void> {
    this.#role = { type: "opens" };
    this.#stopWatching();
    let stopped: TourismoError | undefined;
    let owner: OwnerLike;
    try {
      owner = await this.#around.openOwner(this.#around.id, {
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
    this.#post({ type: "owns", from: this.#around.id });
    for (const [request, pending] of [...this.#pending]) {
      this.#pending.delete(request);
      if (isLostWith(pending)) pending.reject(ownerLost());
      else answer(owner, pending.ask).then(pending.resolve, pending.reject);
    }
    this.#events.changed(TOPICS);
    await left;
  }

  #onOwnerStopped(why: TourismoError): void {
    if (why.code === "owner_lost") {
      this.#disown(why);
      this.#stand(false);
    } else {
      this.#fail(why);
    }
  }

  #disown(why: TourismoError): void {
    if (this.#role.type === "owns") this.#role.owner.stop(why);
    this.#role = { type: "unknown" };
    this.#post({ type: "who", from: this.#around.id });
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
    this.#around.channel.close();
    for (const { reject } of this.#pending.values()) reject(why);
    this.#pending.clear();
  }

  #receive(message: PeerMessage): void {
    if (this.#ended || ("to" in message && message.to !== this.#around.id)) return;
    switch (message.type) {
      case "who":
        if (this.#role.type === "owns" || this.#role.type === "opens") {
          this.#post({ type: this.#role.type, from: this.#around.id });
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
        if (this.#role.type === "owns") this.#post({ type: "pong", from: this.#around.id, to: message.from });
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
    // Whoever lost the lock learns it from the lock.
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

  /** Sends to the owner what was not sent to it yet. */
  #sendPending(): void {
    if (this.#role.type !== "follows") return;
    const { owner } = this.#role;
    for (const [request, pending] of this.#pending) {
      if (pending.sentTo === owner) continue;
      pending.sentTo = owner;
      this.#post({ type: "ask", from: this.#around.id, to: owner, request, ask: pending.ask });
    }
  }

  #serve(from: string, request: number, ask: Ask): void {
    if (this.#role.type !== "owns") return;
    const send = (reply: Reply): void => this.#post({ type: "reply", from: this.#around.id, to: from, request, reply });
    answer(this.#role.owner, ask).then(
      (answer) => send({ ok: true, answer }),
      (thrown) => send(failedReply(TourismoError.from(thrown, "core_failed"))),
    );
  }

  #settle(request: number, reply: Reply): void {
    const pending = this.#pending.get(request);
    this.#pending.delete(request);
    if (this.#pending.size === 0) this.#stopWatching();
    if (reply.ok) pending?.resolve(reply.answer);
    else pending?.reject(errorOf(reply));
  }

  #announce(topics: readonly Topic[]): void {
    this.#post({ type: "changed", from: this.#around.id, topics });
    this.#events.changed(topics);
  }

  /** Pings the owner for as long as something is asked of it, and takes the lock if nothing is heard. */
  #watch(): void {
    if (this.#cancelWatch || this.#pending.size === 0) return;
    const { id } = this.#around;
    if (this.#role.type === "follows") this.#post({ type: "ping", from: id, to: this.#role.owner });
    else if (this.#role.type === "unknown") this.#post({ type: "who", from: id });
    else return;
    this.#heard = false;
    this.#cancelWatch = this.#around.clock.after(OWNER_SILENCE_MS, () => {
      this.#cancelWatch = undefined;
      if (this.#heard) this.#watch();
      else if (this.#pending.size > 0) this.#stand(true);
    });
  }

  #stopWatching(): void {
    this.#cancelWatch?.();
    this.#cancelWatch = undefined;
  }

  #post(message: PeerMessage): void {
    if (!this.#ended) this.#around.channel.postMessage(message);
  }
}

/** Lets the owner answer. */
async function answer(owner: OwnerLike, ask: Ask): Promise<Answer> {
  switch (ask.type) {
    case "command":
      return owner.command(ask.command);
    case "read":
      return owner.read(ask.topic);
    case "device":
      return owner.device();
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

/** Whether nobody can say any more how it ended. Reading or telling again does no harm; a command might be done twice. */
function isLostWith(pending: Pending): boolean {
  return pending.ask.type === "command" && pending.sentTo !== undefined;
}

function ownerLost(): TourismoError {
  return new TourismoError("owner_lost", "the tab that did the work is gone; the command may or may not have been done");
}

function isAbort(thrown: unknown): boolean {
  return thrown instanceof DOMException && thrown.name === "AbortError";
}
