// Reads of the relay over HTTP: public data for everybody, and data for the account that reads.
//
// Answers are cached. A cached answer is returned with its age if the relay cannot be reached.

import type { Check, Checked } from "./checks.ts";
import { TourismoError } from "./errors.ts";
import type { components, paths } from "./generated/http.ts";
import * as checks from "./generated/http-checks.ts";
import type { AccountId, DocId, Timestamp } from "./generated/types.ts";
import { MemoryReadCache, type ReadCache } from "./read-cache.ts";
import type {
  Attendee,
  DriveComment,
  DriveReactions,
  FeedPage,
  Follower,
  HiddenItem,
  HomeItem,
  Inbox,
  InboxPortion,
  Meet,
  MeetPage,
  OwnDevice,
  OwnProfile,
  Page,
  Person,
  PersonPage,
  PublicCar,
  PublishedTrack,
  RecoverableAccount,
  Report,
} from "./relay-answers.ts";
import * as answers from "./relay-answers.ts";
import { type RoadPage, type RoadWithDrives, roadPage, roadWithDrives } from "./road-answers.ts";

/** Timeout of a request. */
const TIMEOUT_MS = 15_000;
/** Timeout of a request for the positions of a drive. */
const LONG_TIMEOUT_MS = 120_000;
/** A token is not used this long before it expires. */
const TOKEN_MARGIN_MS = 60_000;
/** Delay before a live feed is opened again, initially and at most. */
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 60_000;

/** The first event of a live feed: nothing has changed. */
const OPEN = "open";
/** The last event of a live feed when the token has expired. It is opened again with a new token. */
const EXPIRED = "expired";

/** The account that reads. */
export interface Reader {
  account: AccountId;
  /** Makes a token: `Tourismo.token`. */
  token(): Promise<{ token: Uint8Array; expiresAt: Timestamp }>;
}

/** The age of an answer. */
export interface QueryMeta {
  /** When the answer was fetched. */
  fetchedAt: Timestamp;
  /** Whether the relay could not be reached, so that this answer is from the cache. */
  isStale: boolean;
}

/** A page of a list. `after` is the `next` of the page before. */
export interface PageOf {
  after?: string;
  limit?: number;
}

/** A search for meets: near a place or within a box, starting in a period. */
export interface MeetsWanted extends PageOf {
  /** Longitude and latitude. */
  near?: [number, number];
  radiusM?: number;
  /** West, south, east, north. */
  bbox?: [number, number, number, number];
  from?: Timestamp;
  to?: Timestamp;
}

/** A search for roads whose midpoint is within a box or near a place. */
export interface RoadsWanted extends PageOf {
  /** West, south, east, north. */
  bbox?: [number, number, number, number];
  /** Longitude and latitude. */
  near?: [number, number];
  radiusM?: number;
  /** 0 to 100. */
  minScore?: number;
}

/** The answer to a read, by its path in the OpenAPI description. */
type Answer<P extends keyof paths> = paths[P]["get"] extends { responses: { 200: { content: infer Content } } }
  ? Content[keyof Content]
  : never;

/** The parameters of a read in its path, and in its query. */
type PathParameters<P extends keyof paths> = paths[P]["get"] extends { parameters: { path: infer Parameters } }
  ? { parameters: Parameters & Record<string, string> }
  : { parameters?: never };
type Query<P extends keyof paths> = paths[P]["get"] extends { parameters: { query?: infer Parameters } } ? Parameters : never;

/** A read: what to ask for, how to check the answer, and how to convert it. */
type Read<P extends keyof paths, T> = PathParameters<P> & {
  path: P;
  query?: Query<P> & object;
  check: Check<Checked<Answer<P>>>;
  convert?: (answer: Checked<Answer<P>>) => T;
  /** Whether the read needs an account. */
  needsAccount?: boolean;
  /** Whether the answer is kept for when the relay cannot be reached; true by default. */
  isKept?: boolean;
};

