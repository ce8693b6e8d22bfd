// What a page does for the recording: measures positions and keeps the screen on.
//
// Of all tabs, one measures: the one that was shown last. The browser would tell each of them every position.

import type { Tourismo } from "./client.ts";
import { watchFixes } from "./geolocation.ts";
import type { DocId, RecordingView } from "./generated/types.ts";
import type { PageInput } from "./messages.ts";
import { holdWakeLock } from "./wake-lock.ts";

/** The lock of the tab that measures. */
const LOCK = "tourismo sensors";

/** Makes this page serve the recording until the returned function is called. */
export function attachSensors(tourismo: Tourismo): () => void {
  /** The drive that this page has seen being recorded. */
  let served: DocId | undefined;
  let isActive = false;
  let stop: (() => void) | undefined;

  const tell = (input: PageInput): void => {
    // Without an engine nothing is recorded, which its user is told by `onFailed`.
    tourismo.tell(input).catch(() => {});
  };

  function onRecording(view: RecordingView | null): void {
    const isShown = document.visibilityState === "visible";
    if (view?.resumesItself && (view.drive === served || isShown)) {
      // The page was reloaded, the browser was killed, or the tab that owned the engine died while this page recorded all
      // along. Of several tabs one is taken, the others are refused.
      served = undefined;
      tourismo.resumeDrive().catch(() => {});
    } else if (view?.state === "active") {
      served = view.drive;
    } else if (view === null || view.state === "paused") {
      served = undefined;
    }
    isActive = view?.state === "active";
    if (!isActive) {
      stop?.();
      stop = undefined;
    } else if (!stop) {
      measure();
    }
  }

  /** Measures from now on if the page is seen, else when no other tab does. */
  function measure(): void {
    stop?.();
    stop = whileHeld(document.visibilityState === "visible", () => {
      const stopWatching = watchFixes(
        (fix, arrivedMs) => tell({ type: "fix", fix, arrivedMs }),
        (reason) => tell({ type: "sensorFailed", reason }),
      );
      const releaseScreen = holdWakeLock();
      return () => {
        stopWatching();
        releaseScreen();
      };
    });
  }

  const onVisibility = (): void => {
    // A page that was opened in the background sees now what it was left with.
    if (document.visibilityState === "visible") tourismo.read("recording").then(onRecording, () => {});
    if (isActive && document.visibilityState === "visible") measure();
  };
  const unsubscribe = tourismo.subscribe("recording", onRecording);
  document.addEventListener("visibilitychange", onVisibility);
  return () => {
    unsubscribe();
    document.removeEventListener("visibilitychange", onVisibility);
    stop?.();
  };
}

/**
 * Does something while this tab holds the lock: at once, taking it from another tab, or when it is free. A tab from which
 * it is taken waits for it again. `begin` gives what ends it; the returned function ends it all.
 */
function whileHeld(atOnce: boolean, begin: () => () => void): () => void {
  const wanted = new AbortController();

  function request(steal: boolean): void {
    let end = (): void => {};
    const options: LockOptions = steal ? { steal: true } : { signal: wanted.signal };
    navigator.locks
      .request(LOCK, options, () => {
        if (wanted.signal.aborted) return undefined;
        end = begin();
        return new Promise<void>((resolve) => wanted.signal.addEventListener("abort", () => resolve()));
      })
      .catch((thrown: unknown) => {
        const isTaken = thrown instanceof DOMException && thrown.name === "AbortError";
        if (isTaken && !wanted.signal.aborted) request(false);
      })
      .finally(() => end());
  }

  request(atOnce);
  return () => wanted.abort();
}
