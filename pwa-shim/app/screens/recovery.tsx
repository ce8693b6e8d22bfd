// The recovery keys of the account: twelve words, and passkeys.

import { useSignal } from "@preact/signals";
import { createPasskey, mayHavePasskeys, type RecoveryView } from "@tourismo/client";

import { BackIcon } from "../components/icons.tsx";
import { showNotice } from "../components/notice.tsx";
import { QrCode } from "../components/qr-code.tsx";
import { account, members, run, succeeds } from "../engine.ts";
import { day } from "../format.ts";
import { href } from "../route.ts";

export function RecoveryScreen() {
  if (!account.value || !members.value) return <p class="opening">Opening…</p>;
  const { recovery } = members.value;
  const usable = recovery.filter(({ state }) => state.type !== "objected" && state.type !== "revoked");
  return (
    <section class="page recovery-page">
      <a class="back" href={href({ screen: "devices" })}>
        <BackIcon /> Your devices
      </a>
      <header class="page-head">
        <h1>Recovery</h1>
      </header>
      <p class="lead">
        Twelve words bring all your drives to a new phone if this one is lost. Write them on paper and keep the paper at home.
        They are not stored anywhere. A passkey does the same where you sign in to your passkeys.
      </p>
      {usable.length > 0 ? (
        <div class="card form" data-testid="recovery-keys">
          <h2>Recovery keys of this account</h2>
          <ul class="plain">
            {usable.map((key) => (
              <RecoveryKeyItem key={key.key} view={key} />
            ))}
          </ul>
        </div>
      ) : null}
      <NewWords isFirst={usable.length === 0} />
      {mayHavePasskeys() ? <NewPasskey isFirst={usable.length === 0} /> : null}
    </section>
  );
}

function RecoveryKeyItem({ view }: { view: RecoveryView }) {
  const byThis = view.by === account.value?.device;
  const isPending = view.state.type === "pending" || view.state.type === "unsent";
  return (
    <li data-testid="recovery-key">
      <strong>Recovery key {view.key.slice(0, 6)}</strong> · {describeState(view)}
      {byThis ? " Added on this device." : " Added on another device."}
      {isPending && !byThis ? (
        <>
          {" "}
          If that was not you, object now: it then never becomes valid.
          <button type="button" class="button" onClick={() => void object(view.key)}>
            Object
          </button>
        </>
      ) : null}
    </li>
  );
}

function describeState({ state }: RecoveryView): string {
  switch (state.type) {
    case "effective":
      return "Valid.";
    case "pending":
      return `Valid from ${day(state.until)} on, unless one of your devices objects.`;
    case "unsent":
      return "Valid once this phone has a connection to the server.";
    case "objected":
      return "A device objected to it.";
    case "revoked":
      return "Removed.";
    default:
      return state satisfies never;
  }
}

async function object(key: string): Promise<void> {
  if (await succeeds((tourismo) => tourismo.objectToRecovery(key))) showNotice("This recovery key will not become valid.");
}

/** The places of the words that the user types to confirm that they are on paper. */
const CONFIRMED = [2, 8];

function NewWords({ isFirst }: { isFirst: boolean }) {
  const made = useSignal<{ secret: Uint8Array; words: string[] } | undefined>(undefined);
  const isWritten = useSignal(false);
  const typed = useSignal<string[]>(CONFIRMED.map(() => ""));

  async function make(): Promise<void> {
    made.value = await run((tourismo) => tourismo.newRecoveryWords());
  }

  async function confirm(secret: Uint8Array, words: string[]): Promise<void> {
    const isRight = CONFIRMED.every((place, i) => typed.value[i]?.trim().toLowerCase() === words[place]);
    if (!isRight) return showNotice("These are not the words at those places. Look at the paper again.");
    if (!(await succeeds((tourismo) => tourismo.enrolRecovery(secret)))) return;
    made.value = undefined;
    isWritten.value = false;
    showNotice("The words are saved with your account.");
  }

  if (!made.value) {
    return (
      <div class="card form">
        <h2>{isFirst ? "Get your words" : "Get new words"}</h2>
        {isFirst ? null : (
          <p class="hint">Earlier words stay valid. New ones become valid after a week, unless one of your devices objects.</p>
        )}
        <div class="controls">
          <button type="button" class="button primary" onClick={() => void make()} data-testid="make-words">
            Show twelve words
          </button>
        </div>
      </div>
    );
  }
  const { secret, words } = made.value;
  if (!isWritten.value) {
    return (
      <div class="card form recovery-sheet" data-testid="recovery-sheet">
        <h2>Tourismo recovery words</h2>
        <p>
          Account {account.value?.profile.handle ? `@${account.value.profile.handle}` : account.value?.account} at {location.host}
        </p>
        <ol class="recovery-words">
          {words.map((word, place) => (
            <li key={place}>{word}</li>
          ))}
        </ol>
        <QrCode link={words.join(" ")} label="The words as QR code" />
        <p class="hint">
          To use them: open {location.host} on the new phone, then You, Your devices, Bring an account back. Whoever has these
          words has your account. Do not photograph them.
        </p>
        <div class="controls">
          <button type="button" class="button" onClick={() => print()}>
            Print
          </button>
          <button type="button" class="button primary" onClick={() => (isWritten.value = true)}>
            I wrote them down
          </button>
        </div>
      </div>
    );
  }
  return (
    <form
      class="card form"
      data-testid="confirm-words"
      onSubmit={(event) => {
        event.preventDefault();
        void confirm(secret, words);
      }}
    >
      <h2>Check your paper</h2>
      {CONFIRMED.map((place, i) => (
        <label class="field" key={place}>
          <span>Word {place + 1}</span>
          <input
            type="text"
            autocomplete="off"
            autocapitalize="none"
            spellcheck={false}
            value={typed.value[i]}
            onInput={({ currentTarget: { value } }) => (typed.value = typed.value.with(i, value))}
          />
        </label>
      ))}
      <div class="controls">
        <button type="button" class="button" onClick={() => (isWritten.value = false)}>
          Show them again
        </button>
        <button type="submit" class="button primary">
          Save
        </button>
      </div>
    </form>
  );
}

/** Adds a passkey. The browser asks the user. */
function NewPasskey({ isFirst }: { isFirst: boolean }) {
  const isBusy = useSignal(false);
  async function add(): Promise<void> {
    if (!account.value) return;
    const { account: id, profile } = account.value;
    isBusy.value = true;
    const isDone = await succeeds(async (tourismo) =>
      tourismo.enrolRecovery(await createPasskey(id, profile.handle ? `@${profile.handle}` : `Account ${id.slice(0, 8)}`)),
    );
    isBusy.value = false;
    if (isDone) showNotice("The passkey can bring your account back.");
  }
  return (
    <div class="card form">
      <h2>Add a passkey</h2>
      <p class="hint">
        It brings the account back with one tap on a phone that has your passkeys.
        {isFirst ? "" : " It becomes valid after a week, unless one of your devices objects."}
      </p>
      <div class="controls">
        <button type="button" class="button" disabled={isBusy.value} onClick={() => void add()} data-testid="add-passkey">
          Add a passkey
        </button>
      </div>
    </div>
  );
}
