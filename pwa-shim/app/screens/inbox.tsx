// The inbox of the account: its address for apps that record in the background, how to set them up, and what is in it.

import { useSignal } from "@preact/signals";
import type { Inbox, InboxDrive } from "@tourismo/client";
import { useEffect } from "preact/hooks";

import { Badge } from "../components/badge.tsx";
import { BackIcon } from "../components/icons.tsx";
import { showNotice } from "../components/notice.tsx";
import { QrCode } from "../components/qr-code.tsx";
import { RecorderHelp, Value } from "../components/recorder-help.tsx";
import { lookIntoInbox, relay, units } from "../engine.ts";
import { clock, count, day, longDistance } from "../format.ts";
import { describeError, describeInboxDrive } from "../messages.ts";
import { useRelayQuery } from "../relay-query.ts";
import { href } from "../route.ts";

/** The time after which the list is read again while it is shown. */
const RELOAD_MS = 10_000;
/** At this number of positions the user is warned: the server accepts 100,000. */
const MANY = 80_000;

export function InboxScreen() {
  const { data, failed, reload } = useRelayQuery("inbox", () => relay.inbox());
  useEffect(() => {
    const timer = setInterval(reload, RELOAD_MS);
    return () => clearInterval(timer);
  }, []);
  return (
    <section class="page">
      <a class="back" href={href({ screen: "settings" })}>
        <BackIcon /> You
      </a>
      <header class="page-head">
        <h1>Inbox</h1>
      </header>
      <p class="lead">
        Record with an app that works in the background, also while you navigate. It sends your positions to your own address, and
        they become drives here.
      </p>
      {data && failed ? (
        <p class="age">
          {failed} Last updated at {clock(data.fetchedAt)}.
        </p>
      ) : null}
      {data ? (
        <Content inbox={data} reload={reload} />
      ) : failed ? (
        <div class="empty" data-testid="query-failed">
          <p>{failed}</p>
          <button type="button" class="button" onClick={reload}>
            Try again
          </button>
        </div>
      ) : (
        <p class="opening">Loading…</p>
      )}
    </section>
  );
}

function Content({ inbox, reload }: { inbox: Inbox; reload: () => void }) {
  const { secret } = inbox;
  const address = secret === null ? undefined : relay.inboxAddress(secret);
  return (
    <div class="columns even">
      <div class="column">
        {address === undefined ? <NoAddress reload={reload} /> : <Address address={address} reload={reload} />}
        {address === undefined && inbox.waiting === 0 ? null : <Waiting inbox={inbox} />}
      </div>
      <div class="column">{address === undefined ? null : <RecorderHelp address={address} />}</div>
    </div>
  );
}

/** Runs a request, then shows the inbox again. Returns whether it succeeded. */
async function ask(request: () => Promise<void>, reload: () => void): Promise<boolean> {
  try {
    await request();
    lookIntoInbox();
    return true;
  } catch (thrown) {
    showNotice(describeError(thrown));
    return false;
  } finally {
    reload();
  }
}

function NoAddress({ reload }: { reload: () => void }) {
  return (
    <div class="card form" data-testid="no-address">
      <h2>Your address</h2>
      <p>
        OwnTracks, Overland, GPSLogger and Traccar Client can send your positions to a secret address. The server keeps them until
        one of your devices has made drives of them, then it deletes them. Until then, the operator of the server can read them.
      </p>
      <div class="controls">
        <button type="button" class="button primary" onClick={() => void ask(() => relay.openInbox(), reload)}>
          Get an address
        </button>
      </div>
    </div>
  );
}

/** What the user is asked to confirm. */
type Question = "renew" | "revoke";

function Address({ address, reload }: { address: string; reload: () => void }) {
  const question = useSignal<Question | undefined>(undefined);
  async function confirm(): Promise<void> {
    const isRenewed = question.value === "renew";
    question.value = undefined;
    if (await ask(() => (isRenewed ? relay.openInbox() : relay.closeInbox()), reload))
      showNotice(isRenewed ? "This is the new address. The old one is revoked." : "The address is revoked.");
  }
  return (
    <div class="card form" data-testid="address">
      <h2>Your address</h2>
      <QrCode link={address} label="The address as QR code" />
      <Value value={address} label="The address as text" what="The address" />
      <p class="hint">Keep it secret. Anyone who has it can add drives to your account, but cannot read anything.</p>
      {question.value === undefined ? (
        <div class="controls">
          <button type="button" class="button" onClick={() => (question.value = "renew")}>
            Replace
          </button>
          <button type="button" class="button" onClick={() => (question.value = "revoke")}>
            Revoke
          </button>
        </div>
      ) : (
        <>
          <p>
            {question.value === "renew"
              ? "Apps that send to the old address stop working until you enter the new one."
              : "Apps that send to this address stop working. What they sent before stays."}
          </p>
          <div class="controls">
            <button type="button" class="button" onClick={() => (question.value = undefined)}>
              Cancel
            </button>
            <button type="button" class="button danger" onClick={() => void confirm()}>
              {question.value === "renew" ? "Replace the address" : "Revoke the address"}
            </button>
          </div>
        </>
      )}
    </div>
  );
}

function Waiting({ inbox: { drives, postedAt, refused, waiting } }: { inbox: Inbox }) {
  const idle = waiting - drives.reduce((sum, drive) => sum + drive.fixes, 0);
  return (
    <div class="card form" data-testid="waiting">
      <h2>In the inbox</h2>
      {drives.length === 0 ? (
        <p>{postedAt === null ? "Nothing has arrived yet." : "No drives. They move to your list by themselves."}</p>
      ) : (
        <ul class="plain inbox-drives">
          {drives.map((drive) => (
            <WaitingDrive key={drive.source} drive={drive} />
          ))}
        </ul>
      )}
      {waiting >= MANY ? (
        <p class="hint bad">
          {count(waiting)} positions wait. The server accepts 100,000, then it refuses new ones. Keep this app open until they
          have become drives.
        </p>
      ) : null}
      <p class="hint">
        {postedAt === null ? "" : `Last position received ${day(postedAt)}, ${clock(postedAt)}. `}
        {idle > 0 ? `${count(idle)} ${idle === 1 ? "position is" : "positions are"} not part of a drive. ` : ""}
        {refused > 0 ? `${count(refused)} ${refused === 1 ? "position" : "positions"} could not be read. ` : ""}A drive ends after
        10 minutes without movement, or an hour without positions. It must be at least a kilometre long.
      </p>
    </div>
  );
}

function WaitingDrive({ drive }: { drive: InboxDrive }) {
  const { value, unit } = longDistance(drive.distanceM, units());
  return (
    <li data-testid="waiting-drive">
      <div>
        <strong>
          {day(drive.startedAt)}, {clock(drive.startedAt)}
        </strong>
        <p class="row-line">
          {value} {unit}
          {drive.recorder === "" ? "" : ` · ${drive.recorder}`}
        </p>
      </div>
      <Badge message={describeInboxDrive(drive)} />
    </li>
  );
}
