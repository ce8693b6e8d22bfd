// Events of a page for the engine: it is hidden or shown, the network is lost or back.
//
// A phone may end a hidden page without notice, so that hiding is reported at once. Pages report the network, since not every
// browser has these events in workers.

import type { Tourismo } from "./client.ts";
import type { PageInput } from "./messages.ts";

/** Reports events to the engine until the returned function is called. */
export function attachPage(tourismo: Tourismo): () => void {
  const listening = new AbortController();
  const { signal } = listening;
  const tell = (input: PageInput): void => {
    // The engine has ended: `onFailed` reports it.
    tourismo.tell(input).catch(() => {});
  };
  const onVisibility = (): void => tell({ type: document.visibilityState === "visible" ? "shown" : "hidden" });
  document.addEventListener("visibilitychange", onVisibility, { signal });
  document.addEventListener("freeze", () => tell({ type: "hidden" }), { signal });
  addEventListener("pagehide", () => tell({ type: "hidden" }), { signal });
  addEventListener("online", () => tell({ type: "network", online: true }), { signal });
  addEventListener("offline", () => tell({ type: "network", online: false }), { signal });
  return () => listening.abort();
}
