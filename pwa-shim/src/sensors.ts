// Records on behalf of a page: measures positions and keeps the screen on.
//
// Only one tab measures, the one that was shown last. Otherwise every position would be recorded once per tab.

import type { Tourismo } from "./client.ts";
import type { DocId, RecordingView } from "./generated/types.ts";
import { watchFixes } from "./geolocation.ts";
import type { PageInput } from "./messages.ts";
import { holdWakeLock } from "./wake-lock.ts";

/** The name of the lock of the tab that measures. */
const LOCK = "tourismo sensors";

/** Measures for the recording until the returned function is called. */
export function attachSensors(tourismo: Tourismo): () => void {
  /** The drive that this page has recorded. */
  let served: DocId | undefined;
  let isActive = false;
  let stop: (() => void) | undefined;

  const tell = (input: PageInput): void => {
    // The engine has ended: `onFailed` reports it.
    tourismo.tell(input).catch(() => {});
  };

  function onRecording(view: RecordingView | null): void {
    const isShown = document.visibilityState === "visible";
    if (view?.resumesItself && (view.drive === served || isShown)) {
      // The page was reloaded, the browser was killed, or the tab of the owner was closed while this page recorded. If several
      // tabs resume the drive, one succeeds and the others are refused.
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

  /** Measures at once if the page is visible, otherwise when no other tab does. */
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
    // A page that was opened in the background reads the view when it is shown.
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
 * Calls `begin` while this tab holds the lock: at once by stealing it, or when it is free. A tab that loses the lock waits for it
 * again. `begin` returns a function that ends its work; the returned function releases the lock.
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
