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
}

/** Asks when `key` changes, when there is signal again, and when phone and relay have agreed anew. */
export function useTold<T extends object>(key: string, read: () => Promise<T & Told>): Telling<T> {
  const told = useSignal<(T & Told) | undefined>(undefined);
  const failed = useSignal<string | undefined>(undefined);
  const asked = useSignal(0);
  const reload = (): void => void (asked.value += 1);
  // Rather than what was said of another thing.
  useEffect(() => {
    told.value = undefined;
    failed.value = undefined;
  }, [key]);
  useWhenConnected(reload);
  // What is told depends on who asks, and whoever has an account asks as that.
  const reader = account.value?.account;
  const isOpening = reader === undefined && isInUse() && engine.value.type !== "failed";
  useEffect(() => {
    if (isOpening) return;
    let isWanted = true;
    read().then(
      (answer) => {
        if (!isWanted) return;
        told.value = answer;
        failed.value = undefined;
      },
      (thrown: unknown) => {
        if (isWanted) failed.value = wordsOfError(thrown);
      },
    );
    return () => void (isWanted = false);
  }, [key, asked.value, reader, isOpening]);
  return { told: told.value, failed: failed.value, reload };
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

/** The same for a list. Asking again begins with the first page. */
export function useToldList<T>(
  key: string,
  read: (page: { after?: string }) => Promise<{ items: T[]; next: string | null } & Told>,
): ToldList<T> {
  const first = useTold(key, () => read({}));
  const further = useSignal<{ of: Told; items: T[]; next: string | null } | undefined>(undefined);
  const failed = useSignal<string | undefined>(undefined);
  const later = further.value?.of === first.told ? further.value : undefined;
  const next = later ? later.next : (first.told?.next ?? null);
  const items = [...(first.told?.items ?? []), ...(later?.items ?? [])];

  async function load(of: Told, after: string): Promise<void> {
    try {
      const page = await read({ after });
      further.value = { of, items: [...(later?.items ?? []), ...page.items], next: page.next };
      failed.value = undefined;
    } catch (thrown) {
      failed.value = wordsOfError(thrown);
    }
  }

  const { told, failed: why } = first;
  const problem = failed.value ?? (told ? undefined : why);
  return {
    items,
    state: problem === undefined ? (told ? "ready" : "asking") : { failed: problem },
    told,
    more: told && next !== null ? () => void load(told, next) : undefined,
    reload: first.reload,
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
