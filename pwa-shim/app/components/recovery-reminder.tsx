// Asks for a recovery key after the first finished drive, until the account has one.

import { useSignal } from "@preact/signals";

import { members, status } from "../engine.ts";
import { href } from "../route.ts";

/** When the reminder was put off, and how often. */
const LATER = "tourismo recovery later";
const DAY_MS = 86_400_000;
/** For how many days it is put off, each time. */
const DAYS_OFF = [3, 14, 60];

/** It can be put off, each time for longer. */
export function RecoveryReminder({ hasDrives }: { hasDrives: boolean }) {
  const later = useSignal(putOff());
  const recovery = members.value?.recovery;
  const hasWords = recovery?.some(({ state }) => state.type !== "objected" && state.type !== "revoked") ?? true;
  if (!hasDrives || hasWords || status.value?.link.type !== "upToDate" || Date.now() < later.value.until) return null;
  function putItOff(): void {
    const days = DAYS_OFF[later.value.times] ?? DAYS_OFF.at(-1) ?? 0;
    later.value = { until: Date.now() + days * DAY_MS, times: later.value.times + 1 };
    try {
      localStorage.setItem(LATER, JSON.stringify(later.value));
    } catch {
      // The browser stores nothing for this site: it asks again at the next start.
    }
  }
  return (
    <div class="card form" data-testid="recovery-reminder">
      <h2>If this phone is lost</h2>
      <p>Twelve words on paper bring your drives back. It takes two minutes.</p>
      <div class="controls">
        <button type="button" class="button" onClick={putItOff}>
          Later
        </button>
        <a class="button primary" href={href({ screen: "recovery" })}>
          Get the words
        </a>
      </div>
    </div>
  );
}

function putOff(): { until: number; times: number } {
  try {
    const { until, times } = JSON.parse(localStorage.getItem(LATER) ?? "{}") as { until?: unknown; times?: unknown };
    if (typeof until === "number" && typeof times === "number") return { until, times };
  } catch {
    // Nothing is stored, or nothing that this version wrote.
  }
  return { until: 0, times: 0 };
}