/** The reads of one relay. They reject with a `TourismoError`. */
export class RelayReads {
  readonly #relay: URL;
  readonly #cache: ReadCache;
  #reader: Reader | undefined;
  #token: { text: string; expiresAt: Timestamp } | undefined;

  constructor(relay: URL, cache: ReadCache = new MemoryReadCache()) {
    this.#relay = relay;
    this.#cache = cache;
  }

  /** Sets the account that reads; `undefined` reads anonymously. */
  readAs(reader: Reader | undefined): void {
    this.#reader = reader;
    this.#token = undefined;
  }

  /** Public drives, newest first, those that touch the box if there is one. */
  publicFeed({ bbox, ...page }: PageOf & { bbox?: [number, number, number, number] } = {}): Promise<FeedPage & QueryMeta> {
    const query = { ...page, ...(bbox ? { bbox: bbox.join(",") } : {}) };
    return this.#read({ path: "/v1/feed/public", query, check: checks.drivePage, convert: answers.feedPage });
  }

  /** Drives and meets of the people whom the reader follows, newest first. */
  homeFeed(query: PageOf = {}): Promise<Page<"items", HomeItem> & QueryMeta> {
    return this.#read({ path: "/v1/me/feed", query, check: checks.homePage, convert: answers.homePage, needsAccount: true });
  }

