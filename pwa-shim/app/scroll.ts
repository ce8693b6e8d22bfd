// Where each place that was visited was scrolled to: whoever goes back is shown what they saw. The browser's own way restores
// at once, when lists that the relay tells are not there yet.

/** How long a place may take until it is as long as it was. */
const PATIENCE_MS = 5_000;

/** By the entry of the history. */
const positions = new Map<string, number>();
let entry = "";
let stop: (() => void) | undefined;

if (typeof history !== "undefined") {
  history.scrollRestoration = "manual";
  entry = entryHere();
  addEventListener("scroll", () => positions.set(entry, scrollY), { passive: true });
}

/** Scrolls to where the place that is shown from here on was left; a new one begins at its top. */
export function restoreScroll(): void {
  stop?.();
  entry = entryHere();
  const top = positions.get(entry) ?? 0;
  if (top === 0) scrollTo(0, 0);
  else scrollWhenLongEnough(top);
}

/** The name of the entry of the history at which the page is. */
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
  const timer = setTimeout(end, PATIENCE_MS);
  // Whoever scrolls by themselves is left alone.
  const signs = ["wheel", "touchstart", "keydown", "pointerdown"] as const;
  for (const sign of signs) addEventListener(sign, end, { passive: true });
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
    for (const sign of signs) removeEventListener(sign, end);
  }
}
