// The field for an invitation, if the server accepts new accounts by invitation only.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { account, relay, run, status } from "../engine.ts";
import { describeError } from "../messages.ts";
import { showNotice } from "./notice.tsx";

/** Asks for the code while the server refuses this account for want of an invitation. `code` is from a link, and used at once. */
export function Invitation({ code = "" }: { code?: string }) {
  const text = useSignal(code);
  const isSending = useSignal(false);
  const link = status.value?.link;
  const isWanted = link?.type === "rejected" && link.code === "not_invited";
  const id = account.value?.account;

  async function use(): Promise<void> {
    if (id === undefined || text.value.trim() === "") return;
    isSending.value = true;
    try {
      await relay.redeemInvitation(text.value, id);
      await run((tourismo) => tourismo.reconnect());
      showNotice("Welcome. Your drives are on their way to the server.");
    } catch (thrown) {
      showNotice(describeError(thrown));
    } finally {
      isSending.value = false;
    }
  }

  useEffect(() => {
    if (code === "" || !isWanted || id === undefined) return;
    // The page may have been open, with an empty field, before the link came.
    text.value = code;
    void use();
  }, [code, isWanted, id]);

  if (!isWanted) return null;
  return (
    <form
      class="card form"
      aria-label="Invitation"
      onSubmit={(event) => {
        event.preventDefault();
        void use();
      }}
    >
      <label class="field">
        <span>Invitation</span>
        <input
          type="text"
          name="invitation"
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          placeholder="xxxx-xxxx-xxxx"
          maxLength={40}
          value={text.value}
          onInput={(event) => void (text.value = event.currentTarget.value)}
        />
      </label>
      <p class="hint">
        This server accepts new accounts by invitation only. Ask its operator for one. Until then your drives stay on this phone.
      </p>
      <button type="submit" class="button" disabled={isSending.value || text.value.trim() === ""}>
        Use it
      </button>
    </form>
  );
}
