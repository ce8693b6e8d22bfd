// The public face of the engine: commands that settle when they are on disk, and live queries.

import type { Views } from "./core.ts";
import { TourismoError } from "./errors.ts";
import type {
  AccountId,
  Answer as MeetAnswer,
  CarFields,
  Command,
  DocId,
  DriveView,
  LogEntry,
  MeetFields,
  Outcome,
  PrivateEnds,
  ProfileFields,
  Reaction,
  SettingsFields,
  Timestamp,
  Topic,
  Visibility,
} from "./generated/types.ts";
import { type Answer, type Ask, errorOf, type FromWorker, type PageInput, type ToWorker } from "./messages.ts";
import { attachPage } from "./page-events.ts";
import { socketAddress } from "./relay-reads.ts";
import { attachSensors } from "./sensors.ts";

/** How to open an engine. Everything has a default. */
export interface TourismoOptions {
  /** The relay's address; the page's own origin if absent. */
  relayUrl?: string | URL;
  /** Where the package's worker.js is served, if the bundler does not find it by itself. */
  workerUrl?: string | URL;
  /** Where the package's .wasm is served, if the bundler does not find it by itself. */
  wasmUrl?: string | URL;
  /** Names the database. Engines of one name share it, in all tabs of an origin. */
  name?: string;
  /** What another device's `grantDevice` gave: enters that device's account, as `joinAccount` does. Wanted once. */
  grant?: Uint8Array;
  /**
   * Whether this page measures positions and keeps the screen on while a drive is recorded, and goes on by itself with one
   * that was left off in mid-drive less than 10 minutes ago. Default true.
   */
  sensors?: boolean;
}

/**
 * Opens the engine. Rejects with a `TourismoError` if the page is not secure, if this browser cannot run it, if its storage
 * cannot be opened, or if the grant does not fit (see `joinAccount`).
 */
export async function openTourismo(options: TourismoOptions = {}): Promise<Tourismo> {
  if (typeof Worker === "undefined" || typeof location === "undefined") {
    throw new TourismoError("unsupported", "there is no page here: open the engine in a page of a browser, not on a server");
  }
  if (!isSecureContext) throw new TourismoError("insecure_context", `${location.origin} is not secure: serve it over https`);
  const relay = new URL(options.relayUrl ?? "/", location.href);
  // Bundlers look for this very expression.
  const worker = options.workerUrl
    ? new Worker(options.workerUrl, { type: "module", name: "tourismo" })
    : new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "tourismo" });
  const tourismo = new Tourismo(worker);
  const open: ToWorker = {
    type: "open",
    options: {
      name: options.name ?? "tourismo",
      relay: socketAddress(relay),
      wasm: options.wasmUrl === undefined ? undefined : new URL(options.wasmUrl, location.href).href,
    },
  };
  worker.postMessage(open);
  try {
    await tourismo.read("status");
    if (options.grant) await tourismo.joinAccount(options.grant);
  } catch (thrown) {
    tourismo.close();
    throw thrown;
  }
  tourismo.onClose(attachPage(tourismo));
  if (options.sensors ?? true) tourismo.onClose(attachSensors(tourismo));
  return tourismo;
}

/** What an engine needs of a worker. */
export interface WorkerLike {
  postMessage(message: ToWorker): void;
  onmessage: ((event: MessageEvent<FromWorker>) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
  terminate(): void;
}

/** An open engine. Commands reject with `TourismoError`. */
export class Tourismo {
  readonly #worker: WorkerLike;
  readonly #waiting = new Map<number, { resolve(answer: Answer): void; reject(why: TourismoError): void }>();
  readonly #queries = new Map<Topic, Query>();
  readonly #cleanups: (() => void)[] = [];
  readonly #onFailed = new Set<(why: TourismoError) => void>();
  #requests = 0;
  #ended: TourismoError | undefined;

