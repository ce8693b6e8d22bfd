// Meets: one's own and those one answered, and those that are near.

import { useSignal } from "@preact/signals";
import type { Meet } from "@tourismo/client";

import { account, me, meets, relay } from "../engine.ts";
import { meetsNow } from "../merge.ts";
import { PlusIcon } from "../parts/icons.tsx";
import { MeetRow } from "../parts/meet-row.tsx";
import { Segments } from "../parts/segments.tsx";
import { Age, ListEnd } from "../parts/told.tsx";
import { whereIAm } from "../place.ts";
import { href } from "../route.ts";
import { useTold, useToldList } from "../told.ts";

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

/** One's own are from the phone's own rows; what is known of those of others is as old as it says. */
function MineOf() {
  const { told, failed } = useTold("meets of mine", () => relay.meetsOfMine());
  const { coming, past } = meetsNow(told?.meets ?? [], told?.toldAt ?? 0, meets.value, me(), Date.now());
  return (
    <>
      <Age told={told} />
      {!told && failed !== undefined ? <p class="age">No signal: your own meets are all here, those of others are not.</p> : null}
      {coming.length + past.length === 0 ? (
        <div class="empty">
          <p>No meets yet.</p>
          <p class="hint">Make one with New, or look for one near you.</p>
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
    const found = await whereIAm();
    if (Array.isArray(found)) place.value = found;
    else failed.value = found.failed;
  }
  if (place.value) return <Listed near={place.value} />;
  return (
    <div class="empty">
      <p>{failed.value ?? "To find meets near you, the relay is told where you are, to about a kilometre. It keeps nothing of it."}</p>
      <button type="button" class="button primary" onClick={() => void find()}>
        Look around me
      </button>
    </div>
  );
}

function Listed({ near }: { near?: [number, number] }) {
  // From the start of the hour, so that what was told an hour ago is found again with no signal.
  const from = Math.floor(Date.now() / 3_600_000) * 3_600_000 - 6 * 3_600_000;
  const list = useToldList(`meets ${near?.join() ?? "all"}`, async (page) => {
    const { meets: items, ...rest } = await relay.meets({ ...page, from, ...(near ? { near, radiusM: NEAR_M } : {}) });
    return { ...rest, items };
  });
  return (
    <>
      <Age told={list.told} />
      <MeetList meets={list.items} />
      <ListEnd list={list} empty="No meets in sight. Make one." older="Later meets" />
    </>
  );
}
