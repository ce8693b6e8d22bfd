// What people type and have not saved yet. One mechanism for all forms: a draft holds only what was typed, so that news in
// other fields are shown beside it; and it outlives its screen, so that whoever comes back finds it.

import { type Signal, signal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

/** What was typed, by the name of the form. */
const drafts = new Map<string, Signal<object>>();

/** What a form shows: what is saved, and over it what was typed. */
export interface Draft<T> {
  value: T;
  isChanged: boolean;
  set(change: Partial<T>): void;
  /** Forgets what was typed: it is saved, or nobody wants it. */
  clear(): void;
}

/** The draft of a form. Its name is that of what is edited: the same name is the same draft. */
export function useDraft<T extends object>(form: string, saved: T): Draft<T> {
  return draftOf(form, saved);
}

/** The draft of this name, over what is saved. */
export function draftOf<T extends object>(form: string, saved: T): Draft<T> {
  const typed = typedIn<T>(form);
  return {
    value: { ...saved, ...typed.value },
    isChanged: Object.keys(typed.value).length > 0,
    set: (change) => (typed.value = { ...typed.peek(), ...change }),
    clear: () => (typed.value = {}),
  };
}

/** Whether something was typed into a form and neither saved nor given up. */
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

/** A text that is saved when its field or its screen is left. */
export interface SavedDraft {
  text: string;
  set(text: string): void;
  save(): Promise<void>;
}

/** Saves the draft `form` when its screen is left, by whatever way, and when the page is hidden. `onSave` says whether it was taken. */
export function useSavedDraft(form: string, saved: string, onSave: (text: string) => Promise<boolean>): SavedDraft {
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

/** Saves what was typed, if it was. What is refused stays, to be mended; so does what is typed meanwhile. */
export async function saveDraft(form: string, saved: string, onSave: (text: string) => Promise<boolean>): Promise<void> {
  const typed = typedIn<{ text: string }>(form);
  const before = typed.peek();
  if (before.text === undefined) return;
  const isTaken = before.text.trim() === saved || (await onSave(before.text.trim()));
  if (isTaken && typed.peek() === before) typed.value = {};
}

/**
 * Saves changes of what is saved as a whole. What was changed a moment ago is not in `saved` yet, and goes into the next one,
 * too.
 */
export function useChanges<T extends object>(saved: T, put: (fields: T) => Promise<boolean>): (change: Partial<T>) => Promise<boolean> {
  const pending = useSignal<Partial<T>>({});
  return async (change) => {
    const changed = { ...pending.peek(), ...change };
    pending.value = changed;
    const isDone = await put({ ...saved, ...changed });
    if (pending.peek() === changed) pending.value = {};
    return isDone;
  };
}