  constructor(worker: WorkerLike) {
    this.#worker = worker;
    worker.onmessage = (event) => this.#receive(event.data);
    worker.onerror = (event) => this.#end(new TourismoError("core_failed", event.message || "the worker could not be loaded"));
  }

  /** Begins to record; gives the new drive. */
  startDrive(car: DocId | null = null): Promise<DocId> {
    return this.#made({ type: "startDrive", car });
  }

  pauseDrive(): Promise<void> {
    return this.#done({ type: "pauseDrive" });
  }

  /** Goes on after a pause, or with a drive that was left unfinished. */
  resumeDrive(): Promise<void> {
    return this.#done({ type: "resumeDrive" });
  }

  /** Goes on here with a drive that another device of the account has not finished. */
  takeOverDrive(drive: DocId): Promise<void> {
    return this.#done({ type: "takeOverDrive", drive });
  }

  /**
   * Leaves a drive unfinished again that went on a moment ago: what came since is dropped. Rejects with `not_found` once that is
   * packed; the topic `recording` says with `canUndoResume` whether it can be done.
   */
  undoResume(): Promise<void> {
    return this.#done({ type: "undoResume" });
  }

  /** Ends the drive that is being recorded, and takes it off every list: nothing was measured, or nobody wants it. */
  discardDrive(): Promise<void> {
    return this.#done({ type: "discardDrive" });
  }

  /** Ends the drive that is being recorded, paused or unfinished. */
  finishDrive(): Promise<void> {
    return this.#done({ type: "finishDrive" });
  }

  /** Changes what is given. `car: null` means that the drive was driven with none of the cars. */
  editDrive(drive: DocId, change: { title?: string; notes?: string; car?: DocId | null }): Promise<void> {
    const { title = null, notes = null } = change;
    return this.#done({ type: "editDrive", drive, title, notes, ...("car" in change ? { car: change.car } : {}) });
  }

  deleteDrive(drive: DocId): Promise<void> {
    return this.#done({ type: "deleteDrive", drive });
  }

  /**
   * Makes, shows or (with `private`) withdraws the redacted copy that others may see. The copy hides the ends of the drive
   * that are private places: both, unless `setPrivateEnds` or `ends` says otherwise.
   */
  async publishDrive(drive: DocId, visibility: Visibility, ends?: PrivateEnds): Promise<void> {
    if (ends) await this.setPrivateEnds(drive, ends);
    await this.#done({ type: "publishDrive", drive, visibility });
  }

  /**
   * Says which ends of a drive are private places: not those of a circuit, or of a meeting point. `hidden` of the topic `track`
   * follows. Rejects with `already_published` if there is a copy, which stays as it was made.
   */
  setPrivateEnds(drive: DocId, ends: PrivateEnds): Promise<void> {
    return this.#done({ type: "setPrivateEnds", drive, ends });
  }

  /**
   * Counts refused positions of a drive as if they had been accepted, by their ids in `refused` of the topic `track`; with
   * `holds: false` no more. Figures and road follow, a published copy does not. At most 5,000 at once.
   */
  takeBackRefused(drive: DocId, fixes: string[], holds = true): Promise<void> {
    return this.#done({ type: "takeBackRefused", drive, fixes, holds });
  }

  /** Gives the published copy of a drive another link. Whoever has the old one sees nothing any more. */
  renewLink(drive: DocId): Promise<void> {
    return this.#done({ type: "renewLink", drive });
  }

  /** Brings a drive's track into memory, so that the topic `track` shows it. */
  openDrive(drive: DocId): Promise<void> {
    return this.#done({ type: "openDrive", drive });
  }

  closeDrive(): Promise<void> {
    return this.#done({ type: "closeDrive" });
  }

  /** Makes a car, or changes the one given. */
  putCar(fields: CarFields, car: DocId | null = null): Promise<DocId> {
    return this.#made({ type: "putCar", car, fields });
  }

