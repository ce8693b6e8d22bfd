// A report to the operators of the server: a reason, and a text if the user likes.

import { useSignal } from "@preact/signals";
import type { Report, ReportReason } from "@tourismo/client";
import { relay } from "../engine.ts";
import { describeError, describeReportReason } from "../messages.ts";
import { showNotice } from "./notice.tsx";

const REASONS: ReportReason[] = ["spam", "harassment", "danger", "private", "illegal", "other"];

/** A button that opens the form for a report about one thing. */
export function ReportButton({ about }: { about: Omit<Report, "reason" | "text"> }) {
  const isOpen = useSignal(false);
  const reason = useSignal<ReportReason>("spam");
  const text = useSignal("");
  const isSending = useSignal(false);

  async function send(event: Event): Promise<void> {
    event.preventDefault();
    isSending.value = true;
    try {
      await relay.report({ ...about, reason: reason.value, text: text.value });
      isOpen.value = false;
      text.value = "";
      showNotice("Reported. The operators of this server will look at it.");
    } catch (thrown) {
      showNotice(describeError(thrown));
    } finally {
      isSending.value = false;
    }
  }

  if (!isOpen.value) {
    return (
      <button type="button" class="link" data-testid="report" onClick={() => void (isOpen.value = true)}>
        Report
      </button>
    );
  }
  return (
    <form class="card form" aria-label="Report" onSubmit={(event) => void send(event)}>
      <label class="field">
        <span>What is wrong?</span>
        <select
          name="reason"
          value={reason.value}
          onChange={(event) => void (reason.value = reasonIn(event.currentTarget.value))}
        >
          {REASONS.map((one) => (
            <option key={one} value={one}>
              {describeReportReason(one)}
            </option>
          ))}
        </select>
      </label>
      <label class="field">
        <span>More about it (optional)</span>
        <textarea
          name="text"
          rows={3}
          maxLength={1_000}
          value={text.value}
          onInput={(event) => void (text.value = event.currentTarget.value)}
        />
      </label>
      <p class="hint">The operators of this server read it. The person you report does not learn who reported it.</p>
      <div class="choices">
        <button type="submit" class="button" disabled={isSending.value}>
          Send
        </button>
        <button type="button" class="button quiet" onClick={() => void (isOpen.value = false)}>
          Cancel
        </button>
      </div>
    </form>
  );
}

function reasonIn(value: string): ReportReason {
  return REASONS.find((reason) => reason === value) ?? "other";
}
