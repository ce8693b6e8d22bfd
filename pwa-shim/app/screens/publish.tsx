// Who may see a drive. Publishing is an act: a copy is made whose ends and exact times are hidden; it says so before.

import type { DriveView, Visibility } from "@tourismo/client";
import { useSignal } from "@preact/signals";

import { account, give } from "../engine.ts";
import { ShareLink } from "../parts/share.tsx";
import { href } from "../route.ts";

const CHOICES: { visibility: Visibility; title: string; what: string }[] = [
  { visibility: "private", title: "Only me", what: "It stays among your own devices." },
  { visibility: "followers", title: "Followers", what: "The people whom you accepted as followers see the copy." },
  { visibility: "link", title: "By link", what: "Whoever has the link sees the copy. It is in no list." },
  { visibility: "public", title: "Everyone", what: "The copy is in the public feed." },
];

/** What "Followers" means for somebody who lets everybody follow. */
const ANYBODY_FOLLOWS =
  "Anybody who presses Follow sees the copy: you accept all followers. To be asked about each, change that under You.";

export function Publish({ drive }: { drive: DriveView }) {
  const offered = drive.published === null ? (account.value?.settings.defaultVisibility ?? "private") : drive.visibility;
  const chosen = useSignal<Visibility>(offered);
  const isBusy = useSignal(false);
  const isOpen = account.value?.profile.byApproval === false;
  if (drive.endedAt === null) return null;

  async function publish(): Promise<void> {
    isBusy.value = true;
    await give((tourismo) => tourismo.publishDrive(drive.id, chosen.value));
    isBusy.value = false;
  }

  return (
    <fieldset class="card publish">
      <legend>Who may see it</legend>
      {CHOICES.map(({ visibility, title, what }) => (
        <label key={visibility} class="choice">
          <input
            type="radio"
            name="visibility"
            value={visibility}
            checked={chosen.value === visibility}
            onChange={() => (chosen.value = visibility)}
          />
          <span>
            <strong>{title}</strong>
            <span class="hint">{visibility === "followers" && isOpen ? ANYBODY_FOLLOWS : what}</span>
          </span>
        </label>
      ))}
      {chosen.value === "private" ? null : (
        <p class="hint explained">
          Others get a copy that is made anew: the first and last 300 m and every pass near them are cut off (dashed on the
          map), the start is told only to the hour, and all figures are those of what is left. Your notes stay yours.
        </p>
      )}
      {chosen.value === drive.visibility ? null : (
        <button type="button" class="button primary wide" data-testid="publish" disabled={isBusy.value} onClick={() => void publish()}>
          {labelOf(drive.visibility, chosen.value)}
        </button>
      )}
      {drive.published !== null && drive.visibility !== "private" ? <Share id={drive.published} /> : null}
    </fieldset>
  );
}

function labelOf(from: Visibility, to: Visibility): string {
  if (to === "private") return "Withdraw the copy";
  return from === "private" ? "Make the copy and publish it" : "Change who sees it";
}

function Share({ id }: { id: string }) {
  const at = href({ screen: "public", id });
  return (
    <>
      <a href={at}>See it as others do</a>
      <ShareLink link={new URL(at, location.href).href} what="The link" />
    </>
  );
}
