// What the relay tells, as screens need it: asked for when shown, again when there is signal, and with its age when there is none.

import { useSignal } from "@preact/signals";
import type { Told } from "@tourismo/client";
import { useEffect } from "preact/hooks";

import { account, engine, isInUse, status } from "./engine.ts";
import { wordsOfError } from "./words.ts";

/** Something that the relay is asked for. */
export interface Telling<T> {
  told: (T & Told) | undefined;
  /** Why there is nothing, in words. */
  failed: string | undefined;
  reload(): void;
  /** Shows more than was told, unless something newer came meanwhile. */
  replace(shown: T & Told, answer: T & Told): void;
}

/** What was told last, by what was asked and who asked: whoever comes back to a screen sees it at once, where they left it. */
const latest = new Map<string, Told>();
/** How many answers are kept. */
const LATEST = 40;

function keepLatest(key: string, told: Told): void {
  latest.delete(key);
  latest.set(key, told);
  const [oldest] = latest.keys();
  if (latest.size > LATEST && oldest !== undefined) latest.delete(oldest);
}

/** Asks when `key` changes, when there is signal again, and when phone and relay have agreed anew. */
export function useTold<T extends object>(key: string, read: (before: (T & Told) | undefined) => Promise<T & Told>): Telling<T> {
  // What is told depends on who asks, and whoever has an account asks as that.
  const reader = account.value?.account;
  const isOpening = reader === undefined && isInUse() && engine.value.type !== "failed";
  const asks = `${reader ?? ""} ${key}`;
  const before = (): (T & Told) | undefined => latest.get(asks) as (T & Told) | undefined;
  const told = useSignal<(T & Told) | undefined>(before());
  const failed = useSignal<string | undefined>(undefined);
  const asked = useSignal(0);
  const reload = (): void => void (asked.value += 1);
  function show(answer: T & Told): void {
    keepLatest(asks, answer);
    told.value = answer;
    failed.value = undefined;
  }
  // Rather than what was said of another thing.
  useEffect(() => {
    told.value = before();
    failed.value = undefined;
  }, [key]);
  useWhenConnected(reload);
  useEffect(() => {
    if (isOpening) return;
    let isWanted = true;
    read(before()).then(
      (answer) => {
        if (isWanted) show(answer);
      },
      (thrown: unknown) => {
        if (isWanted) failed.value = wordsOfError(thrown);
      },
    );
    return () => void (isWanted = false);
  }, [asks, asked.value, isOpening]);
  const replace = (shown: T & Told, answer: T & Told): void => {
    if (told.peek() === shown) show(answer);
  };
  return { told: told.value, failed: failed.value, reload, replace };
}

/** A list that the relay tells page by page. */
export interface ToldList<T> {
  items: T[];
  state: "asking" | "ready" | { failed: string };
  told: Told | undefined;
  /** Asks for the next page, if there is one. */
  more: (() => void) | undefined;
  reload(): void;
}

/** The pages that were read of a list. */
interface Pages<T> {
  items: T[];
  next: string | null;
  pages: number;
}

/** The same for a list. Asking again reads as many pages as are shown. */
export function useToldList<T>(
  key: string,
  read: (page: { after?: string }) => Promise<{ items: T[]; next: string | null } & Told>,
): ToldList<T> {
  const { told, failed, reload, replace } = useTold<Pages<T>>(key, (before) => readPages(read, before?.pages ?? 1));
  const moreFailed = useSignal<string | undefined>(undefined);
  useEffect(() => void (moreFailed.value = undefined), [told]);

  async function more(shown: Pages<T> & Told, after: string): Promise<void> {
    try {
      replace(shown, joined(shown, await read({ after })));
    } catch (thrown) {
      moreFailed.value = wordsOfError(thrown);
    }
  }

  const problem = moreFailed.value ?? (told ? undefined : failed);
  const next = told?.next ?? null;
  return {
    items: told?.items ?? [],
    state: problem === undefined ? (told ? "ready" : "asking") : { failed: problem },
    told,
    more: told && next !== null ? () => void more(told, next) : undefined,
    reload,
  };
}

/** The first pages of a list. */
async function readPages<T>(
  read: (page: { after?: string }) => Promise<{ items: T[]; next: string | null } & Told>,
  wanted: number,
): Promise<Pages<T> & Told> {
  let list: Pages<T> & Told = { ...(await read({})), pages: 1 };
  while (list.next !== null && list.pages < wanted) list = joined(list, await read({ after: list.next }));
  return list;
}

/** A list and its next page, as old as the older of them. */
function joined<T>(list: Pages<T> & Told, page: { items: T[]; next: string | null } & Told): Pages<T> & Told {
  return {
    items: [...list.items, ...page.items],
    next: page.next,
    pages: list.pages + 1,
    toldAt: Math.min(list.toldAt, page.toldAt),
    isOld: list.isOld || page.isOld,
  };
}

function useWhenConnected(reload: () => void): void {
  const isUpToDate = status.value?.link.type === "upToDate";
  useEffect(() => {
    if (isUpToDate) reload();
  }, [isUpToDate]);
  useEffect(() => {
    addEventListener("online", reload);
    return () => removeEventListener("online", reload);
  }, []);
}
