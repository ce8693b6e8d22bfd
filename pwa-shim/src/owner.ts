// The owner of the replica: hands inputs to the core and performs the effects that come out. It decides nothing.
//
// Of all tabs one has an owner (see peer.ts). Whatever goes wrong ends in a value: for the core (a storage failure, a
// closed socket), or for whoever waits (an error with a code).

import { type Core, type OpenCore, readView, TOPICS, type Views } from "./core.ts";
import { type DeviceKey, openDeviceKey } from "./device-key.ts";
import { messageOf, TourismoError } from "./errors.ts";
import type { Command, Effect, Input, Now, Outcome, Space, StoreOp, Topic } from "./generated/types.ts";
import type { OpenSocket, RelaySocket } from "./relay-socket.ts";
import { failureOf, Fenced, type Storage } from "./storage.ts";

/** The spaces that the core wants at the start. */
const OPENING_SPACES = ["meta", "journal", "doc", "row"] as const satisfies readonly Space[];

/** The world around an owner. */
export interface Surroundings {
  openCore: OpenCore;
  storage: Storage;
  openSocket: OpenSocket;
  clock: Clock;
  isOnline(): boolean;
}

export interface Clock {
  now(): Now;
  /** How far this machine's clocks are ahead of UTC where it is, in minutes. */
  utcOffsetMin(): number;
  /** Calls once; the returned function prevents it. */
  after(ms: number, call: () => void): () => void;
}

export interface OwnerEvents {
  changed(topics: readonly Topic[]): void;
  /** The owner had to stop: somebody else owns the storage, or the core failed. */
  stopped(why: TourismoError): void;
}

export class Owner {
  readonly #core: Core;
  readonly #key: DeviceKey;
  readonly #around: Surroundings;
  readonly #events: OwnerEvents;
  readonly #socket: RelaySocket;
  readonly #waiting = new Map<number, Waiting>();
  #requests = 0;
  #cancelTimer: () => void = () => {};
  #stopped: TourismoError | undefined;

  /** Claims the storage for `name`, reads it and starts the core. */
  static async open(name: string, around: Surroundings, events: OwnerEvents): Promise<Owner> {
    const { storage, openCore } = around;
    try {
      await storage.claim(name);
      const key = await openDeviceKey(storage);
      const stored = await storage.loadSpaces(OPENING_SPACES);
      const seed = crypto.getRandomValues(new Uint8Array(32));
      const core = openCore({ seed, device: key.publicKey, stored });
      const owner = new Owner(core, key, around, events);
      owner.tell({ type: "start" });
      owner.#tellZone();
      owner.tell({ type: "network", online: around.isOnline() });
      return owner;
    } catch (thrown) {
      storage.close();
      if (thrown instanceof TourismoError) throw thrown;
      throw new TourismoError("storage_unavailable", messageOf(thrown), failureOf(thrown));
    }
  }

