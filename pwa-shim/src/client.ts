// The API of the engine: commands that resolve when they are on disk, and live queries.

import type { Views } from "./core.ts";
import { invalidField, refusalOf, TourismoError } from "./errors.ts";
import type {
  AccountId,
  Answer,
  ArchivedDocument,
  CarFields,
  Command,
  CommandOutcome,
  DocId,
  DocumentRef,
  DriveQuery,
  DriveView,
  FoundDrives,
  ImportCandidate,
  ImportMatch,
  LogEntry,
  LookView,
  MeetFields,
  PlaceKind,
  ProfileFields,
  Reaction,
  SettingsFields,
  Timestamp,
  Topic,
  Visibility,
  WrongWords,
  ZoneSize,
} from "./generated/types.ts";
import type { DriveFixes, DriveToImport } from "./importer.ts";
import {
  errorOf,
  type FromWorker,
  type PageInput,
  type PageRequest,
  type RequestResult,
  type StoredDocument,
  type ToWorker,
} from "./messages.ts";
import { attachPage } from "./page-events.ts";
import { socketAddress } from "./relay-reads.ts";
import { attachSensors } from "./sensors.ts";

/** How to open an engine. Everything has a default. */
export interface TourismoOptions {
  /** The URL of the relay. Default: the origin of the page. */
  relayUrl?: string | URL;
  /** The URL of the package's worker.js, for bundlers that do not find it. */
  workerUrl?: string | URL;
  /** The URL of the package's .wasm, for bundlers that do not find it. */
  wasmUrl?: string | URL;
  /** The name of the database. Engines of one name share it, in all tabs of an origin. Default: "tourismo". */
  name?: string;
  /** A grant from another device's `grantDevice`: joins that device's account, like `joinAccount`. Needed once. */
  grant?: Uint8Array;
  /**
   * Whether this page measures positions and keeps the screen on while a drive is recorded, and resumes a drive by itself if it
   * was interrupted less than 10 minutes ago. Default: true.
   */
  sensors?: boolean;
}

/**
 * Opens the engine.
 *
 * Rejects with `insecure_context`, `unsupported` or `storage_unavailable` if this page or browser cannot run it, and with the
 * errors of `joinAccount` if there is a grant.
 *
 * @example
 * const tourismo = await openTourismo({ relayUrl: "https://relay.example" });
 * tourismo.subscribe("drives", (drives) => console.table(drives));
 */
