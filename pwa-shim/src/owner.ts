// The owner of the replica: passes inputs to the core and performs its effects. It makes no decisions.
//
// One of all tabs has the owner (see peer.ts). Every failure becomes an input of the core (a storage failure, a closed socket), or
// an error with a code for the caller.

import { type Core, type OpenCore, readView, TOPICS, type Views } from "./core.ts";
import { type DeviceKey, openDeviceKey } from "./device-key.ts";
import { messageOf, TourismoError } from "./errors.ts";
import type {
  Command,
  CommandOutcome,
  DriveQuery,
  Effect,
  FoundDrives,
  Input,
  Now,
  Space,
  StoreOp,
  Topic,
} from "./generated/types.ts";
import type { StoredDocument } from "./messages.ts";
import type { OpenSocket, RelaySocket } from "./relay-socket.ts";
import { Fenced, failureOf, type Storage } from "./storage.ts";

/** The spaces that the core needs at the start. */
const OPENING_SPACES = ["meta", "journal", "doc", "row"] as const satisfies readonly Space[];

/** After this many refused handshakes in a row the page is refused: a relay that restarts may refuse one. */
const REFUSED_HANDSHAKES = 2;

/** The environment of an owner. */
export interface Environment {
  openCore: OpenCore;
  storage: Storage;
  openSocket: OpenSocket;
  clock: Clock;
  isOnline(): boolean;
}

export interface Clock {
  now(): Now;
  /** The offset of the local time from UTC, minutes. */
  utcOffsetMin(): number;
  /** Calls back once after a time. Returns a function that cancels it. */
  after(ms: number, call: () => void): () => void;
}

export interface OwnerEvents {
  changed(topics: readonly Topic[]): void;
  /** The owner had to stop: another tab owns the storage, or the core failed. */
  stopped(why: TourismoError): void;
}

export class Owner {
  readonly #core: Core;
  readonly #key: DeviceKey;
  readonly #environment: Environment;
  readonly #events: OwnerEvents;
  readonly #socket: RelaySocket;
  readonly #waiting = new Map<number, Waiting>();
  #requests = 0;
  #cancelTimer: () => void = () => {};
  #stopped: TourismoError | undefined;
  /** Handshakes in a row that the relay refused while it answered HTTP requests. */
  #refusedHandshakes = 0;

  /** Claims the storage for `name`, reads it and starts the core. */
  static async open(name: string, environment: Environment, events: OwnerEvents): Promise<Owner> {
    const { storage, openCore } = environment;
    try {
      await storage.claim(name);
      const key = await openDeviceKey(storage);
      const stored = await storage.loadSpaces(OPENING_SPACES);
      const seed = crypto.getRandomValues(new Uint8Array(32));
      const core = openCore({ seed, device: key.publicKey, stored });
      const owner = new Owner(core, key, environment, events);
      owner.tell({ type: "start" });
      owner.#tellZone();
      owner.tell({ type: "network", online: environment.isOnline() });
      return owner;
    } catch (thrown) {
      storage.close();
      if (thrown instanceof TourismoError) throw thrown;
      throw new TourismoError("storage_unavailable", messageOf(thrown), failureOf(thrown));
    }
  }

