// Who besides its owner may change a meet. Granting works with no signal; to find somebody by handle needs it.

import { useSignal } from "@preact/signals";
import type { AccountId, DocId } from "@tourismo/client";

import { give, me, relay } from "../engine.ts";
import { useTold } from "../told.ts";
import { wordsOfError } from "../words.ts";
import { PersonLink } from "./person.tsx";

export function Organisers({ meet, organisers }: { meet: DocId; organisers: AccountId[] }) {
  const handle = useSignal("");
  const failed = useSignal<string | undefined>(undefined);

  async function add(event: Event): Promise<void> {
    event.preventDefault();
    try {
      const { account } = await relay.person(handle.value.trim().replace(/^@/, ""));
      if (account === me().account) failed.value = "It is your own meet: you may change it anyway.";
      else {
        await give((tourismo) => tourismo.grantOrganiser(meet, account, true));
        failed.value = undefined;
        handle.value = "";
      }
    } catch (thrown) {
      failed.value = wordsOfError(thrown);
    }
  }

  return (
    <section class="card comments" aria-label="Who else may change it">
      <h2>Who else may change it</h2>
      {organisers.length === 0 ? <p class="hint">Nobody yet.</p> : null}
      <ul class="list">
        {organisers.map((account) => (
          <li key={account}>
            <Organiser account={account} onRemove={() => void give((tourismo) => tourismo.grantOrganiser(meet, account, false))} />
          </li>
        ))}
      </ul>
      <form class="say" onSubmit={(event) => void add(event)}>
        <input
          type="text"
          aria-label="Their handle"
          placeholder="Their handle"
          autocapitalize="none"
          maxLength={31}
          value={handle.value}
          onInput={(event) => (handle.value = event.currentTarget.value)}
        />
        <button type="submit" class="button" disabled={handle.value.trim() === ""}>
          Allow
        </button>
      </form>
      {failed.value === undefined ? null : <p class="hint bad">{failed.value}</p>}
    </section>
  );
}

function Organiser({ account, onRemove }: { account: AccountId; onRemove: () => void }) {
  const { told } = useTold(`person ${account}`, () => relay.person(account));
  return (
    <PersonLink person={told ?? { account, handle: null, displayName: null }}>
      <button type="button" class="button small" onClick={onRemove}>
        Remove
      </button>
    </PersonLink>
  );
}
