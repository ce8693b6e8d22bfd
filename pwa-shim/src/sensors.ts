// What a page does for the recording: measures positions, keeps the screen on, says when it is hidden.
//
// Of all tabs, one measures: the one that was visible last. The browser would tell each of them every position.

import type { Tourismo } from "./client.ts";
import { watchFixes } from "./geolocation.ts";
import type { DocId, RecordingView } from "./generated/types.ts";
import { holdWakeLock } from "./wake-lock.ts";

/** Makes this page serve the recording until the returned function is called. */
export function attachSensors(tourismo: Tourismo, lockName = "tourismo sensors"): () => void {
  let recording: RecordingView | null = null;
  /** The drive that this page has seen being recorded. */
  let served: DocId | undefined;
  let stopMeasuring: (() => void) | undefined;

  const tell = (input: Parameters<Tourismo["tell"]>[0]): void => {
    // Without an engine nothing is recorded, which its user is told by `onFailed`.
    tourismo.tell(input).catch(() => {});
  };

  function update(): void {
    if (recording?.state !== "active") {
      stopMeasuring?.();
      stopMeasuring = undefined;
    } else if (document.visibilityState === "visible") {
      stopMeasuring ??= measure(tell, lockName, () => (stopMeasuring = undefined));
    }
  }

  function onRecording(view: RecordingView | null): void {
    recording = view;
    if (view?.state === "unfinished" && view.drive === served) {
      // The tab that owned the engine died and another went on, but this page was recording all along.
      served = undefined;
      tourismo.resumeDrive().catch(() => {});
    } else if (view?.state === "active") {
      served = view.drive;
    } else if (view === null || view.state === "paused") {
      served = undefined;
    }
    update();
  }

  function onVisibility(): void {
    tell({ type: document.visibilityState === "visible" ? "shown" : "hidden" });
    update();
  }
  const onHidden = (): void => tell({ type: "hidden" });

  const unsubscribe = tourismo.subscribe("recording", onRecording);
  document.addEventListener("visibilitychange", onVisibility);
  document.addEventListener("freeze", onHidden);
  addEventListener("pagehide", onHidden);
  return () => {
    unsubscribe();
    stopMeasuring?.();
    document.removeEventListener("visibilitychange", onVisibility);
    document.removeEventListener("freeze", onHidden);
    removeEventListener("pagehide", onHidden);
  };
}

/** Measures until the returned function is called, or until another tab does so. */
function measure(tell: (input: Parameters<Tourismo["tell"]>[0]) => void, lockName: string, onTaken: () => void): () => void {
  let stop = (): void => {};
  const done = new Promise<void>((resolve) => (stop = resolve));
  let cleanup = (): void => {};
  navigator.locks
    .request(lockName, { steal: true }, () => {
      const stopWatching = watchFixes(
        (fix) => tell({ type: "fix", fix }),
        (reason) => tell({ type: "sensorFailed", reason }),
      );
      const releaseScreen = holdWakeLock();
      cleanup = () => {
        stopWatching();
        releaseScreen();
      };
      return done;
    })
    .catch(onTaken)
    .finally(() => cleanup());
  return stop;
}