  private constructor(core: Core, key: DeviceKey, around: Surroundings, events: OwnerEvents) {
    this.#core = core;
    this.#key = key;
    this.#around = around;
    this.#events = events;
    this.#socket = around.openSocket({
      connected: (origin) => this.tell({ type: "connected", origin }),
      received: (bytes) => this.tell({ type: "received", bytes }),
      disconnected: () => this.tell({ type: "disconnected" }),
    });
  }

  /**
   * Hands something that happened to the core. Throws `invalid` if a page said what the core cannot read; then nothing has
   * happened in it.
   */
  tell(input: Input): void {
    if (this.#stopped) return;
    let effects: Effect[];
    try {
      effects = this.#core.handle(this.#around.clock.now(), input);
    } catch (thrown) {
      if (isFromPage(input) && isUnreadable(thrown)) throw new TourismoError("invalid", `${nameOf(input)}: ${thrown.message}`);
      this.#halt(new TourismoError("core_failed", messageOf(thrown)));
      return;
    }
    for (const effect of effects) this.#perform(effect);
  }

  /** Hands a command to the core; resolves when it has ended. */
  command(command: Command): Promise<Outcome> {
    if (this.#stopped) return Promise.reject(this.#stopped);
    // A drive keeps the zone in which it began, and the machine may be in another one than when the app was opened.
    if (command.type === "startDrive") this.#tellZone();
    const request = ++this.#requests;
    return new Promise((resolve, reject) => {
      this.#waiting.set(request, { resolve, reject });
      try {
        this.tell({ type: "command", request, command });
      } catch (thrown) {
        this.#waiting.delete(request);
        reject(thrown);
      }
    });
  }

  #tellZone(): void {
    this.tell({ type: "zone", utcOffsetMin: this.#around.clock.utcOffsetMin() });
  }

  #settle(request: number, outcome: Outcome): void {
    this.#waiting.get(request)?.resolve(outcome);
    this.#waiting.delete(request);
  }

  /** The public key of this device. */
  device(): Uint8Array {
    return this.#key.publicKey;
  }

  /** Reads a view. */
  read(topic: Topic): Views[Topic] {
    if (this.#stopped) throw this.#stopped;
    if (!TOPICS.includes(topic)) throw new TourismoError("invalid", `there is no topic ${topic}; there are ${TOPICS.join(", ")}`);
    try {
      return readView(this.#core, topic, this.#around.clock.now());
    } catch (thrown) {
      const failed = new TourismoError("core_failed", messageOf(thrown));
      this.#halt(failed);
      throw failed;
    }
  }

  /** Stops for good: nothing is stored or sent from then on, and who waits is told why. */
  stop(why: TourismoError): void {
    if (this.#stopped) return;
    this.#stopped = why;
    this.#cancelTimer();
    this.#socket.disconnect();
    this.#around.storage.close();
    for (const { reject } of this.#waiting.values()) reject(why);
    this.#waiting.clear();
  }

  #halt(why: TourismoError): void {
    if (this.#stopped) return;
    this.stop(why);
    this.#events.stopped(why);
  }

  #perform(effect: Effect): void {
    if (this.#stopped) return;
    switch (effect.type) {
      case "store":
        void this.#store(effect.batch, effect.ops);
        break;
      case "load":
        this.#around.storage.load(effect.ranges).then(
          (entries) => this.tell({ type: "loaded", request: effect.request, entries }),
          (thrown) => this.tell({ type: "loadFailed", request: effect.request, failure: failureOf(thrown) }),
        );
        break;
      case "sign":
        this.#key.sign(effect.bytes).then(
          (signature) => this.tell({ type: "signed", request: effect.request, signature }),
          (thrown) => this.#halt(new TourismoError("unsupported", `the device's key does not sign: ${messageOf(thrown)}`)),
        );
        break;
      case "connect":
        this.#socket.connect();
        break;
      case "send":
        this.#socket.send(effect.bytes);
        break;
      case "disconnect":
        this.#socket.disconnect();
        break;
      case "setTimer":
        this.#cancelTimer();
        this.#cancelTimer = this.#around.clock.after(effect.inMs, () => this.tell({ type: "tick" }));
        break;
      case "settled":
        this.#settle(effect.request, effect.outcome);
        break;
      case "changed":
        this.#events.changed(effect.topics);
        break;
      default:
        effect satisfies never;
    }
  }

  async #store(batch: number, ops: readonly StoreOp[]): Promise<void> {
    try {
      await this.#around.storage.store(ops);
      this.tell({ type: "stored", batch });
    } catch (thrown) {
      if (thrown instanceof Fenced) this.#halt(new TourismoError("owner_lost", "another tab took over"));
      else this.tell({ type: "storeFailed", batch, failure: failureOf(thrown) });
    }
  }
}

/** Whether a page said it. Whatever else the core is told comes from here. */
function isFromPage(input: Input): boolean {
  switch (input.type) {
    case "command":
    case "fix":
    case "sensorFailed":
    case "hidden":
    case "shown":
    case "network":
      return true;
    default:
      return false;
  }
}

/** What a page called it. */
function nameOf(input: Input): string {
  return input.type === "command" ? input.command.type : input.type;
}

/** Whether the core could not even read what it was told, an id that is none for instance. Then nothing has happened in it. */
function isUnreadable(thrown: unknown): thrown is Error {
  return thrown instanceof Error && "code" in thrown && thrown.code === "not_convertible";
}

interface Waiting {
  resolve(outcome: Outcome): void;
  reject(why: TourismoError): void;
}
