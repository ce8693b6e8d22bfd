// Publishing a drive. It makes a copy without private places and exact times, and shows the copy before.

import { useSignal } from "@preact/signals";
import type { DriveView, TrackView, Visibility } from "@tourismo/client";
import { useMemo } from "preact/hooks";
import { HoldButton } from "../components/hold-button.tsx";
import { DriveMap } from "../components/map.tsx";
import { ShareLink } from "../components/share-link.tsx";
import { account, run, units } from "../engine.ts";
import { distance } from "../format.ts";
import { href } from "../route.ts";

/** A track that is loaded. */
type Track = Extract<TrackView, { type: "ready" }>;

const CHOICES: { visibility: Visibility; title: string; what: string }[] = [
  { visibility: "private", title: "Only me", what: "Only your devices have it." },
  { visibility: "followers", title: "Followers", what: "Accepted followers see the copy." },
  { visibility: "link", title: "By link", what: "Anyone with the link sees the copy. No list shows it." },
  { visibility: "public", title: "Everyone", what: "The copy is in the public feed." },
];

/** What others see of a drive. */
const COPY =
  "Others get a separate copy. Everything near your private places is left out, also where the drive only passes there. Its start time is rounded to the hour, and its statistics are those of the visible part. Your notes are not in it.";

/** Explains "Followers" if the profile accepts all followers. */
const EVERYONE_MAY_FOLLOW =
  "Anyone who presses Follow sees the copy, since you accept all followers. You can change that under You.";

export function Publish({ drive, track }: { drive: DriveView; track: Track | undefined }) {
  const offered = drive.published === null ? (account.value?.settings.defaultVisibility ?? "private") : drive.visibility;
  const chosen = useSignal<Visibility>(offered);
  const isBusy = useSignal(false);
  const isOpen = account.value?.profile.byApproval === false;
  const isTooLittle = chosen.value !== "private" && drive.published === null && track?.shownM === null;
  if (drive.endedAt === null) return null;

  async function publish(): Promise<void> {
    isBusy.value = true;
    await run((tourismo) => tourismo.publishDrive(drive.id, chosen.value));
    isBusy.value = false;
  }

  async function renew(): Promise<void> {
    isBusy.value = true;
    await run((tourismo) => tourismo.renewLink(drive.id));
    isBusy.value = false;
  }

  return (
    <fieldset class="card publish">
      <legend>Who can see it</legend>
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
            <span class="hint">{visibility === "followers" && isOpen ? EVERYONE_MAY_FOLLOW : what}</span>
          </span>
        </label>
      ))}
      {chosen.value === "private" ? null : (
        <>
          <p class="hint explained">{COPY}</p>
          {drive.published === null ? (
            track ? (
              <Preview track={track} />
            ) : (
              <p class="hint">The preview needs the track, which is not on this phone.</p>
            )
          ) : null}
          <a href={href({ screen: "places" })}>Private places</a>
        </>
      )}
      {chosen.value === drive.visibility ? null : (
        <button
          type="button"
          class="button primary wide"
          data-testid="publish"
          disabled={isBusy.value || isTooLittle}
          onClick={() => void publish()}
        >
          {labelOf(drive.visibility, chosen.value)}
        </button>
      )}
      {drive.published !== null && drive.visibility !== "private" ? <Share id={drive.published} renew={() => renew()} /> : null}
    </fieldset>
  );
}

/** The copy as the core would make it. */
function Preview({ track }: { track: Track }) {
  const drawn = useMemo(() => ({ line: track.line, hidden: track.hidden }), [track]);
  if (track.shownM === null) {
    return (
      <p class="hint bad" data-testid="preview">
        Too little of this drive would be left to publish. If it is near a place that is not private, such as a race track or a
        meeting point, say so under Private places.
      </p>
    );
  }
  const { value, unit } = distance(track.shownM, units());
  return (
    <>
      <p data-testid="preview">
        Others will see{" "}
        <strong>
          {value} {unit}
        </strong>
        {track.hidden.parts.length === 0 ? ", all of it." : ". The dashed part stays hidden."}
      </p>
      <DriveMap drawn={drawn} label="Map of what others will see" isSmall />
    </>
  );
}

function labelOf(from: Visibility, to: Visibility): string {
  if (to === "private") return "Withdraw the copy";
  return from === "private" ? "Publish the copy" : "Change who sees it";
}

function Share({ id, renew }: { id: string; renew: () => Promise<void> }) {
  const at = href({ screen: "publicDrive", id });
  return (
    <>
      <a href={at}>See it as others do</a>
      <ShareLink link={new URL(at, location.href).href} what="The link" />
      <HoldButton class="button" hint="Hold to make a new link" onHeld={() => void renew()}>
        New link
      </HoldButton>
      <p class="hint">
        A new link replaces the old one, which then shows nothing. Reactions and comments stay with the old link. If others cannot
        open a link from an older version of the app, make a new one.
      </p>
    </>
  );
}
