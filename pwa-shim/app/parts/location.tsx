// Whether this site may use the location, and how to allow it.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { type BrowserName, nameOfBrowser } from "../browser-name.ts";

/** What the browser says of the location: `unknown` where it does not tell. Follows what the person changes. */
export function usePermission(): PermissionState | "unknown" {
  const state = useSignal<PermissionState | "unknown">("unknown");
  useEffect(() => {
    let status: PermissionStatus | undefined;
    let isShown = true;
    const follow = (): void => void (state.value = status?.state ?? "unknown");
    navigator.permissions?.query({ name: "geolocation" }).then(
      (found) => {
        if (!isShown) return;
        status = found;
        status.addEventListener("change", follow);
        follow();
      },
      () => {},
    );
    return () => {
      isShown = false;
      status?.removeEventListener("change", follow);
    };
  }, []);
  return state.value;
}

/** In the place of what needs the location: why nothing can be recorded, how to allow it, and another attempt. */
export function LocationDenied({ onAllowed }: { onAllowed: () => void }) {
  const isStill = useSignal(false);
  function ask(): void {
    isStill.value = false;
    navigator.geolocation.getCurrentPosition(
      onAllowed,
      (error) => {
        isStill.value = error.code === error.PERMISSION_DENIED;
        // Without a position at the moment, but allowed to look for one.
        if (!isStill.value) onAllowed();
      },
      { maximumAge: Infinity, timeout: 10_000 },
    );
  }
  return (
    <section class="card form location-denied" data-testid="location-denied">
      <h2>Location is not allowed</h2>
      <p>Tourismo cannot record without it. Your position stays on your own devices until you publish a drive.</p>
      <p class="hint">{HOW[nameOfBrowser(navigator.userAgent)]}</p>
      <button type="button" class="button primary wide" onClick={ask}>
        Try again
      </button>
      {isStill.value ? <p class="hint bad">It is still not allowed. Change the setting above, then reload the page.</p> : null}
    </section>
  );
}

const HOW: Record<BrowserName, string> = {
  safari:
    "On iPhone and iPad: Settings, Privacy & Security, Location Services, Safari Websites: While Using the App, with Precise Location. Then tap the page icon beside the address, Website Settings, Location: Allow.",
  firefox: "Tap the lock beside the address and remove the block on Location. On Android also allow Location for Firefox in Settings, Apps.",
  samsung: "Tap the lock beside the address, Permissions, Location: Allow. Also allow Location for Samsung Internet in Settings, Apps.",
  chromium:
    "Tap the icon beside the address, Permissions, Location: Allow. On Android also allow Location, with Use precise location, for the browser in Settings, Apps.",
};
