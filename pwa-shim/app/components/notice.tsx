// A short message over the screen that disappears by itself. A new one replaces it.

import { signal } from "@preact/signals";

const SHOWN_MS = 6_000;

const notice = signal<string | undefined>(undefined);
let timer: ReturnType<typeof setTimeout> | undefined;

export function showNotice(text: string): void {
  notice.value = text;
  clearTimeout(timer);
  timer = setTimeout(() => (notice.value = undefined), SHOWN_MS);
}

export function Notice() {
  return (
    <div class="notice-place" role="status" aria-live="polite">
      {notice.value === undefined ? null : (
        <button type="button" class="notice" onClick={() => (notice.value = undefined)}>
          {notice.value}
        </button>
      )}
    </div>
  );
}
