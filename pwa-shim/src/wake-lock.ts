// Keeps the screen on: in a phone's browser positions come only while the page is seen.

/** Whether the screen stays on. */
export type WakeLockState = "held" | "refused" | "unsupported";

/** Holds a wake lock until the returned function is called. Browsers release it when the page is hidden: ask again. */
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
      // Low battery, or the person does not allow it.
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
