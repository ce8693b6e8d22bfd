// Unsaved input. Every form has a draft, which holds only the fields that the user changed: fields that another device changed
// are shown beside them. A draft outlives its screen, so that nothing is lost when the user leaves and comes back.

import { type Signal, signal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

/** The changed fields by the name of the form. */
const drafts = new Map<string, Signal<object>>();

/** The values of a form: the saved fields, replaced by those that the user changed. */
export interface Draft<T> {
  value: T;
  isChanged: boolean;
  set(change: Partial<T>): void;
  /** Drops the changes, after they are saved or when the user discards them. */
  clear(): void;
}

/** The draft of a form. Forms of one name share one draft. */
export function useDraft<T extends object>(form: string, saved: T): Draft<T> {
  return draftOf(form, saved);
}

/** The draft of this name over the saved fields. */
export function draftOf<T extends object>(form: string, saved: T): Draft<T> {
  const typed = typedIn<T>(form);
  return {
    value: { ...saved, ...typed.value },
    isChanged: Object.keys(typed.value).length > 0,
    set: (change) => (typed.value = { ...typed.peek(), ...change }),
    clear: () => (typed.value = {}),
  };
}

/** Whether a form has unsaved changes. */
export function hasDraft(form: string): boolean {
  return Object.keys(drafts.get(form)?.peek() ?? {}).length > 0;
}

function typedIn<T extends object>(form: string): Signal<Partial<T>> {
  let typed = drafts.get(form);
  if (!typed) {
    typed = signal({});
    drafts.set(form, typed);
  }
  return typed as Signal<Partial<T>>;
}

/** A text that is saved when the user leaves its field or its screen. */
export interface AutosavedDraft {
  text: string;
  set(text: string): void;
  save(): Promise<void>;
}

/** Saves the draft `form` when its screen is left and when the page is hidden. `onSave` returns whether it was saved. */
export function useAutosave(form: string, saved: string, onSave: (text: string) => Promise<boolean>): AutosavedDraft {
  const draft = useDraft<{ text: string }>(form, { text: saved });
  const save = useRef(async (): Promise<void> => {});
  save.current = () => saveDraft(form, saved, onSave);
  useEffect(() => {
    const onHide = (): void => {
      if (document.visibilityState === "hidden") void save.current();
    };
    const onPageHide = (): void => void save.current();
    document.addEventListener("visibilitychange", onHide);
    addEventListener("pagehide", onPageHide);
    return () => {
      document.removeEventListener("visibilitychange", onHide);
      removeEventListener("pagehide", onPageHide);
      void save.current();
    };
  }, [form]);
  return { text: draft.value.text, set: (text) => draft.set({ text }), save: () => save.current() };
}

/** Saves the draft if it was changed. A refused text stays in the draft to be corrected, and so does text typed meanwhile. */
export async function saveDraft(form: string, saved: string, onSave: (text: string) => Promise<boolean>): Promise<void> {
  const typed = typedIn<{ text: string }>(form);
  const before = typed.peek();
  if (before.text === undefined) return;
  const isSaved = before.text.trim() === saved || (await onSave(before.text.trim()));
  if (isSaved && typed.peek() === before) typed.value = {};
}

/**
 * Saves single changes of an object that is stored as a whole. Changes that are still being saved are part of the next one.
 */
export function useChanges<T extends object>(
  saved: T,
  put: (fields: T) => Promise<boolean>,
): (change: Partial<T>) => Promise<boolean> {
  const pending = useSignal<Partial<T>>({});
  return async (change) => {
    const changed = { ...pending.peek(), ...change };
    pending.value = changed;
    const isSaved = await put({ ...saved, ...changed });
    if (pending.peek() === changed) pending.value = {};
    return isSaved;
  };
}