  /** A car's drives, newest first, from this phone's own rows. */
  async carDrives(car: DocId): Promise<DriveView[]> {
    return (await this.read("drives")).filter((drive) => drive.car === car);
  }

  /** Writes into a car's logbook, or changes the entry given. */
  putLogEntry(car: DocId, fields: LogEntry, entry: DocId | null = null): Promise<DocId> {
    return this.#made({ type: "putLogEntry", car, entry, fields });
  }

  removeLogEntry(car: DocId, entry: DocId): Promise<void> {
    return this.#done({ type: "removeLogEntry", car, entry });
  }

  follow(account: AccountId): Promise<void> {
    return this.#done({ type: "relate", account, relation: "follow", holds: true });
  }

  unfollow(account: AccountId): Promise<void> {
    return this.#done({ type: "relate", account, relation: "follow", holds: false });
  }

  /** Lets an account follow that asked for it, if this account's profile wants to be asked. */
  acceptFollower(account: AccountId): Promise<void> {
    return this.#done({ type: "relate", account, relation: "accept", holds: true });
  }

  /** Lets an account follow no more. */
  dropFollower(account: AccountId): Promise<void> {
    return this.#done({ type: "relate", account, relation: "accept", holds: false });
  }

  /** Neither shows the other anything from here on; who is blocked is no longer followed or accepted. */
  block(account: AccountId): Promise<void> {
    return this.#done({ type: "relate", account, relation: "block", holds: true });
  }

  unblock(account: AccountId): Promise<void> {
    return this.#done({ type: "relate", account, relation: "block", holds: false });
  }

  /** Says what one feels about the published copy of a drive; `null` takes it back. */
  react(drive: DocId, reaction: Reaction | null): Promise<void> {
    return this.#done({ type: "react", drive, reaction });
  }

  /** Writes a comment on the published copy of a drive. */
  comment(drive: DocId, text: string): Promise<DocId> {
    return this.#made({ type: "comment", drive, text });
  }

  removeComment(drive: DocId, comment: DocId): Promise<void> {
    return this.#done({ type: "removeComment", drive, comment });
  }

  /**
   * Makes a meet, or changes one's own. `seenAt` is the relay's `changedAt` of what the person saw: the change counts as made
   * after that, even if another organiser's clock is ahead.
   */
  putMeet(fields: MeetFields, meet: DocId | null = null, seenAt: Timestamp | null = null): Promise<DocId> {
    return this.#made({ type: "putMeet", meet, fields, seenAt });
  }

  /**
   * Changes somebody else's meet, whose organiser allows it: what differs from what was `seen` is what is said. `seenAt` as
   * with `putMeet`.
   */
  amendMeet(meet: DocId, seen: MeetFields, fields: MeetFields, seenAt: Timestamp | null = null): Promise<void> {
    return this.#done({ type: "amendMeet", meet, seen, fields, seenAt });
  }

  /** Says that one's own meet does not take place. `seenAt` as with `putMeet`. */
  cancelMeet(meet: DocId, seenAt: Timestamp | null = null): Promise<void> {
    return this.#done({ type: "cancelMeet", meet, seenAt });
  }

  /**
   * Gives one's own meet another link and resolves to its id: the old one shows nothing any more, everybody has to answer again,
   * and co-organisers stay. `fields` are what the person sees, also what co-organisers set: they count under the new link.
   * `seenAt` as with `putMeet`.
   */
  renewMeetLink(meet: DocId, fields: MeetFields, seenAt: Timestamp | null = null): Promise<DocId> {
    return this.#made({ type: "renewMeetLink", meet, fields, seenAt });
  }

  /** Lets another account change one's own meet, or no more. */
  grantOrganiser(meet: DocId, account: AccountId, may: boolean): Promise<void> {
    return this.#done({ type: "grantOrganiser", meet, account, may });
  }

