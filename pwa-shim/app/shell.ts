// Keeps the app itself on the phone: registers the service worker and offers a new version when it is there.

import { signal } from "@preact/signals";

/** A new version that waits. */
const waiting = signal<ServiceWorker | undefined>(undefined);

/** Whether a new version can be switched to. */
export function hasNewVersion(): boolean {
  return waiting.value !== undefined;
}

/** Switches to the new version. Never called while a drive is recorded. */
export function switchVersion(): void {
  navigator.serviceWorker.addEventListener("controllerchange", () => location.reload(), { once: true });
  waiting.value?.postMessage("activate");
}

export function registerShell(): void {
  // While developing, files come from the development server.
  if (!import.meta.env.PROD || !("serviceWorker" in navigator)) return;
  navigator.serviceWorker.register("/sw.js", { updateViaCache: "none" }).then(watch, () => {
    // Without it the app works for as long as there is signal.
  });
}

function watch(registration: ServiceWorkerRegistration): void {
  const look = (worker: ServiceWorker | null): void => {
    // The first version of all replaces nothing.
    if (worker?.state === "installed" && navigator.serviceWorker.controller) waiting.value = worker;
  };
  look(registration.waiting);
  registration.addEventListener("updatefound", () => {
    const { installing } = registration;
    installing?.addEventListener("statechange", () => look(installing));
  });
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") registration.update().catch(() => {});
  });
}
