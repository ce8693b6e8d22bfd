// The refused positions of a drive by reason. The user can accept them: none of them is deleted.

import { type Signal, useSignal } from "@preact/signals";
import type { DriveView, RefusedView } from "@tourismo/client";

import { run } from "../engine.ts";
import { clockToSecond } from "../format.ts";
import { describeRefusal } from "../messages.ts";

/** Number of positions per page of the list. */
const PAGE = 20;
/** Maximum number of positions that the core lists. */
const MAX_LISTED = 5_000;

/** `chosen` is the id of the position that is highlighted on the map. */
export function RefusedFixes({
  drive,
  refused,
  chosen,
}: {
  drive: DriveView;
  refused: RefusedView[];
  chosen: Signal<string | undefined>;
}) {
  const left = refused.filter(({ isTakenBack }) => !isTakenBack).length;
  const invalid = refused.length < MAX_LISTED ? Math.max(0, (drive.stats?.refused ?? 0) - left) : 0;
  if (refused.length + invalid === 0) return null;
  const reasons = [...new Set(refused.map(({ reason }) => reason))];
  return (
    <section class="card refused" data-testid="refused" data-left={left} aria-label="Refused positions">
      <h2>Refused positions</h2>
      <p class="hint">
        They do not count, but are kept. The map shows them as small circles. If you know that some are right, use them: the
        statistics include them then.{drive.published === null ? "" : " The copy that others see does not change."}
      </p>
      {reasons.map((reason) => (
        <Group key={reason} drive={drive} fixes={refused.filter((fix) => fix.reason === reason)} chosen={chosen} />
      ))}
      {refused.length < MAX_LISTED ? null : <p class="hint">Only the first {MAX_LISTED.toLocaleString()} are listed.</p>}
      {invalid === 0 ? null : (
        <p class="hint">{invalid.toLocaleString()} more had invalid coordinates. Only their number is kept.</p>
      )}
    </section>
  );
}

/** The positions that were refused for one reason. */
function Group({ drive, fixes, chosen }: { drive: DriveView; fixes: RefusedView[]; chosen: Signal<string | undefined> }) {
  const shown = useSignal(PAGE);
  const isBusy = useSignal(false);
  const [first] = fixes;
  if (!first) return null;
  const { name, meaning } = describeRefusal(first.reason);
  const [used, unused] = [fixes.filter(({ isTakenBack }) => isTakenBack), fixes.filter(({ isTakenBack }) => !isTakenBack)];

  async function use(chosenFixes: RefusedView[], holds: boolean): Promise<void> {
    isBusy.value = true;
    await run((tourismo) =>
      tourismo.takeBackRefused(
        drive.id,
        chosenFixes.map(({ id }) => id),
        holds,
      ),
    );
    isBusy.value = false;
  }

  return (
    <details data-testid={`refused-${first.reason}`}>
      <summary>
        <span>{name}</span>
        <span class="count">{used.length === 0 ? fixes.length : `${unused.length} of ${fixes.length}`}</span>
      </summary>
      <p class="hint">{meaning}</p>
      <div class="controls">
        {unused.length > 0 ? (
          <button type="button" class="button small" disabled={isBusy.value} onClick={() => void use(unused, true)}>
            {unused.length === 1 ? "Use it" : `Use all ${unused.length.toLocaleString()}`}
          </button>
        ) : null}
        {used.length > 0 ? (
          <button type="button" class="button small" disabled={isBusy.value} onClick={() => void use(used, false)}>
            {used.length === 1 ? "Leave out the one in use" : `Leave out the ${used.length.toLocaleString()} in use`}
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