  /** Answers to a meet; `null` takes the answer back. */
  rsvp(meet: DocId, answer: MeetAnswer | null): Promise<void> {
    return this.#done({ type: "rsvp", meet, answer });
  }

  /**
   * Makes a token with which `RelayReads` reads as this account, for some hours. Rejects with `relay_unknown` on a phone that
   * has never met its relay.
   */
  async token(): Promise<{ token: Uint8Array; expiresAt: Timestamp }> {
    const outcome = await this.#command({ type: "readToken" });
    if (outcome.type !== "token") throw unexpected(outcome);
    return { token: outcome.token, expiresAt: outcome.expiresAt };
  }

  putProfile(fields: ProfileFields): Promise<void> {
    return this.#done({ type: "putProfile", fields });
  }

  putSettings(fields: SettingsFields): Promise<void> {
    return this.#done({ type: "putSettings", fields });
  }

  /** Calls this device by a name among those of the account, or by none if it is empty. */
  nameDevice(name: string): Promise<void> {
    return this.#done({ type: "nameDevice", name });
  }

  /** The public key by which this device is known, 32 bytes: what another device's `grantDevice` wants. */
  device(): Promise<Uint8Array> {
    return this.#ask({ type: "device" }) as Promise<Uint8Array>;
  }

  /** Lets another device, known by its `device()`, into this account; gives the grant that its `joinAccount` wants. */
  async grantDevice(device: Uint8Array): Promise<Uint8Array> {
    const outcome = await this.#command({ type: "grantDevice", device });
    if (outcome.type !== "granted") throw unexpected(outcome);
    return outcome.grant;
  }

  /**
   * What a grant is, on the device that gave it and on the one that it is for: the account, and twelve digits that both show
   * if nobody stands between them. Ask the person to compare them before `joinAccount`.
   */
  async checkGrant(grant: Uint8Array): Promise<{ account: AccountId; check: string }> {
    const outcome = await this.#command({ type: "checkGrant", grant });
    if (outcome.type !== "grantChecked") throw unexpected(outcome);
    return { account: outcome.account, check: outcome.check };
  }

  /**
   * Enters the account of the device that gave the grant. Rejects with `bad_grant` (it cannot be read), `foreign_grant` (it
   * is for another device) or `other_account`: this phone holds drives, cars or settings of the account that it has, which
   * are never given up.
   */
  joinAccount(grant: Uint8Array): Promise<void> {
    return this.#done({ type: "joinAccount", grant });
  }

  /** Reads a view once. */
  read<T extends Topic>(topic: T): Promise<Views[T]> {
    return this.#ask({ type: "read", topic }) as Promise<Views[T]>;
  }

  /** Calls with the view as soon as it is read, and again whenever it changed. The returned function ends that. */
  subscribe<T extends Topic>(topic: T, callback: (view: Views[T]) => void): () => void {
    let query = this.#queries.get(topic);
    if (!query) {
      query = new Query(() => this.read(topic));
      this.#queries.set(topic, query);
    }
    return query.subscribe(callback as (view: Views[Topic]) => void);
  }

  /** Tries to reach the relay at once, also after it sent this device away. */
  async reconnect(): Promise<void> {
    await this.tell({ type: "network", online: navigator.onLine });
  }

  /** Tells the engine what happened on this page. For positions `sensors: true` does so by itself. */
  async tell(input: PageInput): Promise<void> {
    await this.#ask({ type: "tell", input });
  }

  /** Calls if the engine has to stop. What was on disk is safe; opening anew goes on from there. */
  onFailed(callback: (why: TourismoError) => void): () => void {
    this.#onFailed.add(callback);
    return () => this.#onFailed.delete(callback);
  }

  /** Calls when the engine is closed or has failed. */
  onClose(cleanup: () => void): void {
    this.#cleanups.push(cleanup);
  }

  /** Ends this engine. Another tab goes on if there is one. */
  close(): void {
    this.#worker.postMessage({ type: "close" });
    this.#end(new TourismoError("closed", "the engine was closed"));
  }

