// Meets: the user's own and those answered, those nearby, and all.

import { useSignal } from "@preact/signals";
import type { Meet } from "@tourismo/client";
import { PlusIcon } from "../components/icons.tsx";
import { MeetRow } from "../components/meet-row.tsx";
import { ListEnd, StaleNotice } from "../components/query-status.tsx";
import { Segments } from "../components/segments.tsx";
import { approximatePosition } from "../current-position.ts";
import { account, me, meets, relay } from "../engine.ts";
import { withOwnMeets } from "../optimistic.ts";
import { useRelayList, useRelayQuery } from "../relay-query.ts";
import { href } from "../route.ts";

const NEAR_M = 100_000;

export function MeetsScreen() {
  const chosen = useSignal<"mine" | "near" | "all">("mine");
  return (
    <section class="page">
      <header class="page-head">
        <h1>Meets</h1>
        <a class="button small primary" href={href({ screen: "newMeet" })}>
          <PlusIcon /> New
        </a>
      </header>
      <Segments
        label="Which meets"
        segments={[
          { value: "mine", label: "Yours" },
          { value: "near", label: "Near you" },
          { value: "all", label: "All" },
        ]}
        chosen={chosen.value}
        onChoose={(value) => (chosen.value = value)}
      />
      {chosen.value === "mine" ? <Mine /> : chosen.value === "near" ? <Near /> : <Listed />}
    </section>
  );
}

function Mine() {
  const id = account.value?.account;
  return id === undefined ? <p class="opening">Opening…</p> : <MineOf key={id} />;
}

/** The user's own meets come from this phone, those of others from the relay. */
function MineOf() {
  const { data, failed } = useRelayQuery("meets of mine", () => relay.meetsOfMine());
  const { coming, past } = withOwnMeets(data?.meets ?? [], data?.fetchedAt ?? 0, meets.value, me(), Date.now());
  return (
    <>
      <StaleNotice meta={data} />
      {!data && failed !== undefined ? <p class="age">No connection: only your own meets are shown.</p> : null}
      {coming.length + past.length === 0 ? (
        <div class="empty">
          <p>No meets yet.</p>
          <p class="hint">Create one with New, or find one nearby.</p>
        </div>
      ) : null}
      <MeetList meets={coming} />
      {past.length > 0 ? <h2>Past</h2> : null}
      <MeetList meets={past} />
    </>
  );
}

function MeetList({ meets: shown }: { meets: Meet[] }) {
  return (
    <ul class="list cards">
      {shown.map((meet) => (
        <li key={meet.id}>
          <MeetRow meet={meet} />
        </li>
      ))}
    </ul>
  );
}

function Near() {
  const place = useSignal<[number, number] | undefined>(undefined);
  const failed = useSignal<string | undefined>(undefined);
  async function find(): Promise<void> {
    const found = await approximatePosition();
    if (Array.isArray(found)) place.value = found;
    else failed.value = found.failed;
  }
  if (place.value) return <Listed near={place.value} />;
  return (
    <div class="empty">
      <p>
        {failed.value ??
          "To find meets nearby, the app sends your position to the server, rounded to about a kilometre. The server does not store it."}
      </p>
      <button type="button" class="button primary" onClick={() => void find()}>
        Find meets nearby
      </button>
    </div>
  );
}

function Listed({ near }: { near?: [number, number] }) {
  // Rounded to the hour, so that the address stays the same and the kept answer is found without signal.
  const from = Math.floor(Date.now() / 3_600_000) * 3_600_000 - 6 * 3_600_000;
  const list = useRelayList(`meets ${near?.join() ?? "all"}`, async (page) => {
    const { meets: items, ...rest } = await relay.meets({ ...page, from, ...(near ? { near, radiusM: NEAR_M } : {}) });
    return { ...rest, items };
  });
  return (
    <>
      <StaleNotice meta={list.meta} />
      <MeetList meets={list.items} />
      <ListEnd list={list} empty="No meets found." older="Later meets" />
    </>
  );
}