  /** A published drive, by the id of its copy. */
  publishedDrive(id: DocId): Promise<PublishedTrack & QueryMeta> {
    return this.#read({
      path: "/v1/drives/{id}",
      parameters: { id },
      check: checks.driveFeature,
      convert: answers.publishedTrack,
    });
  }

  /** The reactions to a drive. */
  reactions(id: DocId, query: PageOf = {}): Promise<DriveReactions & QueryMeta> {
    const convert = answers.driveReactions;
    return this.#read({ path: "/v1/drives/{id}/reactions", parameters: { id }, query, check: checks.reactionPage, convert });
  }

  /** The comments on a drive, latest first. */
  comments(id: DocId, query: PageOf = {}): Promise<Page<"comments", DriveComment> & QueryMeta> {
    return this.#read({ path: "/v1/drives/{id}/comments", parameters: { id }, query, check: checks.commentPage });
  }

  /** The reader's own profile as the relay has it, with the state of the handle. */
  ownProfile(): Promise<OwnProfile & QueryMeta> {
    return this.#read({ path: "/v1/me/profile", check: checks.ownProfile, needsAccount: true });
  }

  /** What operators of the relay hide of the reader, with their reasons. */
  ownDecisions(): Promise<{ items: HiddenItem[] } & QueryMeta> {
    return this.#read({ path: "/v1/me/decisions", check: checks.hiddenItems, needsAccount: true });
  }

  /**
   * Reports something to the operators of the relay, as the reader, or without an account if there is none. Rejects with
   * `too_many_reports` after too many reports on a day.
   */
  async report(report: Report): Promise<void> {
    await this.#post("/v1/reports", report);
  }

  /**
   * Lets a new account in on a relay that accepts accounts by invitation only: while `status.link` is rejected with `not_invited`.
   * Then `Tourismo.reconnect`. Rejects with `bad_invitation` or `registration_closed`.
   */
  async redeemInvitation(code: string, account: AccountId): Promise<void> {
    await this.#post("/v1/invitations/redeem", { code, account });
  }

  /** The reader's inbox: its address and the drives in it. `collectInbox` makes drives of them. */
  inbox(): Promise<Inbox & QueryMeta> {
    return this.#read({ path: "/v1/me/inbox", check: checks.ownInbox, needsAccount: true, isKept: false });
  }

  /** The address to which background recorders post, for the secret of an inbox. */
  inboxAddress(secret: string): string {
    return new URL(`/v1/inbox/${encodeURIComponent(secret)}`, this.#relay).href;
  }

  /** Gives the reader's inbox a new address. The one before ends at once. */
  openInbox(): Promise<void> {
    return this.#post("/v1/me/inbox/open", {}, true);
  }

  /** Ends the address of the reader's inbox. What is in it stays until a device takes it. */
  closeInbox(): Promise<void> {
    return this.#post("/v1/me/inbox/close", {}, true);
  }

  /** The positions of a drive in the reader's inbox, for `Tourismo.importDrive`. */
  async inboxFixes(source: string): Promise<Uint8Array<ArrayBuffer>> {
    const url = this.#address("/v1/me/inbox/drives/{source}", { source });
    const response = await checked(await this.#fetch(url, true, AbortSignal.timeout(LONG_TIMEOUT_MS)), url);
    return new Uint8Array(await response.arrayBuffer().catch(unreachable));
  }

  /** Claims the positions of a drive in the reader's inbox before it is imported: what arrives later is not part of it. */
  claimInInbox({ recorder, until, receivedAt }: InboxPortion): Promise<void> {
    return this.#post("/v1/me/inbox/claim", { recorder, until, receivedAt }, true);
  }

  /** Deletes positions from the reader's inbox; those of a drive only when `sync` of the imported drive is `onRelay`. */
  takeFromInbox({ recorder, until, receivedAt }: InboxPortion): Promise<void> {
    return this.#post("/v1/me/inbox/take", { recorder, until, receivedAt }, true);
  }

  async #post(path: keyof paths, body: object, needsAccount = false): Promise<void> {
    const init = { method: "POST", body: JSON.stringify(body) };
    const more = { "content-type": "application/json" };
    const url = this.#address(path);
    await checked(await this.#fetch(url, needsAccount, AbortSignal.timeout(TIMEOUT_MS), more, init), url);
  }

  /** The devices that ever connected for the account, with the time of each one's last connection. */
  ownDevices(): Promise<{ items: OwnDevice[] } & QueryMeta> {
    return this.#read({ path: "/v1/me/devices", check: checks.ownDevices, needsAccount: true });
  }

  /**
   * The accounts that a recovery key can bring back. `lookup` is from `Tourismo.readRecoveryWords`. Rejects with `not_on_relay` if
   * there is none on this relay.
   */
  recoverableAccounts(lookup: string): Promise<{ items: RecoverableAccount[] } & QueryMeta> {
    return this.#read({
      path: "/v1/recovery/{lookup}",
      parameters: { lookup },
      check: checks.recoverableAccounts,
      isKept: false,
    });
  }

  /** Who asked to follow and is not accepted yet, the latest first. */
  requests(query: PageOf = {}): Promise<Page<"people", Follower> & QueryMeta> {
    return this.#read({ path: "/v1/me/requests", query, check: checks.peoplePage, needsAccount: true });
  }

  /** A person, by handle or account. */
  person(person: string): Promise<PersonPage & QueryMeta> {
    return this.#read({ path: "/v1/people/{person}", parameters: { person }, check: checks.personBody });
  }

  /** People whose handles begin with a prefix, in any spelling. */
  search(prefix: string, page: PageOf = {}): Promise<Page<"people", Person> & QueryMeta> {
    return this.#read({ path: "/v1/people", query: { ...page, prefix }, check: checks.foundPage });
  }

  drivesOf(person: string, query: PageOf = {}): Promise<FeedPage & QueryMeta> {
    const convert = answers.feedPage;
    return this.#read({ path: "/v1/people/{person}/drives", parameters: { person }, query, check: checks.drivePage, convert });
  }

  carsOf(person: string, query: PageOf = {}): Promise<Page<"cars", PublicCar> & QueryMeta> {
    return this.#read({ path: "/v1/people/{person}/cars", parameters: { person }, query, check: checks.publicCarPage });
  }

  followers(person: string, query: PageOf = {}): Promise<Page<"people", Follower> & QueryMeta> {
    return this.#read({ path: "/v1/people/{person}/followers", parameters: { person }, query, check: checks.peoplePage });
  }

  following(person: string, query: PageOf = {}): Promise<Page<"people", Follower> & QueryMeta> {
    return this.#read({ path: "/v1/people/{person}/following", parameters: { person }, query, check: checks.peoplePage });
  }

  /** People whom both the reader and a person follow, the latest followed by that person first. */
  inCommon(person: string, query: PageOf = {}): Promise<Page<"people", Follower> & QueryMeta> {
    return this.#read({
      path: "/v1/me/in-common/{person}",
      parameters: { person },
      query,
      check: checks.peoplePage,
      needsAccount: true,
    });
  }

  meets({ near, bbox, ...page }: MeetsWanted = {}): Promise<Page<"meets", Meet> & QueryMeta> {
    const query = { ...page, ...placesOf({ near, bbox }) };
    return this.#read({ path: "/v1/meets", query, check: checks.meetPage, convert: answers.meetList });
  }

  /** The reader's own meets, and those that the reader answered to. */
  meetsOfMine(query: PageOf = {}): Promise<Page<"meets", Meet> & QueryMeta> {
    return this.#read({ path: "/v1/me/meets", query, check: checks.meetPage, convert: answers.meetList, needsAccount: true });
  }

  meet(id: DocId): Promise<MeetPage & QueryMeta> {
    return this.#read({ path: "/v1/meets/{id}", parameters: { id }, check: checks.meetBody, convert: answers.meetPage });
  }

  /** Who answered to a meet, those first whom the reader follows. */
  attendees(id: DocId, query: PageOf = {}): Promise<Page<"attendees", Attendee> & QueryMeta> {
    return this.#read({ path: "/v1/meets/{id}/attendees", parameters: { id }, query, check: checks.attendeePage });
  }

  /** Roads in one direction each, the best first. The answer is not kept: that is for a `RoadAtlas`. */
  roads({ near, bbox, minScore, ...page }: RoadsWanted = {}): Promise<RoadPage & QueryMeta> {
    const query = { ...page, ...placesOf({ near, bbox }), ...(minScore === undefined ? {} : { min_score: minScore }) };
    return this.#read({ path: "/v1/roads", query, check: checks.roadCollection, convert: roadPage, isKept: false });
  }

  /** One road with the newest public drives over it. */
  road(id: string): Promise<RoadWithDrives & QueryMeta> {
    return this.#read({ path: "/v1/roads/{id}", parameters: { id }, check: checks.roadFeature, convert: roadWithDrives });
  }

  /** The URL template of vector tiles with roads. The placeholders `{z}`, `{x}` and `{y}` are those of a map library. */
  roadTiles(): string {
    return `${new URL("/v1/roads/tiles/", this.#relay).href}{z}/{x}/{y}.mvt`;
  }

  /** The URL of the calendar of a meet. */
  calendarOf(meet: DocId): string {
    return new URL(`/v1/meets/${encodeURIComponent(meet)}/meet.ics`, this.#relay).href;
  }

  /** Calls back whenever the home feed has something new. Returns a function that ends it. */
  onHomeFeed(callback: () => void): () => void {
    return this.#live("/v1/me/feed/live", {}, callback, true);
  }

  /** Calls back whenever a meet or its answers have changed. Returns a function that ends it. */
  onMeet(meet: DocId, callback: () => void): () => void {
    return this.#live("/v1/meets/{id}/live", { id: meet }, callback, false);
  }

  /** Deletes all cached answers. */
  async forget(): Promise<void> {
    await this.#cache.clear().catch(() => {});
  }

  async #read<P extends keyof paths, T = Checked<Answer<P>>>(read: Read<P, T>): Promise<T & QueryMeta> {
    const { check, convert, needsAccount = false, isKept = true } = read;
    const url = this.#address(read.path, read.parameters, read.query);
    const key = `${this.#reader?.account ?? ""} ${url.href}`;
    const answerIn = (body: string): T => {
      const answer = check(parse(body));
      return convert ? convert(answer) : (answer as unknown as T);
    };
    try {
      const body = await this.#fetchText(url, needsAccount);
      const answer = answerIn(body);
      const fetchedAt = Date.now();
      if (isKept) this.#cache.keep(key, { body, fetchedAt }).catch(() => {});
      return { ...answer, fetchedAt, isStale: false };
    } catch (thrown) {
      // What was withdrawn or hidden is not shown from the cache later.
      if (isKept && isGone(thrown)) await this.#cache.delete(key).catch(() => {});
      const kept = isKept && isUnreachable(thrown) ? await this.#cache.find(key).catch(() => undefined) : undefined;
      if (!kept) throw thrown;
      try {
        return { ...answerIn(kept.body), fetchedAt: kept.fetchedAt, isStale: true };
      } catch {
        // Another version of the app kept it.
        throw thrown;
      }
    }
  }

  /** The address of a read: `{name}` in the path stands for the parameter of that name. */
  #address(path: string, parameters: Record<string, string> = {}, query: object = {}): URL {
    const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(parameters[name] ?? ""));
    const url = new URL(filled, this.#relay);
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, String(value));
    return url;
  }

  async #fetchText(url: URL, needsAccount: boolean): Promise<string> {
    const response = await checked(await this.#fetch(url, needsAccount, AbortSignal.timeout(TIMEOUT_MS)), url);
    return response.text().catch(unreachable);
  }

  /** Fetches as the account if there is one. Repeats once with a new token if the relay rejects the token. */
  async #fetch(
    url: URL,
    needsAccount: boolean,
    signal: AbortSignal,
    more: Record<string, string> = {},
    init: RequestInit = {},
    isAgain = false,
  ): Promise<Response> {
    const token = await this.#freshToken(needsAccount);
    const headers = token === undefined ? more : { ...more, authorization: `Bearer ${token}` };
    const response = await fetch(url, { ...init, headers, signal }).catch(unreachable);
    if (response.status !== 401 || token === undefined || isAgain) return response;
    this.#token = undefined;
    return this.#fetch(url, needsAccount, signal, more, init, true);
  }

  async #freshToken(needsAccount: boolean): Promise<string | undefined> {
    if (this.#token && this.#token.expiresAt - TOKEN_MARGIN_MS > Date.now()) return this.#token.text;
    const reader = this.#reader;
    if (!reader) {
      if (needsAccount) throw new TourismoError("relay_unreachable", "the account is not open yet");
      return undefined;
    }
    try {
      const { token, expiresAt } = await reader.token();
      if (reader === this.#reader) this.#token = { text: base64url(token), expiresAt };
      return base64url(token);
    } catch (thrown) {
      if (!needsAccount) return undefined;
      // The device was never connected to its relay.
      const isEarly = thrown instanceof TourismoError && thrown.code === "relay_unknown";
      throw isEarly ? new TourismoError("relay_unreachable", "the relay has not been reached yet") : thrown;
    }
  }

  /** Server-sent events with a token, which `EventSource` cannot send. Every event means: read again. */
  #live(path: keyof paths, parameters: Record<string, string>, callback: () => void, needsAccount: boolean): () => void {
    const ended = new AbortController();
    const listen = async (): Promise<void> => {
      let wait = FIRST_RETRY_MS;
      let last: string | undefined;
      while (!ended.signal.aborted) {
        try {
          const more: Record<string, string> = last === undefined ? {} : { "last-event-id": last };
          const response = await this.#fetch(this.#address(path, parameters), needsAccount, ended.signal, more);
          if (response.ok && response.body) {
            wait = FIRST_RETRY_MS;
            for await (const { kind, id } of eventsIn(response.body)) {
              last = id ?? last;
              if (kind === EXPIRED) this.#token = undefined;
              else if (kind !== OPEN) callback();
            }
          } else await response.body?.cancel();
        } catch {
          // No connection: it is opened again after a delay.
        }
        await pause(wait, ended.signal);
        wait = Math.min(2 * wait, LAST_RETRY_MS);
      }
    };
    void listen();
    return () => ended.abort();
  }
}

