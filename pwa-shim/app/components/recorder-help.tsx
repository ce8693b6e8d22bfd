// How to set up the apps that record in the background, for the address of an inbox.

import { useSignal } from "@preact/signals";

import { ShareLink } from "./share-link.tsx";

type RecorderApp = "owntracks" | "overland" | "gpslogger" | "traccar";

const APPS: [app: RecorderApp, title: string][] = [
  ["owntracks", "OwnTracks (Android, iPhone)"],
  ["overland", "Overland (iPhone)"],
  ["gpslogger", "GPSLogger (Android)"],
  ["traccar", "Traccar Client (Android, iPhone)"],
];

export function RecorderHelp({ address }: { address: string }) {
  const app = useSignal<RecorderApp>("owntracks");
  return (
    <div class="card form" data-testid="recorder-help">
      <h2>Set up an app</h2>
      <label class="field">
        <span>App</span>
        <select value={app.value} onChange={(event) => (app.value = event.currentTarget.value as RecorderApp)}>
          {APPS.map(([app, title]) => (
            <option key={app} value={app}>
              {title}
            </option>
          ))}
        </select>
      </label>
      <Steps app={app.value} address={address} />
      <p class="hint">A position every few seconds gives a good line. Many apps have fewer by default, to save the battery.</p>
    </div>
  );
}

function Steps({ app, address }: { app: RecorderApp; address: string }) {
  switch (app) {
    case "owntracks":
      return (
        <>
          <SetUpLink href={ownTracksSetup(address)} />
          <p class="hint">Or by hand:</p>
          <ol class="steps">
            <li>
              Open the settings, then <b>Connection</b>, and choose the mode <b>HTTP</b>.
            </li>
            <li>
              Enter the address above as <b>URL</b> (on some phones <b>Host</b>). No user name or password is needed.
            </li>
            <li>
              Leave the <b>encryption key</b> empty: Tourismo cannot read encrypted positions.
            </li>
            <li>
              Choose the monitoring mode <b>Move</b> when you drive. The mode Significant records too few positions for a line.
            </li>
          </ol>
        </>
      );
    case "overland":
      return (
        <>
          <SetUpLink href={`overland://setup?url=${encodeURIComponent(address)}`} />
          <p class="hint">Or by hand:</p>
          <ol class="steps">
            <li>
              In <b>Settings</b>, tap <b>Receiver Endpoint</b> and enter the address above. Leave the access token empty.
            </li>
            <li>
              Switch on <b>Tracking Enabled</b>, and allow the location always.
            </li>
            <li>
              In <b>Tracker</b>, choose a send interval of some minutes.
            </li>
          </ol>
        </>
      );
    case "gpslogger":
      return (
        <>
          <ol class="steps">
            <li>
              Open <b>Logging details</b>, then <b>Log to custom URL</b>, and switch it on.
            </li>
            <li>
              Enter this as <b>URL</b>, and leave everything else as it is:
            </li>
          </ol>
          <Value value={gpsLoggerUrl(address)} label="URL for GPSLogger" what="The URL" />
          <ol class="steps" start={3}>
            <li>
              In <b>Performance</b>, choose a logging interval of a few seconds.
            </li>
            <li>
              Tap <b>Start logging</b> before you drive. GPSLogger does not start by itself.
            </li>
          </ol>
        </>
      );
    case "traccar":
      return (
        <ol class="steps">
          <li>
            In the settings, enter the address above as <b>Server URL</b>. The device identifier can stay as it is.
          </li>
          <li>
            Choose the accuracy <b>highest</b>, and an interval of a few seconds.
          </li>
          <li>
            Switch on <b>offline buffering</b>, so that positions without signal are sent later.
          </li>
          <li>
            Switch on <b>continuous tracking</b> (in older versions: the service status).
          </li>
        </ol>
      );
    default:
      return app satisfies never;
  }
}

/** A link that sets up an app on the same phone. */
function SetUpLink({ href }: { href: string }) {
  return (
    <div class="controls">
      <a class="button" href={href}>
        Set up the app on this phone
      </a>
    </div>
  );
}

/** A text to copy. */
export function Value({ value, label, what }: { value: string; label: string; what: string }) {
  return (
    <>
      <input type="text" readOnly value={value} aria-label={label} onFocus={(event) => event.currentTarget.select()} />
      <ShareLink link={value} what={what} />
    </>
  );
}

/** The URL of GPSLogger: the app replaces the names after the percent signs. */
export function gpsLoggerUrl(address: string): string {
  return `${address}?lat=%LAT&lon=%LON&time=%TIME&s=%SPD&acc=%ACC&alt=%ALT&dir=%DIR`;
}

/** A link with settings for OwnTracks: the mode HTTP (3) and the address. */
export function ownTracksSetup(address: string): string {
  const settings = btoa(JSON.stringify({ _type: "configuration", mode: 3, url: address }));
  return `owntracks:///config?inline=${encodeURIComponent(settings)}`;
}
