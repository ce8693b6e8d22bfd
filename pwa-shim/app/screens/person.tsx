// The profile of a person: name, cars, drives.

import type { PersonPage } from "@tourismo/client";
import { carDetails, carName } from "../car-name.ts";
import { BackIcon, CarIcon } from "../components/icons.tsx";
import { nameOfPerson } from "../components/person.tsx";
import { ListEnd, StaleNotice } from "../components/query-status.tsx";
import { ReportButton } from "../components/report.tsx";
import { me, relay, run, social } from "../engine.ts";
import { useRelayList, useRelayQuery } from "../relay-query.ts";
import { href } from "../route.ts";
import { FeedCard } from "./feed.tsx";
import { FollowButton } from "./people.tsx";

export function PersonScreen({ name }: { name: string }) {
  const { data, failed } = useRelayQuery(`person ${name}`, () => relay.person(name));
  return (
    <section class="page">
      <a class="back" href={href({ screen: "people" })}>
        <BackIcon /> People
      </a>
      <StaleNotice meta={data} />
      {data ? <Shown person={data} /> : <p class="opening">{failed ?? "Loading…"}</p>}
    </section>
  );
}

function Shown({ person }: { person: PersonPage }) {
  const isMe = person.account === me().account;
  const isBlocked = social.value?.blocked.includes(person.account) ?? false;
  return (
    <>
      <header class="page-head person-head">
        <div>
          <h1>{nameOfPerson(person)}</h1>
          <p class="row-line">{person.handle ? `@${person.handle}` : ""}</p>
        </div>
        {isBlocked ? null : <FollowButton person={person} />}
      </header>
      {person.bio ? <p class="text">{person.bio}</p> : null}
      <PendingNote person={person} />
      <nav class="choices" aria-label="Follows">
        <a class="button small" href={href({ screen: "followers", name: person.handle || person.account })}>
          Followers
        </a>
        <a class="button small" href={href({ screen: "following", name: person.handle || person.account })}>
          Following
        </a>
        {isMe || !me().account ? null : (
          <a class="button small" href={href({ screen: "inCommon", name: person.handle || person.account })}>
            In common
          </a>
        )}
      </nav>
      {isMe ? (
        <a class="button" href={href({ screen: "settings" })}>
          Edit your profile
        </a>
      ) : null}
      <Cars name={person.account} />
      <h2>Drives</h2>
      <Drives name={person.account} />
      {isMe ? null : <BlockButton person={person} isBlocked={isBlocked} />}
      {isMe ? null : <ReportButton about={{ target: "person", id: person.account }} />}
    </>
  );
}

/** Says that the person has not accepted the user yet. */
function PendingNote({ person }: { person: PersonPage }) {
  const follows = social.value?.follows.some(({ account }) => account === person.account) ?? false;
  if (!follows || !person.byApproval || person.isAccepted) return null;
  return <p class="hint">This person approves followers and has not accepted you yet.</p>;
}

function Cars({ name }: { name: string }) {
  const { data } = useRelayQuery(`cars ${name}`, () => relay.carsOf(name));
  if (!data || data.cars.length === 0) return null;
  return (
    <>
      <h2>Garage</h2>
      <ul class="list cards">
        {data.cars.map((car) => (
          <li key={car.id} class="row still">
            <CarIcon />
            <div class="row-main">
              <h2>{carName(car)}</h2>
              <p class="row-line">{carDetails(car)}</p>
            </div>
          </li>
        ))}
      </ul>
    </>
  );
}

function Drives({ name }: { name: string }) {
  const list = useRelayList(`drives ${name}`, async (page) => {
    const { drives, ...rest } = await relay.drivesOf(name, page);
    return { ...rest, items: drives };
  });
  return (
    <>
      <ul class="list cards">
        {list.items.map((drive) => (
          <li key={drive.id}>
            <FeedCard drive={drive} />
          </li>
        ))}
      </ul>
      <ListEnd list={list} empty="No drives that you can see." older="Older drives" />
    </>
  );
}

function BlockButton({ person, isBlocked }: { person: PersonPage; isBlocked: boolean }) {
  const name = nameOfPerson(person);
  function toggle(): void {
    const question = `Block ${name}?\n\n${effectsOfBlock().join("\n\n")}`;
    if (isBlocked) void run((tourismo) => tourismo.unblock(person.account));
    else if (confirm(question)) void run((tourismo) => tourismo.block(person.account));
  }
  return (
    <>
      <button type="button" class="button quiet danger" onClick={toggle}>
        {isBlocked ? "Unblock" : "Block"}
      </button>
      {isBlocked ? (
        <div class="hint" data-testid="block-effects">
          {effectsOfBlock().map((effect) => (
            <p key={effect}>{effect}</p>
          ))}
          <p>After you unblock them, they see what you share with followers only once they follow you and you accept them.</p>
        </div>
      ) : null}
    </>
  );
}

/** The effects of a block, and its limits. */
function effectsOfBlock(): string[] {
  return [
    "You do not see their drives, meets and comments, and you stop following each other.",
    "They do not see what you share with followers. They still see what needs no account: your public drives and meets, those whose link they know, and your profile.",
    "Only they see their comments on your drives and meets. They can read your comments on drives of others.",
    "They are not notified. They can find out by looking at your drives without an account.",
  ];
}
