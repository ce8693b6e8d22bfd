// A relay with an inbox, and devices that collect from it, for tests. Every call is a step at which a device can be killed or lost, or
// a recorder can post. Faults are put in to prove that the check at the end finds them.

import type { DriveView } from "../generated/types.ts";
import { type CollectingEngine, collectOnce, type InboxReads } from "../inbox-collector.ts";
import type { Inbox, InboxPortion } from "../relay-answers.ts";

/** A fault of the collector, or of what it relies on. */
export type InboxFault =
  /** The drive is taken before the relay has acknowledged it. */
  | "takesTooEarly"
  /** The drive is taken before it is imported. */
  | "takesFirst"
  /** An import makes a new drive each time. */
  | "importsUnderNewIds"
  /** A drive is not claimed. */
  | "claimsNothing"
  /** A repeated post is stored again. */
  | "storesTwice";

/** What happens at which step. */
export interface InboxPlan {
  killAt?: number;
  /** The killed device never comes back. */
  isLost?: boolean;
  /** The recorder posts what it had kept, and repeats the rest. */
  postAt?: number;
  fault?: InboxFault;
}

/** A position of a recorder: it belongs to the drive of its hundred of seconds. */
interface Row {
  recorder: string;
  second: number;
  receivedAt: number;
  isTaken: boolean;
}

const RECORDERS = ["anna's phone", "the car"];
/** The drives of each recorder have positions at these seconds; the last one has not ended. */
const POSTED = [100, 101, 103, 104, 200, 201, 202, 300];
/** It could not be sent with the others. */
const KEPT = [102];

/** Runs a plan. Resolves to what is wrong in the end, and to the number of steps. */
export async function runInbox(plan: InboxPlan): Promise<{ wrong: string[]; steps: number }> {
  const relay = new InboxRelay(plan);
  for (const recorder of RECORDERS) relay.post(recorder, POSTED);
  const first = new InboxDevice(relay, plan.killAt);
  await first.collect();
  // Another device, and the first one again if it was killed.
  const devices = [new InboxDevice(relay)];
  if (!plan.isLost) devices.push(first.restarted());
  relay.postKept();
  for (let round = 0; round < 4; round++) for (const device of devices) await device.collect();
  return { wrong: relay.wrong(), steps: relay.steps };
}

class InboxRelay {
  readonly plan: InboxPlan;
  steps = 0;
  /** The acknowledged drives: the seconds of each by the name of its recorder. */
  readonly drives = new Map<string, string[]>();
  readonly #rows: Row[] = [];
  readonly #claims = new Map<string, { until: number; receivedAt: number }>();
  #posts = 0;
  #hasPostedKept = false;

  constructor(plan: InboxPlan) {
    this.plan = plan;
  }

  post(recorder: string, seconds: readonly number[]): void {
    const receivedAt = ++this.#posts;
    for (const second of seconds) {
      const isKnown = this.#rows.some((row) => row.recorder === recorder && row.second === second);
      if (!isKnown || this.plan.fault === "storesTwice") this.#rows.push({ recorder, second, receivedAt, isTaken: false });
    }
  }

  postKept(): void {
    if (this.#hasPostedKept) return;
    this.#hasPostedKept = true;
    for (const recorder of RECORDERS) this.post(recorder, [...KEPT, ...POSTED]);
  }

  /** A step of a device. Something else may happen before it. */
  step(): void {
    if (++this.steps === this.plan.postAt) this.postKept();
  }

  /** What waits, without what arrived for a claimed drive after its claim. */
  #waiting(recorder: string): { rows: Row[]; isClaimed: boolean } {
    const all = this.#rows.filter((row) => !row.isTaken && row.recorder === recorder).sort((a, b) => a.second - b.second);
    const claim = this.#claims.get(recorder);
    const claimed = claim ? all.filter((row) => row.second <= claim.until && row.receivedAt <= claim.receivedAt) : [];
    return claimed.length > 0 ? { rows: claimed, isClaimed: true } : { rows: all, isClaimed: false };
  }

  inbox(): Inbox {
    const drives: Inbox["drives"] = [];
    for (const recorder of RECORDERS) {
      const { rows, isClaimed } = this.#waiting(recorder);
      const receivedAt = Math.max(...rows.map((row) => row.receivedAt));
      const hundreds = [...new Set(rows.map(hundredOf))];
      for (const hundred of hundreds) {
        const ofDrive = rows.filter((row) => hundredOf(row) === hundred);
        const [startedAt, endedAt] = [ofDrive[0]?.second ?? 0, ofDrive.at(-1)?.second ?? 0];
        const isFinished = isClaimed || hundred !== hundreds.at(-1);
        const [source, fixes] = [sourceOf(recorder, startedAt), ofDrive.length];
        drives.push({ source, recorder, startedAt, endedAt, distanceM: 1, fixes, isFinished, receivedAt });
      }
    }
    return { secret: "00", postedAt: 1, waiting: 1, refused: 0, drives, idle: [] };
  }

  /** The positions of a drive, each as its recorder and second in 64 bytes. */
  fixes(source: string): Uint8Array<ArrayBuffer> {
    const drive = this.inbox().drives.find((one) => one.source === source);
    const rows = drive ? this.#waiting(drive.recorder).rows : [];
    const ofDrive = rows.filter(({ second }) => drive && second >= drive.startedAt && second <= drive.endedAt);
    return new TextEncoder().encode(ofDrive.map((row) => nameOf(row).padEnd(64)).join(""));
  }