  async #done(command: Command): Promise<void> {
    const outcome = await this.#command(command);
    if (outcome.type !== "done") throw unexpected(outcome);
  }

  async #made(command: Command): Promise<DocId> {
    const outcome = await this.#command(command);
    if (outcome.type !== "done" || outcome.doc === null) throw unexpected(outcome);
    return outcome.doc;
  }

  async #command(command: Command): Promise<Extract<Outcome, { type: "done" | "granted" | "grantChecked" | "token" }>> {
    const outcome = (await this.#ask({ type: "command", command })) as Outcome;
    switch (outcome.type) {
      case "done":
      case "granted":
      case "grantChecked":
      case "token":
        return outcome;
      case "refused":
        throw new TourismoError(outcome.code);
      case "notStored":
        throw new TourismoError("not_stored", `this phone's storage refuses: ${outcome.failure}`, outcome.failure);
      default:
        return outcome satisfies never;
    }
  }

  #ask(ask: Ask): Promise<Answer> {
    if (this.#ended) return Promise.reject(this.#ended);
    const request = ++this.#requests;
    return new Promise((resolve, reject) => {
      this.#waiting.set(request, { resolve, reject });
      try {
        this.#worker.postMessage({ type: "ask", request, ask });
      } catch (thrown) {
        // A function, for instance, cannot cross to the worker.
        this.#waiting.delete(request);
        reject(TourismoError.from(thrown, "invalid"));
      }
    });
  }

  #receive(message: FromWorker): void {
    switch (message.type) {
      case "reply": {
        const waiting = this.#waiting.get(message.request);
        this.#waiting.delete(message.request);
        if (message.reply.ok) waiting?.resolve(message.reply.answer);
        else waiting?.reject(errorOf(message.reply));
        break;
      }
      case "changed":
        for (const topic of message.topics) this.#queries.get(topic)?.refresh();
        break;
      case "failed":
        this.#end(new TourismoError(message.code, message.message));
        break;
      default:
        message satisfies never;
    }
  }

  #end(why: TourismoError): void {
    if (this.#ended) return;
    this.#ended = why;
    this.#worker.terminate();
    for (const cleanup of this.#cleanups) cleanup();
    for (const { reject } of this.#waiting.values()) reject(why);
    this.#waiting.clear();
    if (why.code !== "closed") for (const callback of this.#onFailed) callback(why);
  }
}

/** A live query: reads once at a time, and once more if something changed meanwhile. */
class Query {
  readonly #read: () => Promise<Views[Topic]>;
  readonly #callbacks = new Set<(view: Views[Topic]) => void>();
  #latest: { view: Views[Topic] } | undefined;
  #reading = false;
  #stale = false;

  constructor(read: () => Promise<Views[Topic]>) {
    this.#read = read;
  }

  subscribe(callback: (view: Views[Topic]) => void): () => void {
    this.#callbacks.add(callback);
    if (this.#latest) callback(this.#latest.view);
    else this.refresh();
    return () => {
      this.#callbacks.delete(callback);
      // Nobody is told of changes that nobody reads.
      if (this.#callbacks.size === 0) this.#latest = undefined;
    };
  }

  refresh(): void {
    if (this.#callbacks.size === 0) return;
    if (this.#reading) {
      this.#stale = true;
      return;
    }
    this.#reading = true;
    this.#read()
      .then(
        (view) => {
          this.#latest = { view };
          for (const callback of this.#callbacks) callback(view);
        },
        // The engine has ended, which `onFailed` tells.
        () => {},
      )
      .finally(() => {
        this.#reading = false;
        if (!this.#stale) return;
        this.#stale = false;
        this.refresh();
      });
  }
}

function unexpected(outcome: Outcome): TourismoError {
  return new TourismoError("core_failed", `the core ended the command with ${outcome.type}`);
}

