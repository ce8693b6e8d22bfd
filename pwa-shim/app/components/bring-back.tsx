// Brings an account to this empty device, with its recovery words or a passkey.

import { useSignal } from "@preact/signals";
import { type AccountId, mayHavePasskeys, readPasskey, type WrongWords } from "@tourismo/client";

import { relay, run, succeeds } from "../engine.ts";
import { day } from "../format.ts";
import { describeError, describeWrongWords } from "../messages.ts";
import { go } from "../route.ts";
import { showNotice } from "./notice.tsx";
import { QrScanner } from "./qr-scanner.tsx";

export function BringBack() {
  const text = useSignal("");
  const wrong = useSignal<WrongWords | string | undefined>(undefined);
  const isBusy = useSignal(false);

  async function whileBusy(task: () => Promise<void>): Promise<void> {
    isBusy.value = true;
    wrong.value = undefined;
    try {
      await task();
    } catch (thrown) {
      const code = typeof thrown === "object" && thrown !== null && "code" in thrown ? thrown.code : undefined;
      wrong.value = code === "not_on_relay" ? `No account at ${location.host} has this recovery key.` : describeError(thrown);
    } finally {
      isBusy.value = false;
    }
  }

  async function withWords(): Promise<void> {
    const read = await run((tourismo) => tourismo.readRecoveryWords(text.value));
    if (!read) return;
    if ("wrong" in read) wrong.value = read.wrong;
    else await enter(read.secret, read.lookup);
  }

  async function withPasskey(): Promise<void> {
    const { account, secret } = await readPasskey();
    const lookup = await run((tourismo) => tourismo.recoveryLookup(secret));
    if (lookup !== undefined) await enter(secret, lookup, account);
  }

  /** `wanted` is the account if it is known. */
  async function enter(secret: Uint8Array, lookup: string, wanted?: AccountId): Promise<void> {
    const { items } = await relay.recoverableAccounts(lookup);
    const found = items.find(({ account }) => wanted === undefined || account === wanted);
    if (!found) return void (wrong.value = `No account at ${location.host} has this recovery key.`);
    if (found.from !== null) return void (wrong.value = `This becomes valid on ${day(found.from)}. Try again then.`);
    if (!(await succeeds((tourismo) => tourismo.recoverAccount(found.account, secret)))) return;
    showNotice("Your account is here. Your drives are coming as fast as the signal allows.");
    go({ screen: "drives" });
  }

  return (
    <form
      class="card form"
      data-testid="bring-back"
      onSubmit={(event) => {
        event.preventDefault();
        void whileBusy(withWords);
      }}
    >
      <h2>Bring an account back</h2>
      <p class="hint">
        If your phone is lost, type the twelve recovery words from your paper, or scan its code. All your drives come to this
        phone.
      </p>
      <label class="field">
        <span>Recovery words</span>
        <textarea
          name="words"
          rows={3}
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          value={text.value}
          onInput={(event) => (text.value = event.currentTarget.value)}
        />
      </label>
      {wrong.value === undefined ? null : (
        <p class="hint bad" role="alert">
          {typeof wrong.value === "string" ? wrong.value : describeWrongWords(wrong.value)}
        </p>
      )}
      <div class="controls">
        <QrScanner onFound={(words) => (text.value = words)} />
        {mayHavePasskeys() ? (
          <button type="button" class="button" disabled={isBusy.value} onClick={() => void whileBusy(withPasskey)}>
            Use a passkey
          </button>
        ) : null}
        <button type="submit" class="button primary" disabled={isBusy.value || text.value.trim() === ""}>
          Bring it back
        </button>
      </div>
    </form>
  );
}