  private constructor(core: Core, key: DeviceKey, environment: Environment, events: OwnerEvents) {
    this.#core = core;
    this.#key = key;
    this.#environment = environment;
    this.#events = events;
    this.#socket = environment.openSocket({
      connected: (origin) => {
        this.#countRefused(0);
        this.tell({ type: "connected", origin });
      },
      received: (bytes) => this.tell({ type: "received", bytes }),
      disconnected: () => this.tell({ type: "disconnected" }),
      handshakeFailed: (isAnswering) => this.#countRefused(isAnswering ? this.#refusedHandshakes + 1 : 0),
    });
  }

  /**
   * Passes an input to the core. Throws `invalid` if the core cannot read an input of a page; then the core is unchanged.
   */
  tell(input: Input): void {
    if (this.#stopped) return;
    let effects: Effect[];
    try {
      effects = this.#core.handle(this.#environment.clock.now(), input);
    } catch (thrown) {
      if (isFromPage(input) && isUnreadable(thrown)) throw new TourismoError("invalid", `${nameOf(input)}: ${thrown.message}`);
      this.#halt(new TourismoError("core_failed", messageOf(thrown)));
      return;
    }
    for (const effect of effects) this.#perform(effect);
  }

  /** Passes a command to the core. Resolves to its outcome. */
  command(command: Command): Promise<CommandOutcome> {
    if (this.#stopped) return Promise.reject(this.#stopped);
    // A drive keeps the time zone of its start. The device may have changed zones since the app was opened.
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
    this.tell({ type: "zone", utcOffsetMin: this.#environment.clock.utcOffsetMin() });
  }

  #isPageRefused(): boolean {
    return this.#refusedHandshakes >= REFUSED_HANDSHAKES;
  }

  #countRefused(handshakes: number): void {
    const wasRefused = this.#isPageRefused();
    this.#refusedHandshakes = handshakes;
    if (!this.#stopped && wasRefused !== this.#isPageRefused()) this.#events.changed(["status"]);
  }

  #settle(request: number, outcome: CommandOutcome): void {
    this.#waiting.get(request)?.resolve(outcome);
    this.#waiting.delete(request);
  }

  /** The public key of this device. */
  device(): Uint8Array {
    return this.#key.publicKey;
  }

  /** Reads everything that is stored of every document. */
  async documents(): Promise<StoredDocument[]> {
    if (this.#stopped) throw this.#stopped;
    const all = { space: "change", from: new Uint8Array(), to: new Uint8Array(40).fill(255) } as const;
    const chunks = new Map<string, Uint8Array[]>();
    try {
      for (const { key, value } of await this.#environment.storage.load([all])) {
        const id = idOf(key);
        chunks.set(id, [...(chunks.get(id) ?? []), value]);
      }
    } catch (thrown) {
      throw new TourismoError("storage_unavailable", messageOf(thrown), failureOf(thrown));
    }
    return [...chunks].map(([id, parts]) => ({ id, automerge: concatenated(parts) }));
  }

  /** Reads a view. */
  read(topic: Topic): Views[Topic] {
    if (!TOPICS.includes(topic)) throw new TourismoError("invalid", `there is no topic ${topic}; there are ${TOPICS.join(", ")}`);
    return this.#ask((core) => readView(core, topic, this.#environment.clock.now(), this.#isPageRefused()));
  }

  /** Finds drives. Throws `invalid` for a query that the core cannot read. */
  findDrives(query: DriveQuery): FoundDrives {
    return this.#ask((core) => core.findDrives(query));
  }

  /** Asks the core for something that does not change it. */
  #ask<T>(question: (core: Core) => T): T {
    if (this.#stopped) throw this.#stopped;
    try {
      return question(this.#core);
    } catch (thrown) {
      if (isRefused(thrown)) throw new TourismoError("invalid", thrown.message);
      const failed = new TourismoError("core_failed", messageOf(thrown));
      this.#halt(failed);
      throw failed;
    }
  }

  /** Stops permanently: nothing is stored or sent afterwards, and waiting commands reject. */
  stop(why: TourismoError): void {
    if (this.#stopped) return;
    this.#stopped = why;
    this.#cancelTimer();
    this.#socket.disconnect();
    this.#environment.storage.close();
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
        this.#environment.storage.load(effect.ranges).then(
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
        this.#cancelTimer = this.#environment.clock.after(effect.inMs, () => this.tell({ type: "tick" }));
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
      await this.#environment.storage.store(ops);
      this.tell({ type: "stored", batch });
    } catch (thrown) {
      if (thrown instanceof Fenced) this.#halt(new TourismoError("owner_lost", "another tab took over"));
      else this.tell({ type: "storeFailed", batch, failure: failureOf(thrown) });
    }
  }
}

/** The document of a key of the space `change`: its first 16 bytes as a UUID. */
function idOf(key: Uint8Array): string {
  const hex = Array.from(key.subarray(0, 16), (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

function concatenated(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Whether an input comes from a page. All others come from this file. */
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

/** The name of an input for errors. */
function nameOf(input: Input): string {
  return input.type === "command" ? input.command.type : input.type;
}

/** Whether the core refused a question: it could not read it, or a value is out of range. */
function isRefused(thrown: unknown): thrown is Error {
  return isUnreadable(thrown) || (thrown instanceof Error && "code" in thrown && thrown.code === "invalid");
}

/** Whether the core could not read an input, such as a malformed id. Then the core is unchanged. */
function isUnreadable(thrown: unknown): thrown is Error {
  return thrown instanceof Error && "code" in thrown && thrown.code === "not_convertible";
}

interface Waiting {
  resolve(outcome: CommandOutcome): void;
  reject(why: TourismoError): void;
}
