// The state of a query below or above its data: stale data with its age, a list's end, a failure.

import type { QueryMeta } from "@tourismo/client";

import { clock, day } from "../format.ts";
import type { RelayList } from "../relay-query.ts";

/** Says when stale data was fetched. */
export function StaleNotice({ meta }: { meta: QueryMeta | undefined }) {
  if (!meta?.isStale) return null;
  const { fetchedAt } = meta;
  const isToday = new Date(fetchedAt).toDateString() === new Date().toDateString();
  return (
    <p class="age" data-testid="age">
      No connection. Last updated {isToday ? `at ${clock(fetchedAt)}` : `on ${day(fetchedAt)}, ${clock(fetchedAt)}`}.
    </p>
  );
}

/** The end of a list: a button for older items, a text for an empty list, or the reason of a failure. */
export function ListEnd<T>({ list, empty, older }: { list: RelayList<T>; empty: string; older: string }) {
  if (typeof list.state === "object") {
    return (
      <div class="empty" data-testid="query-failed">
        <p>{list.state.failed}</p>
        <button type="button" class="button" onClick={list.reload}>
          Try again
        </button>
      </div>
    );
  }
  if (list.state === "loading") return <p class="opening">Loading…</p>;
  if (list.items.length === 0) return <p class="empty">{empty}</p>;
  return list.more ? (
    <button type="button" class="button wide" onClick={list.more}>
      {older}
    </button>
  ) : null;
}
