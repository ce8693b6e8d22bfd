// Keeps the app on the device: registers the service worker and offers new versions.

import { signal } from "@preact/signals";

/** The service worker of a new version that waits to take over. */
const waiting = signal<ServiceWorker | undefined>(undefined);

/** Whether a new version is ready. */
export function hasNewVersion(): boolean {
  return waiting.value !== undefined;
}

/** Reloads the page with the new version. Must not be called while a drive is recorded. */
export function switchVersion(): void {
  navigator.serviceWorker.addEventListener("controllerchange", () => location.reload(), { once: true });
  waiting.value?.postMessage("activate");
}

export function registerShell(): void {
  // The development server serves changed files at once.
  if (!import.meta.env.PROD || !("serviceWorker" in navigator)) return;
  navigator.serviceWorker.register("/sw.js", { updateViaCache: "none" }).then(watch, () => {
    // Without a service worker the app needs a connection to open.
  });
}

function watch(registration: ServiceWorkerRegistration): void {
  const check = (worker: ServiceWorker | null): void => {
    // The first version replaces nothing.
    if (worker?.state === "installed" && navigator.serviceWorker.controller) waiting.value = worker;
  };
  check(registration.waiting);
  registration.addEventListener("updatefound", () => {
    const { installing } = registration;
    installing?.addEventListener("statechange", () => check(installing));
  });
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") registration.update().catch(() => {});
  });
}
