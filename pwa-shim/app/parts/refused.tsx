// What was refused of a drive, by reason, and how to count it all the same. Nothing of it is deleted.

import type { DriveView, RefusedView } from "@tourismo/client";
import { type Signal, useSignal } from "@preact/signals";

import { give } from "../engine.ts";
import { clockToSecond } from "../format.ts";
import { wordsOfRefusal } from "../words.ts";

/** How many are listed at first, and how many more each time. */
const PAGE = 20;
/** How many the core lists. */
const MOST_LISTED = 5_000;

/** `chosen` is the one to be pointed out on the map. */
export function Refused({ drive, refused, chosen }: { drive: DriveView; refused: RefusedView[]; chosen: Signal<string | undefined> }) {
  const left = refused.filter(({ isTakenBack }) => !isTakenBack).length;
  const invalid = refused.length < MOST_LISTED ? Math.max(0, (drive.stats?.refused ?? 0) - left) : 0;
  if (refused.length + invalid === 0) return null;
  const reasons = [...new Set(refused.map(({ reason }) => reason))];
  return (
    <section class="card refused" data-testid="refused" data-left={left} aria-label="Positions that do not count">
      <h2>Positions that do not count</h2>
      <p class="hint">
        They were refused and kept: the small circles on the map. Use those of which you know that they are right, and the
        figures follow.{drive.published === null ? "" : " The copy that others see stays as it is."}
      </p>
      {reasons.map((reason) => (
        <Group key={reason} drive={drive} fixes={refused.filter((fix) => fix.reason === reason)} chosen={chosen} />
      ))}
      {refused.length < MOST_LISTED ? null : <p class="hint">The first {MOST_LISTED.toLocaleString()} are listed.</p>}
      {invalid === 0 ? null : (
        <p class="hint">
          {invalid.toLocaleString()} more {invalid === 1 ? "was" : "were"} no place on earth. Only their number is kept.
        </p>
      )}
    </section>
  );
}

/** All that were refused for one reason. */
function Group({ drive, fixes, chosen }: { drive: DriveView; fixes: RefusedView[]; chosen: Signal<string | undefined> }) {
  const shown = useSignal(PAGE);
  const isBusy = useSignal(false);
  const [first] = fixes;
  if (!first) return null;
  const { name, meaning } = wordsOfRefusal(first.reason);
  const [taken, left] = [fixes.filter(({ isTakenBack }) => isTakenBack), fixes.filter(({ isTakenBack }) => !isTakenBack)];

  async function use(those: RefusedView[], holds: boolean): Promise<void> {
    isBusy.value = true;
    await give((tourismo) => tourismo.takeBackRefused(drive.id, those.map(({ id }) => id), holds));
    isBusy.value = false;
  }

  return (
    <details data-testid={`refused-${first.reason}`}>
      <summary>
        <span>{name}</span>
        <span class="count">{taken.length === 0 ? fixes.length : `${left.length} of ${fixes.length}`}</span>
      </summary>
      <p class="hint">{meaning}</p>
      <div class="controls">
        {left.length > 0 ? (
          <button type="button" class="button small" disabled={isBusy.value} onClick={() => void use(left, true)}>
            {left.length === 1 ? "Use it" : `Use all ${left.length.toLocaleString()}`}
          </button>
        ) : null}
        {taken.length > 0 ? (
          <button type="button" class="button small" disabled={isBusy.value} onClick={() => void use(taken, false)}>
            {taken.length === 1 ? "Leave out the one in use" : `Leave out the ${taken.length.toLocaleString()} in use`}
          </button>
        ) : null}
      </div>
      <ul class="refused-list">
        {fixes.slice(0, shown.value).map((fix) => (
          <li key={fix.id}>
            <button
              type="button"
              class="where"
              aria-pressed={chosen.value === fix.id}
              onClick={() => (chosen.value = chosen.value === fix.id ? undefined : fix.id)}
            >
              {clockToSecond(fix.at, drive.utcOffsetMin)}
              {fix.accuracyM === null ? "" : ` · ± ${Math.round(fix.accuracyM).toLocaleString()} m`}
            </button>
            <button type="button" class="button small" disabled={isBusy.value} onClick={() => void use([fix], !fix.isTakenBack)}>
              {fix.isTakenBack ? "Leave out" : "Use"}
            </button>
          </li>
        ))}
      </ul>
      {fixes.length > shown.value ? (
        <button type="button" class="button small" onClick={() => (shown.value += PAGE)}>
          Show more
        </button>
      ) : null}
    </details>
  );
}