/** A successful answer; an error for a refusal. */
async function checked(response: Response, { pathname }: URL): Promise<Response> {
  if (response.status === 404)
    throw new TourismoError("not_on_relay", `the relay has nothing at ${pathname}, or this account may not read it`);
  const code = response.ok ? undefined : await codeIn(response);
  if (code === "revoked") throw new TourismoError("revoked", "this device was removed from its account");
  if (code === "bad_invitation") throw new TourismoError(code, "the invitation is wrong, used, expired or revoked");
  if (code === "registration_closed") throw new TourismoError(code, "the relay accepts no new accounts");
  if (code === "too_many_reports") throw new TourismoError("too_many_reports", "too many reports from here today");
  if (response.status === 401)
    throw new TourismoError("not_allowed", `the relay rejects the token of this device for ${pathname}: check its clock`);
  // A proxy answers 502 to 504 for a relay that is down, a busy relay 429 or 503: the same as no signal.
  if (response.status === 429 || response.status >= 500) unreachable();
  if (!response.ok)
    throw new TourismoError(
      "relay_failed",
      `the relay answered ${pathname} with HTTP ${response.status}${await hintIn(response)}`,
    );
  return response;
}

/** A place and a box as the relay has them in a query: latitude first for a place, longitude first for a box. */
function placesOf({ near, bbox }: { [Field in "near" | "bbox"]: MeetsWanted[Field] | undefined }): {
  near?: string;
  bbox?: string;
} {
  return { ...(near ? { near: `${near[1]},${near[0]}` } : {}), ...(bbox ? { bbox: bbox.join(",") } : {}) };
}

