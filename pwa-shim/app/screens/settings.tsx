// The profile and preferences of the user, and the state of storage and sync.

import type { ProfileFields, QuarantinedDocument, SettingsFields, Status, Units, Visibility } from "@tourismo/client";
import { AutosavedText } from "../components/autosaved-text.tsx";
import { Badge, StatusMessage } from "../components/badge.tsx";
import { ExportAccountCard } from "../components/export-account-card.tsx";
import { HiddenOfAccount } from "../components/hidden-notice.tsx";
import { Invitation } from "../components/invitation.tsx";
import { TryAgain } from "../components/progress.tsx";
import { useChanges } from "../drafts.ts";
import { account, drives, persistence, relay, status, succeeds } from "../engine.ts";
import { describeConnection, describePersistence, describeProgress, describeStorage } from "../messages.ts";
import { useRelayQuery } from "../relay-query.ts";
import { href, type Route } from "../route.ts";

export function SettingsScreen() {
  if (!account.value) return <p class="opening">Opening…</p>;
  const { profile, settings } = account.value;
  return (
    <section class="page">
      <header class="page-head">
        <h1>You</h1>
      </header>
      <div class="columns even">
        <div class="column">
          {status.value ? <StatusCard status={status.value} /> : null}
          <Invitation />
          <nav class="list" aria-label="More">
            <Row to={{ screen: "garage" }} title="Garage" what="Your cars, their logbooks and drives" isNarrow />
            <Row to={{ screen: "people" }} title="People" what="Find and follow people, answer requests" isNarrow />
            <Row to={{ screen: "places" }} title="Private places" what="What others never see of your drives" testId="places" />
            <Row to={{ screen: "inbox" }} title="Inbox" what="Drives from apps that record in the background" testId="inbox" />
            <Row to={{ screen: "devices" }} title="Your devices" what="Add a device, or join an account" testId="devices" />
          </nav>
        </div>
        <div class="column">
          <HiddenOfAccount />
          <Quarantined />
          <NotShown />
          <ProfileForm profile={profile} />
          <SettingsForm settings={settings} />
          <ExportAccountCard />
        </div>
      </div>
      <p class="hint version">Tourismo {__VERSION__}. Maps show land by Natural Earth.</p>
    </section>
  );
}

function ProfileForm({ profile }: { profile: ProfileFields }) {
  const put = useChanges(profile, (fields) => succeeds((tourismo) => tourismo.putProfile(fields)));
  return (
    <div class="card form">
      <h2>Your profile</h2>
      <AutosavedText
        draft="profile name"
        label="Name"
        name="displayName"
        maxLength={100}
        autocomplete="nickname"
        value={profile.displayName}
        onSave={(displayName) => put({ displayName })}
      />
      <AutosavedText
        draft="profile handle"
        label="Handle"
        name="handle"
        maxLength={30}
        autocomplete="username"
        value={profile.handle}
        onSave={(handle) => put({ handle: handle.replace(/^@/, "") })}
      />
      {profile.handle === "" ? (
        <p class="hint">Others find you by your handle: 2 to 30 letters or digits.</p>
      ) : (
        <HandleState handle={profile.handle} />
      )}
      <AutosavedText
        draft="profile bio"
        label="About you"
        name="bio"
        rows={3}
        maxLength={1_000}
        value={profile.bio}
        onSave={(bio) => put({ bio })}
      />
      <label class="choice">
        <input
          type="checkbox"
          name="byApproval"
          checked={profile.byApproval}
          onChange={(event) => void put({ byApproval: event.currentTarget.checked })}
        />
        <span>
          <strong>Approve followers</strong>
          <span class="hint">
            {profile.byApproval
              ? "Only people whom you accept see what you share with followers."
              : "Off: anyone who presses Follow sees what you share with followers."}
          </span>
        </span>
      </label>
    </div>
  );
}

/** Documents of this account that the relay can no longer read. */
function Quarantined() {
  const { data } = useRelayQuery("own profile", () => relay.ownProfile());
  if (!data || data.quarantined.length === 0) return null;
  return (
    <div class="card form" role="status">
      <h2>Not shown as you changed it</h2>
      <p class="hint bad">
        The server can no longer read {data.quarantined.map(describeQuarantined).join(", ")}. Others see the last readable
        version. Nothing is lost: your devices have all of it. You can still block people, withdraw drives, and remove comments
        and answers.
      </p>
    </div>
  );
}

