// People: found by handle, followed, asking to follow, blocked.

import { useSignal } from "@preact/signals";
import type { AccountId, Person } from "@tourismo/client";
import { useEffect } from "preact/hooks";

import { account, give, me, relay, social } from "../engine.ts";
import { day } from "../format.ts";
import { BackIcon } from "../parts/icons.tsx";
import { PersonLink } from "../parts/person.tsx";
import { Age, ListEnd } from "../parts/told.tsx";
import { href } from "../route.ts";
import { useTold, useToldList } from "../told.ts";

/** How long to wait for another letter. */
const TYPING_MS = 250;

export function PeopleScreen() {
  const wanted = useSignal("");
  const prefix = useSettled(wanted.value.trim().replace(/^@/, ""));
  return (
    <section class="page">
      <a class="back" href={href({ screen: "feed" })}>
        <BackIcon /> Discover
      </a>
      <header class="page-head">
        <h1>People</h1>
        {account.value ? (
          <a class="button small" href={href({ screen: "followers", name: account.value.account })}>
            Who follows you
          </a>
        ) : null}
      </header>
      <label class="field">
        <span>Find somebody by their handle</span>
        <input
          type="text"
          autocapitalize="none"
          maxLength={30}
          placeholder="dan"
          value={wanted.value}
          onInput={(event) => (wanted.value = event.currentTarget.value)}
        />
      </label>
      {prefix === "" ? <Known /> : <Found key={prefix} prefix={prefix} />}
    </section>
  );
}

function Found({ prefix }: { prefix: string }) {
  const list = useToldList(`search ${prefix}`, async (page) => {
    const { people, ...rest } = await relay.search(prefix, page);
    return { ...rest, items: people };
  });
  return (
    <>
      <Age told={list.told} />
      <ul class="list cards">
        {list.items.map((person) => (
          <li key={person.account}>
            <PersonLink person={person}>
              <FollowButton person={person} />
            </PersonLink>
          </li>
        ))}
      </ul>
      <ListEnd list={list} empty="Nobody's handle begins like that." older="More people" />
    </>
  );
}

function Known() {
  if (social.value === undefined || account.value === undefined) return <p class="opening">Opening…</p>;
  const { follows, blocked } = social.value;
  return (
    <>
      <Requests />
      <h2>You follow</h2>
      {follows.length === 0 ? <p class="hint">Nobody yet. Their drives and meets would be under Discover, Following.</p> : null}
      <ul class="list cards">
        {follows.map(({ account: id, since }) => (
          <li key={id}>
            <KnownPerson id={id} detail={`since ${day(since)}`} />
          </li>
        ))}
      </ul>
      {blocked.length > 0 ? <h2>You block</h2> : null}
      <ul class="list cards">
        {blocked.map((id) => (
          <li key={id}>
            <PersonLink person={{ account: id, handle: null, displayName: "Somebody you block" }}>
              <button type="button" class="button small" onClick={() => void give((tourismo) => tourismo.unblock(id))}>
                Unblock
              </button>
            </PersonLink>
          </li>
        ))}
      </ul>
    </>
  );
}

/** Somebody of whom the phone itself knows only which account it is. */
function KnownPerson({ id, detail }: { id: AccountId; detail: string }) {
  const { told } = useTold(`person ${id}`, () => relay.person(id));
  const person = told ?? { account: id, handle: null, displayName: "A driver" };
  return (
    <PersonLink person={person} detail={detail}>
      <FollowButton person={person} />
    </PersonLink>
  );
}

/** Who asked to follow, where the profile wants to be asked or they were blocked once. */
function Requests() {
  const list = useToldList("requests", async (page) => {
    const { people, ...rest } = await relay.requests(page);
    return { ...rest, items: people };
  });
  const accepted = social.value?.accepted ?? [];
  const asking = list.items.filter((person) => !accepted.includes(person.account));
  if (asking.length === 0) return null;
  return (
    <>
      <h2>They want to follow you</h2>
      <Age told={list.told} />
      <ul class="list cards">
        {asking.map((person) => (
          <li key={person.account}>
            <PersonLink person={person}>
              <button
                type="button"
                class="button small primary"
                onClick={() => void give((tourismo) => tourismo.acceptFollower(person.account))}
              >
                Accept
              </button>
            </PersonLink>
          </li>
        ))}
      </ul>
    </>
  );
}

export function FollowButton({ person }: { person: Person }) {
  if (person.account === me().account) return null;
  const follows = social.value?.follows.some(({ account: id }) => id === person.account) ?? false;
  const toggle = (): void =>
    void give((tourismo) => (follows ? tourismo.unfollow(person.account) : tourismo.follow(person.account)));
  return (
    <button type="button" class={follows ? "button small" : "button small primary"} aria-pressed={follows} onClick={toggle}>
      {follows ? "Following" : "Follow"}
    </button>
  );
}

/** The value once it has stayed the same for a moment. */
function useSettled(value: string): string {
  const settled = useSignal(value);
  useEffect(() => {
    const timer = setTimeout(() => (settled.value = value), TYPING_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return settled.value;
}
