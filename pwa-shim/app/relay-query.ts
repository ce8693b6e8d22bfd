// Queries of the relay for screens. A query fetches when it is shown, when the phone is online again, and after each sync. It
// shows the last answer meanwhile, unless the relay says that there is nothing to read any more.

import { useSignal } from "@preact/signals";
import { type QueryMeta, TourismoError } from "@tourismo/client";
import { useEffect } from "preact/hooks";

import { account, engine, isInUse, status } from "./engine.ts";
import { describeError } from "./messages.ts";

/** The state of a query. */
export interface QueryState<T> {
  data: (T & QueryMeta) | undefined;
  /** Why the last fetch failed, in words. */
  failed: string | undefined;
  reload(): void;
  /** Replaces the data by a newer answer, unless another fetch replaced `shown` already. */
  replace(shown: T & QueryMeta, answer: T & QueryMeta): void;
}

/** The last answers by account and query, so that a screen shows its data at once when the user comes back to it. */
const latest = new Map<string, QueryMeta>();
const MAX_LATEST = 40;

function keepLatest(key: string, answer: QueryMeta): void {
  latest.delete(key);
  latest.set(key, answer);
  const [oldest] = latest.keys();
  if (latest.size > MAX_LATEST && oldest !== undefined) latest.delete(oldest);
}

/**
 * Fetches data from the relay. `key` names the query: queries of one key share their last answer. `fetch` gets that answer.
 */
export function useRelayQuery<T extends object>(
  key: string,
  fetch: (before: (T & QueryMeta) | undefined) => Promise<T & QueryMeta>,
): QueryState<T> {
  // The answer depends on the account that asks. A phone that has an account waits until it is open.
  const reader = account.value?.account;
  const isOpening = reader === undefined && isInUse() && engine.value.type !== "failed";
  const query = `${reader ?? ""} ${key}`;
  const before = (): (T & QueryMeta) | undefined => latest.get(query) as (T & QueryMeta) | undefined;
  const data = useSignal<(T & QueryMeta) | undefined>(before());
  const failed = useSignal<string | undefined>(undefined);
  const reloads = useSignal(0);
  const reload = (): void => void (reloads.value += 1);
  function show(answer: T & QueryMeta): void {
    keepLatest(query, answer);
    data.value = answer;
    failed.value = undefined;
  }
  // The data of another key is not shown.
  useEffect(() => {
    data.value = before();
    failed.value = undefined;
  }, [key]);
  useReloadWhenOnline(reload);
  useEffect(() => {
    if (isOpening) return;
    let isCurrent = true;
    fetch(before()).then(
      (answer) => {
        if (isCurrent) show(answer);
      },
      (thrown: unknown) => {
        if (thrown instanceof TourismoError && thrown.code === "not_on_relay") {
          // It was withdrawn or hidden: the last answer is not shown any more.
          latest.delete(query);
          if (isCurrent) data.value = undefined;
        }
        if (isCurrent) failed.value = describeError(thrown);
      },
    );
    return () => void (isCurrent = false);
  }, [query, reloads.value, isOpening]);
  const replace = (shown: T & QueryMeta, answer: T & QueryMeta): void => {
    if (data.peek() === shown) show(answer);
  };
  return { data: data.value, failed: failed.value, reload, replace };
}

/** The state of a query for a list that the relay returns in pages. */
export interface RelayList<T> {
  items: T[];
  state: "loading" | "ready" | { failed: string };
  meta: QueryMeta | undefined;
  /** Fetches the next page; absent on the last page. */
  more: (() => void) | undefined;
  reload(): void;
}

/** The pages of a list that were fetched. */
interface Pages<T> {
  items: T[];
  next: string | null;
  pages: number;
}

type FetchPage<T> = (page: { after?: string }) => Promise<{ items: T[]; next: string | null } & QueryMeta>;

/** Fetches a list page by page. A reload fetches as many pages as are shown. */
export function useRelayList<T>(key: string, fetch: FetchPage<T>): RelayList<T> {
  const query = useRelayQuery<Pages<T>>(key, (before) => fetchPages(fetch, before?.pages ?? 1));
  const { data, reload, replace } = query;
  const moreFailed = useSignal<string | undefined>(undefined);
  useEffect(() => void (moreFailed.value = undefined), [data]);

  async function more(shown: Pages<T> & QueryMeta, after: string): Promise<void> {
    try {
      replace(shown, joined(shown, await fetch({ after })));
    } catch (thrown) {
      moreFailed.value = describeError(thrown);
    }
  }

  const failed = moreFailed.value ?? (data ? undefined : query.failed);
  const next = data?.next ?? null;
  return {
    items: data?.items ?? [],
    state: failed === undefined ? (data ? "ready" : "loading") : { failed },
    meta: data,
    more: data && next !== null ? () => void more(data, next) : undefined,
    reload,
  };
}

/** Fetches the first pages of a list. */
async function fetchPages<T>(fetch: FetchPage<T>, wanted: number): Promise<Pages<T> & QueryMeta> {
  let list: Pages<T> & QueryMeta = { ...(await fetch({})), pages: 1 };
  while (list.next !== null && list.pages < wanted) list = joined(list, await fetch({ after: list.next }));
  return list;
}

/** A list with its next page. It is as old as the older of them. */
function joined<T>(list: Pages<T> & QueryMeta, page: { items: T[]; next: string | null } & QueryMeta): Pages<T> & QueryMeta {
  return {
    items: [...list.items, ...page.items],
    next: page.next,
    pages: list.pages + 1,
    fetchedAt: Math.min(list.fetchedAt, page.fetchedAt),
    isStale: list.isStale || page.isStale,
  };
}

function useReloadWhenOnline(reload: () => void): void {
  const isUpToDate = status.value?.link.type === "upToDate";
  useEffect(() => {
    if (isUpToDate) reload();
  }, [isUpToDate]);
  useEffect(() => {
    addEventListener("online", reload);
    return () => removeEventListener("online", reload);
  }, []);
}
