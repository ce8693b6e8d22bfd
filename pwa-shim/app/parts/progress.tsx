// How far everything is on its way to the relay, in one line; and what a person can do if it does not get there.

import type { DriveView, StatusView } from "@tourismo/client";

import { give } from "../engine.ts";
import { wordsOfProgress } from "../words.ts";
import { State } from "./badge.tsx";

export function Progress({ status, drives }: { status: StatusView; drives: readonly DriveView[] }) {
  const words = wordsOfProgress(status, drives);
  return (
    <div class={`progress ${words.tone === "bad" ? "stuck" : ""}`} data-testid="progress">
      <State words={words} />
      {status.link.type === "rejected" ? <TryAgain /> : null}
    </div>
  );
}

/** For a phone that the relay sent away, which does not come back by itself. */
export function TryAgain() {
  return (
    <button type="button" class="button" onClick={() => void give((tourismo) => tourismo.reconnect())}>
      Try again
    </button>
  );
}
