// Restores the scroll position of a screen when the user goes back to it. The browser would restore it at once, before lists
// from the relay are there.

/** How long a screen may take until it is long enough. */
const TIMEOUT_MS = 5_000;

/** Scroll positions by history entry. */
const positions = new Map<string, number>();
let entry = "";
let stop: (() => void) | undefined;

if (typeof history !== "undefined") {
  history.scrollRestoration = "manual";
  entry = entryHere();
  addEventListener("scroll", () => positions.set(entry, scrollY), { passive: true });
}

/** Scrolls to where the current history entry was left. A new entry starts at the top. */
export function restoreScroll(): void {
  stop?.();
  entry = entryHere();
  const top = positions.get(entry) ?? 0;
  if (top === 0) scrollTo(0, 0);
  else scrollWhenLongEnough(top);
}

/** The name of the current history entry. */
function entryHere(): string {
  const state: unknown = history.state;
  if (typeof state === "string") return state;
  const fresh = crypto.getRandomValues(new Uint32Array(2)).join("-");
  history.replaceState(fresh, "");
  return fresh;
}

function scrollWhenLongEnough(top: number): void {
  const { documentElement: page } = document;
  const changed = new ResizeObserver(attempt);
  const timer = setTimeout(end, TIMEOUT_MS);
  // Input of the user ends the attempt.
  const inputs = ["wheel", "touchstart", "keydown", "pointerdown"] as const;
  for (const input of inputs) addEventListener(input, end, { passive: true });
  stop = end;
  changed.observe(document.body);
  requestAnimationFrame(attempt);

  function attempt(): void {
    if (stop !== end || page.scrollHeight - page.clientHeight < top) return;
    end();
    scrollTo(0, top);
  }

  function end(): void {
    if (stop !== end) return;
    stop = undefined;
    changed.disconnect();
    clearTimeout(timer);
    for (const input of inputs) removeEventListener(input, end);
  }
}