function describeQuarantined({ kind, reason }: QuarantinedDocument): string {
  const why = reason === "too_large" ? "too large" : "damaged";
  const what = {
    settings: "your settings",
    profile: "your profile",
    car: "a car",
    drive: "a drive",
    track: "a track",
    published: "a published drive",
    social: "your follows, comments and answers",
    meet: "a meet",
  };
  return `${kind ? what[kind] : "a document"} (${why})`;
}

/** Published drives and meets that the relay stores but does not show. A new link repairs that. */
function NotShown() {
  const { data } = useRelayQuery("own profile", () => relay.ownProfile());
  if (!data || data.notShown.length === 0) return null;
  return (
    <div class="card form" role="status">
      <h2>Stored, but not shown to others</h2>
      <p class="hint bad">
        The server cannot verify that the links to these are yours. An older version of the app made them. Open each and choose
        New link. Others then see it.
      </p>
      <ul class="plain">
        {data.notShown.map(({ document, kind }) => {
          const drive = drives.value?.find(({ published }) => published === document);
          if (drive) {
            return (
              <li key={document}>
                <a href={href({ screen: "drive", id: drive.id })}>{drive.title || "A drive"}</a>
              </li>
            );
          }
          return (
            <li key={document}>
              {kind === "meet" ? <a href={href({ screen: "meet", id: document })}>A meet</a> : "A published drive"}
            </li>
          );
        })}
      </ul>
    </div>
  );
}

/** Whether the handle belongs to the user: the relay knows who claimed it first. */
function HandleState({ handle }: { handle: string }) {
  const { data } = useRelayQuery(`own profile ${handle}`, () => relay.ownProfile());
  if (!data || data.isStale || data.handleState === null)
    return <p class="hint">It is yours once the server has confirmed it.</p>;
  return data.handleState === "handle_taken" ? (
    <p class="hint bad">Another account has @{handle}. Others see only your name until you choose another handle.</p>
  ) : (
    <p class="hint">Others find you as @{handle}.</p>
  );
}

function SettingsForm({ settings }: { settings: SettingsFields }) {
  const put = useChanges(settings, (fields) => succeeds((tourismo) => tourismo.putSettings(fields)));
  return (
    <div class="card form">
      <h2>Preferences</h2>
      <label class="field">
        <span>Distances</span>
        <select value={settings.units} onChange={(event) => void put({ units: event.currentTarget.value as Units })}>
          <option value="metric">Kilometres</option>
          <option value="imperial">Miles</option>
        </select>
      </label>
      <label class="field">
        <span>Default audience</span>
        <select
          value={settings.defaultVisibility}
          onChange={(event) => void put({ defaultVisibility: event.currentTarget.value as Visibility })}
        >
          <option value="private">Only me</option>
          <option value="followers">Followers</option>
          <option value="link">By link</option>
          <option value="public">Everyone</option>
        </select>
      </label>
    </div>
  );
}

/** `isNarrow`: shown only on narrow screens; on wide ones the navigation has it. */
function Row(props: { to: Route; title: string; what: string; testId?: string; isNarrow?: boolean }) {
  const { to, title, what, testId, isNarrow } = props;
  return (
    <a class={isNarrow ? "row only-narrow" : "row"} href={href(to)} data-testid={testId}>
      <div class="row-main">
        <h2>{title}</h2>
        <p class="row-line">{what}</p>
      </div>
    </a>
  );
}

function StatusCard({ status }: { status: Status }) {
  return (
    <div class="card status-card" data-testid="status">
      <h2>Sync and storage</h2>
      <dl>
        <dt>Sync</dt>
        <dd>
          <Badge message={describeProgress(status, drives.value ?? [])} />
        </dd>
        <dt>Server</dt>
        <dd>
          <StatusMessage message={describeConnection(status)} />
          {status.link.type === "rejected" ? <TryAgain /> : null}
        </dd>
        <dt>This phone</dt>
        <dd>
          <StatusMessage message={describeStorage(status.storage)} />
        </dd>
        <dt>Browser storage</dt>
        <dd>
          <StatusMessage message={describePersistence(persistence.value)} />
        </dd>
      </dl>
    </div>
  );
}
