// Somebody, as they show themselves to others: their name, their cars, their drives.

import type { PersonPage } from "@tourismo/client";

import { give, me, relay, social } from "../engine.ts";
import { nameOf, restOf } from "../car-name.ts";
import { BackIcon, CarIcon } from "../parts/icons.tsx";
import { nameOfPerson } from "../parts/person.tsx";
import { Age, ListEnd } from "../parts/told.tsx";
import { href } from "../route.ts";
import { useTold, useToldList } from "../told.ts";
import { FeedCard } from "./feed.tsx";
import { FollowButton } from "./people.tsx";

export function PersonScreen({ name }: { name: string }) {
  const { told, failed } = useTold(`person ${name}`, () => relay.person(name));
  return (
    <section class="page">
      <a class="back" href={href({ screen: "people" })}>
        <BackIcon /> People
      </a>
      <Age told={told} />
      {told ? <Shown person={told} /> : <p class="opening">{failed ?? "Asking the relay…"}</p>}
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
          <p class="row-line">
            {person.handle ? `@${person.handle}` : ""}
          </p>
        </div>
        {isBlocked ? null : <FollowButton person={person} />}
      </header>
      {person.bio ? <p class="said">{person.bio}</p> : null}
      <Standing person={person} />
      <nav class="choices" aria-label="Follows">
        <a class="button small" href={href({ screen: "followers", name: person.handle || person.account })}>
          Followers
        </a>
        <a class="button small" href={href({ screen: "following", name: person.handle || person.account })}>
          Following
        </a>
        {isMe || !me().account ? null : (
          <a class="button small" href={href({ screen: "in-common", name: person.handle || person.account })}>
            In common
          </a>
        )}
      </nav>
      {isMe ? (
        <a class="button" href={href({ screen: "settings" })}>
          Change how others see you
        </a>
      ) : null}
      <Cars name={person.account} />
      <h2>Drives</h2>
      <Drives name={person.account} />
      {isMe ? null : <BlockButton person={person} isBlocked={isBlocked} />}
    </>
  );
}

/** What the button does not say. */
function Standing({ person }: { person: PersonPage }) {
  const follows = social.value?.follows.some(({ account }) => account === person.account) ?? false;
  if (!follows || !person.byApproval || person.isAccepted) return null;
  return <p class="hint">They accept followers one by one, and have not accepted you yet.</p>;
}

function Cars({ name }: { name: string }) {
  const { told } = useTold(`cars ${name}`, () => relay.carsOf(name));
  if (!told || told.cars.length === 0) return null;
  return (
    <>
      <h2>Garage</h2>
      <ul class="list cards">
        {told.cars.map((car) => (
          <li key={car.id} class="row still">
            <CarIcon />
            <div class="row-main">
              <h2>{nameOf(car)}</h2>
              <p class="row-line">{restOf(car)}</p>
            </div>
          </li>
        ))}
      </ul>
    </>
  );
}

function Drives({ name }: { name: string }) {
  const list = useToldList(`drives ${name}`, async (page) => {
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
      <ListEnd list={list} empty="No drives that you may see." older="Older drives" />
    </>
  );
}

function BlockButton({ person, isBlocked }: { person: PersonPage; isBlocked: boolean }) {
  const name = nameOfPerson(person);
  function toggle(): void {
    const question = `Block ${name}?\n\n${effectsOfBlock().join("\n\n")}`;
    if (isBlocked) void give((tourismo) => tourismo.unblock(person.account));
    else if (confirm(question)) void give((tourismo) => tourismo.block(person.account));
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
          <p>If you unblock them, they see what is for followers again only after they follow you and you accept them.</p>
        </div>
      ) : null}
    </>
  );
}

/** What a block does, and what it cannot do. */
function effectsOfBlock(): string[] {
  return [
    "You see nothing of theirs any more, and you stop following each other.",
    "They do not see what you show to followers. They still see what everybody sees, because that needs no account: your public drives and meets, what has a link that they know, and your profile.",
    "What they say about your drives and meets is shown to nobody but them. What you say about other people's drives they may read there.",
    "They are not told. They can find out if they look at your drives without signing in.",
  ];
}
