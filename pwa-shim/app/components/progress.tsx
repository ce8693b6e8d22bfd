// The progress of sync in one line, and a button to try again if the server rejected this device.

import type { DriveView, Status } from "@tourismo/client";

import { run } from "../engine.ts";
import { describeProgress } from "../messages.ts";
import { StatusMessage } from "./badge.tsx";

export function Progress({ status, drives }: { status: Status; drives: readonly DriveView[] }) {
  const message = describeProgress(status, drives);
  return (
    <div class={`progress ${message.tone === "bad" ? "stuck" : ""}`} data-testid="progress">
      <StatusMessage message={message} />
      {status.link.type === "rejected" ? <TryAgain /> : null}
    </div>
  );
}

/** Reconnects. A rejected device does not reconnect by itself. */
export function TryAgain() {
  return (
    <button type="button" class="button" onClick={() => void run((tourismo) => tourismo.reconnect())}>
      Try again
    </button>
  );
}