export async function openTourismo(options: TourismoOptions = {}): Promise<Tourismo> {
  if (typeof Worker === "undefined" || typeof location === "undefined") {
    throw new TourismoError(
      "unsupported",
      "openTourismo needs a page in a browser: call it in the browser, not during server-side rendering",
    );
  }
  if (!isSecureContext)
    throw new TourismoError(
      "insecure_context",
      `${location.origin} is not a secure context: serve the page over https or from localhost`,
    );
  const relay = new URL(options.relayUrl ?? "/", location.href);
  // Bundlers recognise exactly this expression.
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

type Succeeded = Exclude<CommandOutcome, { type: "refused" | "invalid" | "notStored" }>;

/** The part of `Worker` that an engine uses. */
export interface WorkerLike {
  postMessage(message: ToWorker): void;
  onmessage: ((event: MessageEvent<FromWorker>) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
  terminate(): void;
}

/** An open engine. Its promises reject with `TourismoError`. */
export class Tourismo {
  readonly #worker: WorkerLike;
  readonly #waiting = new Map<number, { resolve(result: RequestResult): void; reject(why: TourismoError): void }>();
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

  /** Starts recording. Resolves to the id of the new drive. */
  startDrive(car: DocId | null = null): Promise<DocId> {
    return this.#made({ type: "startDrive", car });
  }

  pauseDrive(): Promise<void> {
    return this.#done({ type: "pauseDrive" });
  }

  /** Resumes a paused or an unfinished drive. */
  resumeDrive(): Promise<void> {
    return this.#done({ type: "resumeDrive" });
  }

  /** Continues a drive here that another device of the account has not finished. */
  takeOverDrive(drive: DocId): Promise<void> {
    return this.#done({ type: "takeOverDrive", drive });
  }

  /**
   * Undoes a resume: the drive is unfinished again, and positions since then are dropped. Possible while `canUndoResume` of the
   * topic `recording` is true; afterwards it rejects with `not_found`.
   */
  undoResume(): Promise<void> {
    return this.#done({ type: "undoResume" });
  }

  /** Ends the drive that is being recorded and deletes it. */
  discardDrive(): Promise<void> {
    return this.#done({ type: "discardDrive" });
  }

  /** Finishes the drive that is being recorded, paused or unfinished. */
  finishDrive(): Promise<void> {
    return this.#done({ type: "finishDrive" });
  }

  /** Changes the given fields. `car: null` removes the car. */
  editDrive(drive: DocId, change: { title?: string; notes?: string; car?: DocId | null }): Promise<void> {
    const { title = null, notes = null } = change;
    return this.#done({ type: "editDrive", drive, title, notes, ...("car" in change ? { car: change.car } : {}) });
  }

  deleteDrive(drive: DocId): Promise<void> {
    return this.#done({ type: "deleteDrive", drive });
  }

  /**
   * Publishes a redacted copy of a drive, or changes who can see it; `private` withdraws it. The copy leaves out everything near
   * the private places of the account (`places` of the topic `account`).
   */
  async publishDrive(drive: DocId, visibility: Visibility): Promise<void> {
    await this.#done({ type: "publishDrive", drive, visibility });
  }

  /**
   * Adds a private place at `[longitude, latitude]`. Published copies that show something near it are withdrawn at once and
   * published again without it. `none` is for `open` places only.
   */
  addPlace(position: [number, number], kind: PlaceKind, size: ZoneSize): Promise<DocId> {
    return this.#made({ type: "addPlace", position, kind, size });
  }

  /**
   * Changes what a private place is and how much is hidden around it. More is hidden at once, also in published copies; less only
   * in what is published later.
   */
  changePlace(place: DocId, kind: PlaceKind, size: ZoneSize): Promise<void> {
    return this.#done({ type: "changePlace", place, kind, size });
  }

  /**
   * Accepts refused positions of a drive, by their ids in `refused` of the topic `track`; `holds: false` refuses them again.
   * Statistics and road follow, a published copy does not. At most 5,000 at once.
   */
  takeBackRefused(drive: DocId, fixes: string[], holds = true): Promise<void> {
    return this.#done({ type: "takeBackRefused", drive, fixes, holds });
  }

  /** Replaces the link of the published copy of a drive. The old link shows nothing. */
  renewLink(drive: DocId): Promise<void> {
    return this.#done({ type: "renewLink", drive });
  }

  /**
   * Imports a drive that an `Importer` read, with its own times. Resolves to its id. Importing the same source again changes
   * nothing and resolves to the drive that is here. Rejects with `nothing_to_import` if fewer than two positions can be used.
   */
  importDrive({ source, title, notes = "", car = null, fixes }: DriveToImport): Promise<DocId> {
    return this.#made({ type: "importDrive", source, title, notes, car, fixes });
  }

  /**
   * Resolves for each drive that an `Importer` read to whether it is new, was imported before, or overlaps in time and place a
   * drive that is here, or an earlier one of the list. At most 20,000 at once.
   */
  async checkImport(drives: readonly ImportCandidate[]): Promise<ImportMatch[]> {
    const candidates = drives.map(({ source, startedAt, endedAt, bounds }) => ({ source, startedAt, endedAt, bounds }));
    const outcome = await this.#command({ type: "checkImport", drives: candidates });
    if (outcome.type !== "importChecked") throw unexpected(outcome);
    return outcome.found;
  }

  /**
   * Attacks the published copies as others could, without a network: says where an attacker who knows the rules, but neither the
   * secrets of the places nor the streets, would look for a private place.
   */
  async attackProfile(): Promise<LookView[]> {
    const outcome = await this.#command({ type: "attackProfile" });
    if (outcome.type !== "attacked") throw unexpected(outcome);
    return outcome.looks;
  }

  /** All accepted positions of a drive, for `Importer.write`. Rejects with `track_not_here` like `openDrive`. */
  async readFixes(drive: DocId): Promise<DriveFixes> {
    const outcome = await this.#command({ type: "readFixes", drive });
    if (outcome.type !== "fixes") throw unexpected(outcome);
    return { fixes: outcome.fixes, parts: outcome.parts };
  }

  /** The documents of an archive of this account: see `exportAccount`. */
  async listDocuments(): Promise<DocumentRef[]> {
    const outcome = await this.#command({ type: "listDocuments" });
    if (outcome.type !== "documents") throw unexpected(outcome);
    return outcome.documents;
  }

  /**
   * A document as a file of Automerge. It is fetched from the relay if it is not here; without a connection the promise rejects with
   * `track_not_here`.
   */
  async readDocument(doc: DocId): Promise<Uint8Array> {
    const outcome = await this.#command({ type: "readDocument", doc });
    if (outcome.type !== "document") throw unexpected(outcome);
    return outcome.bytes;
  }

  /** Resolves for each document of an archive to whether it is new or here. At most 100,000 at once. */
  async checkDocuments(documents: readonly DocumentRef[]): Promise<ImportMatch[]> {
    const refs = documents.map(({ kind, id }) => ({ kind, id, track: null }));
    const outcome = await this.#command({ type: "checkDocuments", documents: refs });
    if (outcome.type !== "importChecked") throw unexpected(outcome);
    return outcome.found;
  }

  /**
   * Imports a document that an `Importer` read from an archive of an account, also of another one, as a document of this account.
   * Resolves to its id, if it has one. Importing it again changes nothing. Settings, profile and relations that are here stay. Import
   * in the order of the archive, because drives refer to cars.
   */
  async importDocument({ kind, id, bytes, track }: ArchivedDocument): Promise<DocId | null> {
    const outcome = await this.#command({ type: "importDocument", document: { kind, id, bytes, track } });
    if (outcome.type !== "done") throw unexpected(outcome);
    return outcome.doc;
  }

  /** Loads the track of a drive into the topic `track`. */
  openDrive(drive: DocId): Promise<void> {
    return this.#done({ type: "openDrive", drive });
  }

  /** Removes the track from memory. */
  closeDrive(): Promise<void> {
    return this.#done({ type: "closeDrive" });
  }

  /** Adds a car, or changes the given one. Resolves to its id. */
  putCar(fields: CarFields, car: DocId | null = null): Promise<DocId> {
    return this.#made({ type: "putCar", car, fields });
  }

  /** The drives of a car, newest first. */
  async carDrives(car: DocId): Promise<DriveView[]> {
    return (await this.read("drives")).filter((drive) => drive.car === car);
  }

  /**
   * Finds drives by text, car, date and place, and sums them up by year, month and car, without network. Takes milliseconds for
   * thousands of drives, so it can run at each keystroke. Rejects with `invalid` if a value is out of range.
   */
  findDrives(query: DriveQuery = {}): Promise<FoundDrives> {
    return this.#ask({ type: "findDrives", query }) as Promise<FoundDrives>;
  }

  /** Adds an entry to the logbook of a car, or changes the given one. Resolves to its id. */
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

  /** Accepts a request to follow. */
  acceptFollower(account: AccountId): Promise<void> {
    return this.#done({ type: "relate", account, relation: "accept", holds: true });
  }

  /** Removes a follower. */
  dropFollower(account: AccountId): Promise<void> {
    return this.#done({ type: "relate", account, relation: "accept", holds: false });
  }

  /** Blocks an account. It is no longer followed or accepted, and neither account sees what the other shares with followers. */
  block(account: AccountId): Promise<void> {
    return this.#done({ type: "relate", account, relation: "block", holds: true });
  }

  unblock(account: AccountId): Promise<void> {
    return this.#done({ type: "relate", account, relation: "block", holds: false });
  }

  /** Sets the reaction to a published drive; `null` removes it. */
  react(drive: DocId, reaction: Reaction | null): Promise<void> {
    return this.#done({ type: "react", drive, reaction });
  }

  /** Comments on a published drive. Resolves to the id of the comment. */
  comment(drive: DocId, text: string): Promise<DocId> {
    return this.#made({ type: "comment", drive, text });
  }

  removeComment(drive: DocId, comment: DocId): Promise<void> {
    return this.#done({ type: "removeComment", drive, comment });
  }

  /** Removes somebody's comment from an own published drive: others no longer see it. `showComment` shows it again. */
  hideComment(drive: DocId, comment: { id: DocId; account: AccountId }): Promise<void> {
    return this.#done({ type: "hideComment", drive, account: comment.account, comment: comment.id, hides: true });
  }

  showComment(drive: DocId, comment: { id: DocId; account: AccountId }): Promise<void> {
    return this.#done({ type: "hideComment", drive, account: comment.account, comment: comment.id, hides: false });
  }

  /**
   * Creates a meet, or changes one of this account. Resolves to its id. `seenAt` is `changedAt` of the meet that the user saw:
   * the change counts as later than that, even if another organiser's clock is ahead.
   */
  putMeet(fields: MeetFields, meet: DocId | null = null, seenAt: Timestamp | null = null): Promise<DocId> {
    return this.#made({ type: "putMeet", meet, fields, seenAt });
  }

  /**
   * Changes a meet of another account as a co-organiser: those fields that differ from `seen`. `seenAt` as in `putMeet`.
   */
  amendMeet(meet: DocId, seen: MeetFields, fields: MeetFields, seenAt: Timestamp | null = null): Promise<void> {
    return this.#done({ type: "amendMeet", meet, seen, fields, seenAt });
  }

  /** Cancels a meet of this account. `seenAt` as in `putMeet`. */
  cancelMeet(meet: DocId, seenAt: Timestamp | null = null): Promise<void> {
    return this.#done({ type: "cancelMeet", meet, seenAt });
  }

  /**
   * Replaces the link of a meet of this account. Resolves to its new id. The old link shows nothing, everyone must answer again,
   * and co-organisers stay. `fields` are those that the user sees, with changes by co-organisers. `seenAt` as in `putMeet`.
   */
  renewMeetLink(meet: DocId, fields: MeetFields, seenAt: Timestamp | null = null): Promise<DocId> {
    return this.#made({ type: "renewMeetLink", meet, fields, seenAt });
  }

  /** Adds or removes a co-organiser of a meet of this account. */
  grantOrganiser(meet: DocId, account: AccountId, may: boolean): Promise<void> {
    return this.#done({ type: "grantOrganiser", meet, account, may });
  }

  /** Answers to a meet; `null` removes the answer. */
  rsvp(meet: DocId, answer: Answer | null): Promise<void> {
    return this.#done({ type: "rsvp", meet, answer });
  }

  /**
   * Makes a token with which `RelayReads` reads as this account, valid for some hours. Rejects with `relay_unknown` if this
   * device was never connected to its relay.
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

  /** Sets the name of this device; an empty name removes it. */
  nameDevice(name: string): Promise<void> {
    return this.#done({ type: "nameDevice", name });
  }

  /** The public key of this device, 32 bytes: the argument of another device's `grantDevice`. */
  device(): Promise<Uint8Array> {
    return this.#ask({ type: "device" }) as Promise<Uint8Array>;
  }

  /** Adds another device to this account by its `device()`. Resolves to the grant for its `joinAccount`. */
  async grantDevice(device: Uint8Array): Promise<Uint8Array> {
    const outcome = await this.#command({ type: "grantDevice", device });
    if (outcome.type !== "granted") throw unexpected(outcome);
    return outcome.grant;
  }

  /**
   * The account of a grant, and twelve digits that are the same on both devices unless an attacker replaced the grant or the
   * key. PageRequest the user to compare them before `joinAccount`.
   */
  async checkGrant(grant: Uint8Array): Promise<{ account: AccountId; check: string }> {
    const outcome = await this.#command({ type: "checkGrant", grant });
    if (outcome.type !== "grantChecked") throw unexpected(outcome);
    return { account: outcome.account, check: outcome.check };
  }

  /**
   * Joins the account of the device that made the grant. Rejects with `bad_grant` if it cannot be read, `foreign_grant` if it is
   * for another device, and `other_account` if this device holds data of its account, which is never dropped.
   */
  joinAccount(grant: Uint8Array): Promise<void> {
    return this.#done({ type: "joinAccount", grant });
  }

  /**
   * Makes a new secret and its twelve words (BIP-39). Nothing is stored: show the words, let the user write them down, and pass
   * the secret to `enrolRecovery`.
   */
  async newRecoveryWords(): Promise<{ secret: Uint8Array; words: string[] }> {
    const outcome = await this.#command({ type: "newRecoveryWords" });
    if (outcome.type !== "recoveryWords") throw unexpected(outcome);
    return { secret: outcome.secret, words: outcome.words };
  }

  /**
   * Reads twelve words that the user typed. Resolves to their secret and to the argument of `RelayReads.recoverableAccounts`, or
   * to what is wrong with the words: a word that is not in the list, or one that the checksum shows to be wrong.
   */
  async readRecoveryWords(text: string): Promise<{ secret: Uint8Array; lookup: string } | { wrong: WrongWords }> {
    const outcome = await this.#command({ type: "readRecoveryWords", text });
    if (outcome.type === "wrongWords") return { wrong: outcome.wrong };
    if (outcome.type !== "recoverySecret") throw unexpected(outcome);
    return { secret: outcome.secret, lookup: outcome.lookup };
  }

  /** Resolves to the argument of `RelayReads.recoverableAccounts` for the secret of a recovery key, such as that of a passkey. */
  async recoveryLookup(secret: Uint8Array): Promise<string> {
    const outcome = await this.#command({ type: "lookUpRecovery", secret });
    if (outcome.type !== "recoverySecret") throw unexpected(outcome);
    return outcome.lookup;
  }

  /**
   * Makes the key of a secret a recovery key of this account: of words (16 bytes), or of a passkey (32 bytes). The topic `members`
   * says when it is effective: at once for the first one that the founding device enrols, else after a week.
   */
  enrolRecovery(secret: Uint8Array): Promise<void> {
    return this.#done({ type: "enrolRecovery", secret });
  }

  /** Objects to a recovery key that is not effective yet: it never will be. `key` is hexadecimal, from the topic `members`. */
  objectToRecovery(key: string): Promise<void> {
    return this.#done({ type: "objectToRecovery", key: bytesOf(key) });
  }

  /**
   * Removes a device from the account for good. The relay ends its connections within a second. `key` is hexadecimal, from the
   * topic `members`. With the secret of a recovery key, `removesGranted` also removes everything that the device let in, and a
   * recovery key can be removed; without it such a removal rejects with `recovery_key_needed`.
   */
  removeKey(key: string, recovery?: { secret: Uint8Array; removesGranted?: boolean }): Promise<void> {
    const { secret = null, removesGranted = false } = recovery ?? {};
    return this.#done({ type: "removeKey", key: bytesOf(key), secret, removesGranted });
  }

  /**
   * Brings an account to this device with the secret of a recovery key. `account` is from `RelayReads.recoverableAccounts`, or
   * from a passkey. Rejects with `other_account` if this device holds data of its account, which is never dropped.
   */
  recoverAccount(account: AccountId, secret: Uint8Array): Promise<void> {
    return this.#done({ type: "recoverAccount", account, secret });
  }

  /**
   * Everything that this device stores of every document, also what the relay does not have. `automerge` is what `load` of
   * Automerge reads.
   */
  documents(): Promise<StoredDocument[]> {
    return this.#ask({ type: "documents" }) as Promise<StoredDocument[]>;
  }

  /** Resolves to the current view of a topic. */
  read<T extends Topic>(topic: T): Promise<Views[T]> {
    return this.#ask({ type: "read", topic }) as Promise<Views[T]>;
  }

  /** Calls back with the view of a topic, and again whenever it changes. Returns a function that unsubscribes. */
  subscribe<T extends Topic>(topic: T, callback: (view: Views[T]) => void): () => void {
    let query = this.#queries.get(topic);
    if (!query) {
      query = new Query(() => this.read(topic));
      this.#queries.set(topic, query);
    }
    return query.subscribe(callback as (view: Views[Topic]) => void);
  }

  /** Connects to the relay at once, also after it rejected this device. */
  async reconnect(): Promise<void> {
    await this.tell({ type: "network", online: navigator.onLine });
  }

  /** Passes an event of this page to the engine. With `sensors: true` positions are passed automatically. */
  async tell(input: PageInput): Promise<void> {
    await this.#ask({ type: "tell", input });
  }

  /** Calls back if the engine fails. Data on the disk is safe: open the engine again. Returns a function that unsubscribes. */
  onFailed(callback: (why: TourismoError) => void): () => void {
    this.#onFailed.add(callback);
    return () => this.#onFailed.delete(callback);
  }

  /** Calls back when the engine is closed or has failed. */
  onClose(cleanup: () => void): void {
    this.#cleanups.push(cleanup);
  }

  /** Closes this engine. Another tab takes over if there is one. */
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

  async #command(command: Command): Promise<Succeeded> {
    const outcome = (await this.#ask({ type: "command", command })) as CommandOutcome;
    switch (outcome.type) {
      case "done":
      case "granted":
      case "grantChecked":
      case "importChecked":
      case "attacked":
      case "fixes":
      case "documents":
      case "document":
      case "token":
      case "recoveryWords":
      case "recoverySecret":
      case "wrongWords":
        return outcome;
      case "refused":
        throw refusalOf(command, outcome.code);
      case "invalid":
        throw invalidField(command, outcome.field, outcome.expected);
      case "notStored":
        throw new TourismoError("not_stored", `this phone's storage refuses: ${outcome.failure}`, outcome.failure);
      default:
        return outcome satisfies never;
    }
  }

  #ask(ask: PageRequest): Promise<RequestResult> {
    if (this.#ended) return Promise.reject(this.#ended);
    const request = ++this.#requests;
    return new Promise((resolve, reject) => {
      this.#waiting.set(request, { resolve, reject });
      try {
        this.#worker.postMessage({ type: "ask", request, ask });
      } catch (thrown) {
        // Functions, for instance, cannot be cloned to the worker.
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
        if (message.reply.ok) waiting?.resolve(message.reply.result);
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

/** A live query. It reads once at a time, and once more if the view changed meanwhile. */
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
      // Without subscribers no changes are followed.
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
        // The engine has ended: `onFailed` reports it.
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

/** The bytes of hexadecimal digits. */
function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16));
}

function unexpected(outcome: CommandOutcome): TourismoError {
  return new TourismoError("core_failed", `the core ended the command with ${outcome.type}`);
}