  claim(recorder: string, until: number, receivedAt: number): void {
    if (!this.#claims.has(recorder) && this.plan.fault !== "claimsNothing") this.#claims.set(recorder, { until, receivedAt });
  }

  take(recorder: string, until: number, receivedAt: number): void {
    const claim = this.#claims.get(recorder);
    const latest = Math.min(receivedAt, claim?.receivedAt ?? receivedAt);
    for (const row of this.#rows) {
      if (row.recorder === recorder && row.second <= until && row.receivedAt <= latest) row.isTaken = true;
    }
    if (claim && claim.until <= until) this.#claims.delete(recorder);
  }

  /** Every position is in one drive, and those of the last drive, which has not ended, are in the inbox. */
  wrong(): string[] {
    const kept = this.#rows.filter((row) => !row.isTaken).map(nameOf);
    const all = [...[...this.drives.values()].flat(), ...kept].sort();
    const posted = RECORDERS.flatMap((recorder) => [...POSTED, ...KEPT].map((second) => nameOf({ recorder, second }))).sort();
    const wrong = posted.filter((one) => !all.includes(one)).map((one) => `lost: ${one}`);
    wrong.push(...all.filter((one, i) => all[i - 1] === one).map((one) => `doubled: ${one}`));
    const isLate = (one: string): boolean => one.endsWith(" 300") || one.endsWith(" 102");
    wrong.push(...kept.filter((one) => !isLate(one)).map((one) => `left: ${one}`));
    return wrong;
  }
}

class InboxDevice implements CollectingEngine, InboxReads {
  readonly #relay: InboxRelay;
  readonly #killAt: number | undefined;
  /** Drives on the disk, which the relay may not have. */
  readonly #disk: Map<string, string[]>;
  readonly #killed = new AbortController();

  constructor(relay: InboxRelay, killAt?: number, disk = new Map<string, string[]>()) {
    this.#relay = relay;
    this.#killAt = killAt;
    this.#disk = disk;
  }

  restarted(): InboxDevice {
    return new InboxDevice(this.#relay, undefined, this.#disk);
  }

  /** Looks once into the inbox, unless it is killed meanwhile. */
  async collect(): Promise<void> {
    const { signal } = this.#killed;
    if (signal.aborted) return;
    const killed = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    await Promise.race([killed, collectOnce(this, this, signal)]);
  }

  async inbox(): ReturnType<InboxReads["inbox"]> {
    await this.#step();
    const inbox = this.#relay.inbox();
    if (this.#relay.plan.fault === "takesFirst") {
      for (const { recorder, endedAt, receivedAt, isFinished } of inbox.drives) {
        // The list is the answer of before.
        if (isFinished) queueMicrotask(() => this.#relay.take(recorder, endedAt, receivedAt));
      }
    }
    return { ...inbox, fetchedAt: 0, isStale: false };
  }

  async claimInInbox({ recorder, until, receivedAt }: InboxPortion): Promise<void> {
    await this.#step();
    this.#relay.claim(recorder, until, receivedAt);
    await this.#step();
  }

  async inboxFixes(source: string): Promise<Uint8Array<ArrayBuffer>> {
    await this.#step();
    return this.#relay.fixes(source);
  }

  async takeFromInbox({ recorder, until, receivedAt }: InboxPortion): Promise<void> {
    await this.#step();
    this.#relay.take(recorder, until, receivedAt);
    // The answer may not arrive.
    await this.#step();
  }

  async importDrive({ source, fixes }: Parameters<CollectingEngine["importDrive"]>[0]): Promise<string> {
    await this.#step();
    const { fault } = this.#relay.plan;
    const id = fault === "importsUnderNewIds" ? crypto.randomUUID() : Array.from(source).join(" ");
    const positions = new TextDecoder().decode(fixes).match(/.{64}/g) ?? [];
    if (!this.#relay.drives.has(id) && !this.#disk.has(id)) {
      this.#disk.set(
        id,
        positions.map((one) => one.trimEnd()),
      );
    }
    // It is on the disk before the command resolves.
    await this.#step();
    return id;
  }

  subscribe: CollectingEngine["subscribe"] = (topic, callback) => {
    if (topic !== "drives") throw new Error(`nothing subscribes to ${topic}`);
    const show = callback as (drives: DriveView[]) => void;
    void this.#sync(show);
    return () => {};
  };

  /** Shows the drives of the disk, sends them to the relay, and shows them again. */
  async #sync(show: (drives: DriveView[]) => void): Promise<void> {
    const isEarly = this.#relay.plan.fault === "takesTooEarly";
    const view = (id: string): DriveView => {
      const sync = isEarly || this.#relay.drives.has(id) ? { type: "onRelay", trackHere: true } : { type: "onPhone" };
      return { id, sync } as DriveView;
    };
    const all = (): DriveView[] => [...new Set([...this.#disk.keys(), ...this.#relay.drives.keys()])].map(view);
    show(all());
    for (const [id, positions] of this.#disk) {
      await this.#step();
      await this.#step();
      if (!this.#relay.drives.has(id)) this.#relay.drives.set(id, positions);
    }
    show(all());
  }

  /** Never ends if the device is killed here. */
  async #step(): Promise<void> {
    this.#relay.step();
    if (this.#relay.steps === this.#killAt) this.#killed.abort();
    if (this.#killed.signal.aborted) await new Promise(() => {});
  }
}

function hundredOf({ second }: Row): number {
  return Math.floor(second / 100);
}

function nameOf({ recorder, second }: Pick<Row, "recorder" | "second">): string {
  return `${recorder} ${second}`;
}

/** The source of a drive: 32 bytes as hexadecimal digits. */
function sourceOf(recorder: string, startedAt: number): string {
  const text = `${recorder} ${startedAt}`.padEnd(32).slice(0, 32);
  return Array.from(new TextEncoder().encode(text), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
