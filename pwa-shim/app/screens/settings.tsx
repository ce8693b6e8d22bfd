// The person's name and units, and how storage and sync are.

import type { ProfileFields, SettingsFields, StatusView, Units, Visibility } from "@tourismo/client";

import { account, drives, give, persistence, status } from "../engine.ts";
import { Badge, State } from "../parts/badge.tsx";
import { TryAgain } from "../parts/progress.tsx";
import { href } from "../route.ts";
import { wordsOfLink, wordsOfPersistence, wordsOfProgress, wordsOfStorage } from "../words.ts";

export function SettingsScreen() {
  if (!account.value) return <p class="opening">Opening…</p>;
  const { profile, settings } = account.value;
  return (
    <section class="page">
      <header class="page-head">
        <h1>Settings</h1>
      </header>
      <ProfileForm profile={profile} />
      <SettingsForm settings={settings} />
      <DevicesCard />
      {status.value ? <StatusCard status={status.value} /> : null}
      <p class="hint version">Tourismo {__VERSION__}. Maps show land by Natural Earth.</p>
    </section>
  );
}

function ProfileForm({ profile }: { profile: ProfileFields }) {
  const put = (change: Partial<ProfileFields>): void =>
    void give((tourismo) => tourismo.putProfile({ ...profile, ...change }));
  return (
    <div class="card form">
      <h2>You, as others see you</h2>
      <label class="field">
        <span>Name</span>
        <input
          type="text"
          name="displayName"
          maxLength={100}
          value={profile.displayName}
          autocomplete="nickname"
          onChange={(event) => put({ displayName: event.currentTarget.value.trim() })}
        />
      </label>
      <label class="field">
        <span>Handle</span>
        <input
          type="text"
          name="handle"
          maxLength={30}
          value={profile.handle}
          autocapitalize="none"
          autocomplete="username"
          onChange={(event) => put({ handle: event.currentTarget.value.trim() })}
        />
      </label>
    </div>
  );
}

function SettingsForm({ settings }: { settings: SettingsFields }) {
  const put = (change: Partial<SettingsFields>): void =>
    void give((tourismo) => tourismo.putSettings({ ...settings, ...change }));
  return (
    <div class="card form">
      <h2>How you like it</h2>
      <label class="field">
        <span>Distances</span>
        <select value={settings.units} onChange={(event) => put({ units: event.currentTarget.value as Units })}>
          <option value="metric">Kilometres</option>
          <option value="imperial">Miles</option>
        </select>
      </label>
      <label class="field">
        <span>When you publish, offer first</span>
        <select
          value={settings.defaultVisibility}
          onChange={(event) => put({ defaultVisibility: event.currentTarget.value as Visibility })}
        >
          <option value="private">Only me</option>
          <option value="link">By link</option>
          <option value="public">Everyone</option>
        </select>
      </label>
    </div>
  );
}

function DevicesCard() {
  return (
    <a class="row" href={href({ screen: "devices" })} data-testid="devices">
      <div class="row-main">
        <h2>Your devices</h2>
        <p class="row-line">Let another one in, or bring this one in</p>
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
