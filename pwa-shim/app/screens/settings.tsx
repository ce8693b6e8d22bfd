// The person's name and units, and how storage and sync are.

import type { ProfileFields, QuarantinedDocument, SettingsFields, StatusView, Units, Visibility } from "@tourismo/client";

import { useChanges } from "../drafts.ts";
import { account, drives, isDone, persistence, relay, status } from "../engine.ts";
import { Badge, State } from "../parts/badge.tsx";
import { TryAgain } from "../parts/progress.tsx";
import { SavedText } from "../parts/saved-text.tsx";
import { href, type Route } from "../route.ts";
import { useTold } from "../told.ts";
import { wordsOfLink, wordsOfPersistence, wordsOfProgress, wordsOfStorage } from "../words.ts";

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
          <nav class="list" aria-label="More">
            <Row to={{ screen: "garage" }} title="Garage" what="Your cars, their logbooks and drives" isNarrow />
            <Row to={{ screen: "people" }} title="People" what="Find and follow, let others follow" isNarrow />
            <Row to={{ screen: "devices" }} title="Your devices" what="Let another one in, or bring this one in" testId="devices" />
          </nav>
        </div>
        <div class="column">
          <Quarantined />
          <NotShown />
          <ProfileForm profile={profile} />
          <SettingsForm settings={settings} />
        </div>
      </div>
      <p class="hint version">Tourismo {__VERSION__}. Maps show land by Natural Earth.</p>
    </section>
  );
}

function ProfileForm({ profile }: { profile: ProfileFields }) {
  const put = useChanges(profile, (fields) => isDone((tourismo) => tourismo.putProfile(fields)));
  return (
    <div class="card form">
      <h2>You, as others see you</h2>
      <SavedText
        draft="profile name"
        label="Name"
        name="displayName"
        maxLength={100}
        autocomplete="nickname"
        value={profile.displayName}
        onSave={(displayName) => put({ displayName })}
      />
      <SavedText
        draft="profile handle"
        label="Handle"
        name="handle"
        maxLength={30}
        autocomplete="username"
        value={profile.handle}
        onSave={(handle) => put({ handle: handle.replace(/^@/, "") })}
      />
      {profile.handle === "" ? (
        <p class="hint">By which others find you: 2 to 30 letters or digits.</p>
      ) : (
        <HandleState handle={profile.handle} />
      )}
      <SavedText
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
          <strong>Ask me about followers</strong>
          <span class="hint">
            {profile.byApproval
              ? "What is for followers is seen only by those whom you accepted."
              : "Off: anybody who presses Follow sees what is for followers."}
          </span>
        </span>
      </label>
    </div>
  );
}

/** What the relay can no longer read of this account, in words. */
function Quarantined() {
  const { told } = useTold("own profile", () => relay.ownProfile());
  if (!told || told.quarantined.length === 0) return null;
  return (
    <div class="card form" role="status">
      <h2>Not shown as you changed it</h2>
      <p class="hint bad">
        The server can no longer read {told.quarantined.map(wordsOfQuarantined).join(", ")}. Others see what it read last. Nothing of
        yours is lost: your devices have all of it. You can still block people, withdraw drives and take back what you said.
      </p>
    </div>
  );
}

function wordsOfQuarantined({ kind, reason }: QuarantinedDocument): string {
  const why = reason === "too_large" ? "too large" : "damaged";
  const what = {
    settings: "your settings",
    profile: "your profile",
    car: "a car",
    drive: "a drive",
    track: "a track",
    published: "a published drive",
    social: "what you said about people, drives or meets",
    meet: "a meet",
  };
  return `${kind ? what[kind] : "a document"} (${why})`;
}

/** Published drives and meets that the relay stores and shows to nobody: a new link mends it. */
function NotShown() {
  const { told } = useTold("own profile", () => relay.ownProfile());
  if (!told || told.notShown.length === 0) return null;
  return (
    <div class="card form" role="status">
      <h2>Stored, but not shown to others</h2>
      <p class="hint bad">
        The server cannot verify that the links to these are yours. An older version of the app made them. Open each and choose
        New link. Others then see it.
      </p>
      <ul class="plain">
        {told.notShown.map(({ document, kind }) => {
          const drive = drives.value?.find(({ published }) => published === document);
          if (drive) {
            return (
              <li key={document}>
                <a href={href({ screen: "drive", id: drive.id })}>{drive.title || "A drive"}</a>
              </li>
            );
          }
          return <li key={document}>{kind === "meet" ? <a href={href({ screen: "meet", id: document })}>A meet</a> : "A published drive"}</li>;
        })}
      </ul>
    </div>
  );
}

/** Whether the handle is this person's own: the relay knows who claimed it first. */
function HandleState({ handle }: { handle: string }) {
  const { told } = useTold(`own profile ${handle}`, () => relay.ownProfile());
  if (!told || told.isOld || told.handleState === null) return <p class="hint">Yours once the relay has heard of it.</p>;
  return told.handleState === "handle_taken" ? (
    <p class="hint bad">Somebody else had @{handle} first. Others see your name alone until you choose another handle.</p>
  ) : (
    <p class="hint">Others find you as @{handle}.</p>
  );
}

function SettingsForm({ settings }: { settings: SettingsFields }) {
  const put = useChanges(settings, (fields) => isDone((tourismo) => tourismo.putSettings(fields)));
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

/** `isNarrow`: where there is room the navigation has it. */
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

function StatusCard({ status }: { status: StatusView }) {
  return (
    <div class="card status-card" data-testid="status">
      <h2>Where everything is</h2>
      <dl>
        <dt>On the way</dt>
        <dd>
          <Badge words={wordsOfProgress(status, drives.value ?? [])} />
        </dd>
        <dt>The relay</dt>
        <dd>
          <State words={wordsOfLink(status.link)} />
          {status.link.type === "rejected" ? <TryAgain /> : null}
        </dd>
        <dt>This phone</dt>
        <dd>
          <State words={wordsOfStorage(status.storage)} />
        </dd>
        <dt>Its storage</dt>
        <dd>
          <State words={wordsOfPersistence(persistence.value)} />
        </dd>
      </dl>
    </div>
  );
}
