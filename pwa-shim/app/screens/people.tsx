// People: search by handle, requests to follow, followed and blocked people.

import { useSignal } from "@preact/signals";
import type { AccountId, Person } from "@tourismo/client";
import { useEffect } from "preact/hooks";
import { BackIcon } from "../components/icons.tsx";
import { PersonLink } from "../components/person.tsx";
import { ListEnd, StaleNotice } from "../components/query-status.tsx";
import { account, me, relay, run, social } from "../engine.ts";
import { day } from "../format.ts";
import { useRelayList, useRelayQuery } from "../relay-query.ts";
import { href } from "../route.ts";

/** Delay of the search after the last keystroke. */
const TYPING_MS = 250;

export function PeopleScreen() {
  const wanted = useSignal("");
  const prefix = useDebounced(wanted.value.trim().replace(/^@/, ""));
  return (
    <section class="page">
      <a class="back" href={href({ screen: "feed" })}>
        <BackIcon /> Discover
      </a>
      <header class="page-head">
        <h1>People</h1>
        {account.value ? (
          <a class="button small" href={href({ screen: "followers", name: account.value.account })}>
            Your followers
          </a>
        ) : null}
      </header>
      <label class="field">
        <span>Find people by handle</span>
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
  const list = useRelayList(`search ${prefix}`, async (page) => {
    const { people, ...rest } = await relay.search(prefix, page);
    return { ...rest, items: people };
  });
  return (
    <>
      <StaleNotice meta={list.meta} />
      <ul class="list cards">
        {list.items.map((person) => (
          <li key={person.account}>
            <PersonLink person={person}>
              <FollowButton person={person} />
            </PersonLink>
          </li>
        ))}
      </ul>
      <ListEnd list={list} empty="No handle starts with this." older="More people" />
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
      {follows.length === 0 ? (
        <p class="hint">Nobody yet. Drives and meets of people you follow appear under Discover, Following.</p>
      ) : null}
      <ul class="list cards">
        {follows.map(({ account: id, since }) => (
          <li key={id}>
            <KnownPerson id={id} detail={`since ${day(since)}`} />
          </li>
        ))}
      </ul>
      {blocked.length > 0 ? <h2>Blocked</h2> : null}
      <ul class="list cards">
        {blocked.map((id) => (
          <li key={id}>
            <PersonLink person={{ account: id, handle: null, displayName: "Blocked account" }}>
              <button type="button" class="button small" onClick={() => void run((tourismo) => tourismo.unblock(id))}>
                Unblock
              </button>
            </PersonLink>
          </li>
        ))}
      </ul>
    </>
  );
}

/** A person of whom this phone knows only the account. */
function KnownPerson({ id, detail }: { id: AccountId; detail: string }) {
  const { data } = useRelayQuery(`person ${id}`, () => relay.person(id));
  const person = data ?? { account: id, handle: null, displayName: "A driver" };
  return (
    <PersonLink person={person} detail={detail}>
      <FollowButton person={person} />
    </PersonLink>
  );
}

/** Requests to follow: if the profile asks for approval, or if the person was blocked once. */
function Requests() {
  const list = useRelayList("requests", async (page) => {
    const { people, ...rest } = await relay.requests(page);
    return { ...rest, items: people };
  });
  const accepted = social.value?.accepted ?? [];
  const asking = list.items.filter((person) => !accepted.includes(person.account));
  if (asking.length === 0) return null;
  return (
    <>
      <h2>Follow requests</h2>
      <StaleNotice meta={list.meta} />
      <ul class="list cards">
        {asking.map((person) => (
          <li key={person.account}>
            <PersonLink person={person}>
              <button
                type="button"
                class="button small primary"
                onClick={() => void run((tourismo) => tourismo.acceptFollower(person.account))}
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
    void run((tourismo) => (follows ? tourismo.unfollow(person.account) : tourismo.follow(person.account)));
  return (
    <button type="button" class={follows ? "button small" : "button small primary"} aria-pressed={follows} onClick={toggle}>
      {follows ? "Following" : "Follow"}
    </button>
  );
}

/** The value after it has not changed for a moment. */
function useDebounced(value: string): string {
  const settled = useSignal(value);
  useEffect(() => {
    const timer = setTimeout(() => (settled.value = value), TYPING_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return settled.value;
}