/** The WebSocket address of the relay at `relay`. */
export function socketAddress(relay: URL): string {
  const url = new URL("/v1/sync", relay);
  url.protocol = relay.protocol === "http:" ? "ws:" : "wss:";
  return url.href;
}

/** The events of a stream with kind and id. Comments, which keep the connection alive, are skipped. */
async function* eventsIn(body: ReadableStream<Uint8Array>): AsyncGenerator<{ kind: string; id?: string }> {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
  let rest = "";
  let event: { kind?: string; id?: string } = {};
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line.startsWith("event:")) event.kind = line.slice("event:".length).trim();
      else if (line.startsWith("id:")) event.id = line.slice("id:".length).trim();
      else if (line.trim() === "") {
        if (event.kind !== undefined) yield { ...event, kind: event.kind };
        event = {};
      }
    }
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw new TourismoError("relay_failed", `the relay's answer is not JSON: ${body.slice(0, 60)}`);
  }
}

/** The code of a refusal. */
async function codeIn(response: Response): Promise<unknown> {
  const body: unknown = await response
    .clone()
    .json()
    .catch(() => undefined);
  const error = typeof body === "object" && body !== null && "error" in body ? body.error : undefined;
  return typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
}

/** The refusal in an error answer of the relay: its message, and what to do. */
async function hintIn(response: Response): Promise<string> {
  try {
    const { error } = (await response.json()) as components["schemas"]["ErrorBody"];
    return `: ${[error.message, error.hint].filter(Boolean).join(" ")}`;
  } catch {
    return "";
  }
}

/** Whether the relay has nothing there, or nothing for this account. */
function isGone(thrown: unknown): boolean {
  return thrown instanceof TourismoError && thrown.code === "not_on_relay";
}

function isUnreachable(thrown: unknown): boolean {
  return thrown instanceof TourismoError && thrown.code === "relay_unreachable";
}

function unreachable(): never {
  throw new TourismoError("relay_unreachable", "the relay cannot be reached: check the connection, and that its URL is right");
}

function base64url(bytes: Uint8Array): string {
  const text = btoa(String.fromCharCode(...bytes));
  return text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}
