// Co-organisers of a meet. Adding works without signal, except that a handle must be looked up on the server.

import { useSignal } from "@preact/signals";
import type { AccountId, DocId } from "@tourismo/client";

import { me, relay, run } from "../engine.ts";
import { describeError } from "../messages.ts";
import { useRelayQuery } from "../relay-query.ts";
import { PersonLink } from "./person.tsx";

export function Organisers({ meet, organisers }: { meet: DocId; organisers: AccountId[] }) {
  const handle = useSignal("");
  const failed = useSignal<string | undefined>(undefined);

  async function add(event: Event): Promise<void> {
    event.preventDefault();
    try {
      const { account } = await relay.person(handle.value.trim().replace(/^@/, ""));
      if (account === me().account) failed.value = "This is your own meet.";
      else {
        await run((tourismo) => tourismo.grantOrganiser(meet, account, true));
        failed.value = undefined;
        handle.value = "";
      }
    } catch (thrown) {
      failed.value = describeError(thrown);
    }
  }

  return (
    <section class="card comments" aria-label="Co-organisers">
      <h2>Co-organisers</h2>
      <p class="hint">They can change the meet.</p>
      {organisers.length === 0 ? <p class="hint">None yet.</p> : null}
      <ul class="list">
        {organisers.map((account) => (
          <li key={account}>
            <Organiser account={account} onRemove={() => void run((tourismo) => tourismo.grantOrganiser(meet, account, false))} />
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
          Add
        </button>
      </form>
      {failed.value === undefined ? null : <p class="hint bad">{failed.value}</p>}
    </section>
  );
}

function Organiser({ account, onRemove }: { account: AccountId; onRemove: () => void }) {
  const { data } = useRelayQuery(`person ${account}`, () => relay.person(account));
  return (
    <PersonLink person={data ?? { account, handle: null, displayName: null }}>
      <button type="button" class="button small" onClick={onRemove}>
        Remove
      </button>
    </PersonLink>
  );
}
