// Who may see a drive. Publishing is an act: a copy is made whose ends and exact times are hidden; it says so before.

import type { DriveView, PrivateEnds, TrackView, Visibility } from "@tourismo/client";
import { useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";

import { account, give, isDone, units } from "../engine.ts";
import { distance } from "../format.ts";
import { HoldButton } from "../parts/hold-button.tsx";
import { DriveMap } from "../parts/map.tsx";
import { ShareLink } from "../parts/share.tsx";
import { href } from "../route.ts";
import { wordsOfEnds } from "../words.ts";

/** A track that is here. */
type Track = Extract<TrackView, { type: "ready" }>;

const CHOICES: { visibility: Visibility; title: string; what: string }[] = [
  { visibility: "private", title: "Only me", what: "It stays among your own devices." },
  { visibility: "followers", title: "Followers", what: "The people whom you accepted as followers see the copy." },
  { visibility: "link", title: "By link", what: "Whoever has the link sees the copy. It is in no list." },
  { visibility: "public", title: "Everyone", what: "The copy is in the public feed." },
];

const ENDS: [keyof PrivateEnds, string][] = [
  ["start", "Hide where it began"],
  ["end", "Hide where it ended"],
];

/** What "Followers" means for somebody who lets everybody follow. */
const ANYBODY_FOLLOWS =
  "Anybody who presses Follow sees the copy: you accept all followers. To be asked about each, change that under You.";

export function Publish({ drive, track }: { drive: DriveView; track: Track | undefined }) {
  const offered = drive.published === null ? (account.value?.settings.defaultVisibility ?? "private") : drive.visibility;
  const chosen = useSignal<Visibility>(offered);
  const isBusy = useSignal(false);
  const isOpen = account.value?.profile.byApproval === false;
  const isTooLittle = chosen.value !== "private" && drive.published === null && track?.shownM === null;
  if (drive.endedAt === null) return null;

  async function publish(): Promise<void> {
    isBusy.value = true;
    await give((tourismo) => tourismo.publishDrive(drive.id, chosen.value));
    isBusy.value = false;
  }

  async function renew(): Promise<void> {
    isBusy.value = true;
    await give((tourismo) => tourismo.renewLink(drive.id));
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
        <>
          <p class="hint explained">{wordsOfEnds(drive.privateEnds)}</p>
          {drive.published === null ? <Ends drive={drive} track={track} /> : null}
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

/** Which ends are private places, and what others will see: chosen before the copy is made, which stays as it was made. */
function Ends({ drive, track }: { drive: DriveView; track: Track | undefined }) {
  const { start, end } = drive.privateEnds;
  /** What was said and is not in the drive yet. */
  const wanted = useSignal<PrivateEnds | undefined>(undefined);
  const ends = wanted.value ?? drive.privateEnds;
  useEffect(() => {
    if (wanted.value?.start === start && wanted.value.end === end) wanted.value = undefined;
  }, [start, end]);

  async function set(next: PrivateEnds): Promise<void> {
    wanted.value = next;
    const done = await isDone((tourismo) => tourismo.setPrivateEnds(drive.id, next));
    if (!done) wanted.value = undefined;
  }

  return (
    <div class="ends" data-testid="ends">
      {ENDS.map(([end, title]) => (
        <label key={end} class="choice">
          <input
            type="checkbox"
            checked={ends[end]}
            onChange={(event) => void set({ ...ends, [end]: event.currentTarget.checked })}
          />
          <span>{title}</span>
        </label>
      ))}
      <p class="hint">Show a start or an end that is no private place, such as a circuit or a meeting point.</p>
      {track ? <Preview track={track} /> : <p class="hint">What others will see is shown here once the track is on this phone.</p>}
    </div>
  );
}

/** What others will see, as the core cuts it. */
function Preview({ track }: { track: Track }) {
  const drawn = useMemo(() => ({ line: track.line, hidden: track.hidden }), [track]);
  if (track.shownM === null) {
    return (
      <p class="hint bad" data-testid="preview">
        Too little of this drive would be left to show. It can be published if its start or its end may be seen.
      </p>
    );
  }
  const { value, unit } = distance(track.shownM, units());
  return (
    <>
      <p data-testid="preview">
        Others will see <strong>{value} {unit}</strong>
        {track.hidden.parts.length === 0 ? ", all of it." : ". What is dashed stays hidden."}
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
  const at = href({ screen: "public", id });
  return (
    <>
      <a href={at}>See it as others do</a>
      <ShareLink link={new URL(at, location.href).href} what="The link" />
      <HoldButton class="button" hint="Hold to make a new link" onHeld={() => void renew()}>
        New link
      </HoldButton>
      <p class="hint">
        A new link takes the place of the old one, which then shows nothing to anybody. Reactions and comments stay with the
        old one. If others cannot open a link that an older version of the app made, make a new one.
      </p>
    </>
  );
}
