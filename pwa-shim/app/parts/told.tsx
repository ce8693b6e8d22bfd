// How old something is that the relay told, and what to say while it tells nothing.

import type { Told } from "@tourismo/client";

import { clock, day } from "../format.ts";
import type { ToldList } from "../told.ts";

/** Says from when something is that could not be asked for again. */
export function Age({ told }: { told: Told | undefined }) {
  if (!told?.isOld) return null;
  const isToday = new Date(told.toldAt).toDateString() === new Date().toDateString();
  return (
    <p class="age" data-testid="age">
      No signal: as the relay told it {isToday ? `at ${clock(told.toldAt)}` : `on ${day(told.toldAt)}, ${clock(told.toldAt)}`}.
    </p>
  );
}

/** What is below a list: older pages, or why there is nothing. */
export function ListEnd<T>({ list, empty, older }: { list: ToldList<T>; empty: string; older: string }) {
  if (typeof list.state === "object") {
    return (
      <div class="empty" data-testid="told-failed">
        <p>{list.state.failed}</p>
        <button type="button" class="button" onClick={list.reload}>
          Try again
        </button>
      </div>
    );
  }
  if (list.state === "asking") return <p class="opening">Asking the relay…</p>;
  if (list.items.length === 0) return <p class="empty">{empty}</p>;
  return list.more ? (
    <button type="button" class="button wide" onClick={list.more}>
      {older}
    </button>
  ) : null;
}
