// The permission to use the location, and instructions to grant it.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { type BrowserName, nameOfBrowser } from "../browser-name.ts";

/** The permission for the location, updated when the user changes it; `unknown` if the browser does not report it. */
export function usePermission(): PermissionState | "unknown" {
  const state = useSignal<PermissionState | "unknown">("unknown");
  useEffect(() => {
    let status: PermissionStatus | undefined;
    let isShown = true;
    const update = (): void => void (state.value = status?.state ?? "unknown");
    navigator.permissions?.query({ name: "geolocation" }).then(
      (found) => {
        if (!isShown) return;
        status = found;
        status.addEventListener("change", update);
        update();
      },
      () => {},
    );
    return () => {
      isShown = false;
      status?.removeEventListener("change", update);
    };
  }, []);
  return state.value;
}

/** Shown instead of the start button: why nothing can be recorded, how to allow the location, and a button to try again. */
export function LocationDenied({ onAllowed }: { onAllowed: () => void }) {
  const isStill = useSignal(false);
  function ask(): void {
    isStill.value = false;
    navigator.geolocation.getCurrentPosition(
      onAllowed,
      (error) => {
        isStill.value = error.code === error.PERMISSION_DENIED;
        // Other errors mean that the location is allowed.
        if (!isStill.value) onAllowed();
      },
      { maximumAge: Infinity, timeout: 10_000 },
    );
  }
  return (
    <section class="card form location-denied" data-testid="location-denied">
      <h2>Location is not allowed</h2>
      <p>Tourismo cannot record without it. Your position stays on your own devices until you publish a drive.</p>
      <p class="hint">{INSTRUCTIONS[nameOfBrowser(navigator.userAgent)]}</p>
      <button type="button" class="button primary wide" onClick={ask}>
        Try again
      </button>
      {isStill.value ? (
        <p class="hint bad">Location is still not allowed. Change the setting above, then reload the page.</p>
      ) : null}
    </section>
  );
}

const INSTRUCTIONS: Record<BrowserName, string> = {
  safari:
    "On iPhone and iPad: Settings, Privacy & Security, Location Services, Safari Websites: While Using the App, with Precise Location. Then tap the page icon beside the address, Website Settings, Location: Allow.",
  firefox:
    "Tap the lock beside the address and remove the block on Location. On Android also allow Location for Firefox in Settings, Apps.",
  samsung:
    "Tap the lock beside the address, Permissions, Location: Allow. Also allow Location for Samsung Internet in Settings, Apps.",
  chromium:
    "Tap the icon beside the address, Permissions, Location: Allow. On Android also allow Location, with Use precise location, for the browser in Settings, Apps.",
};
