// What happens to a page and concerns the engine: it is hidden or shown, the network goes or comes.
//
// A phone may end a hidden page without another word, so that hiding is told at once. The network is told by pages rather
// than watched by the worker: not every browser tells its workers.

import type { Tourismo } from "./client.ts";
import type { PageInput } from "./messages.ts";

/** Tells the engine until the returned function is called. */
export function attachPage(tourismo: Tourismo): () => void {
  const listening = new AbortController();
  const { signal } = listening;
  const tell = (input: PageInput): void => {
    // Who uses the engine learns from `onFailed` that there is none any more.
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
