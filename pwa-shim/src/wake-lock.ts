// Keeps the screen on: a phone's browser measures positions only while the page is visible.

/** Whether the screen stays on. */
export type WakeLockState = "held" | "refused" | "unsupported";

/** Holds a wake lock until the returned function is called. Browsers release it when the page is hidden; it is requested again. */
export function holdWakeLock(onState: (state: WakeLockState) => void = () => {}): () => void {
  let held: WakeLockSentinel | undefined;
  let wanted = true;

  async function request(): Promise<void> {
    if (!wanted || document.visibilityState !== "visible" || (held && !held.released)) return;
    if (!("wakeLock" in navigator)) {
      onState("unsupported");
      return;
    }
    try {
      held = await navigator.wakeLock.request("screen");
      held.addEventListener("release", () => {
        if (wanted) onState("refused");
      });
      if (wanted) onState("held");
      else void held.release();
    } catch {
      // Low battery, or not allowed by the user.
      onState("refused");
    }
  }

  const again = (): void => void request();
  document.addEventListener("visibilitychange", again);
  again();
  return () => {
    wanted = false;
    document.removeEventListener("visibilitychange", again);
    void held?.release();
  };
}
